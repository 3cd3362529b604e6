package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/metrics"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/jobs/service"
)

// serveFlags are the flags of `syncer serve`.
type serveFlags struct {
	listen, pprof string
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Stay, and run every job on its schedule",
		Long: `Stays, and runs every job of jobs.yaml that has a schedule, each for itself: no job
waits for another. if_running says what happens to a scheduled time that comes while
the job is at work, jitter by how much a start may be put off. A run that was missed,
or that a restart has stopped, is made up for within catch_up.

Schedules mean the clock on the wall of their timezone: a time that the zone skips in
spring comes an hour later, one that comes twice in autumn counts once. Schedules of
every hour go on while clocks are turned.

On --listen there are /healthz (the process is alive), /readyz (schedules are kept, and
it is not stopping) and /metrics, for Prometheus. They ask for no password.

SIGTERM and SIGINT stop it as they stop a run: jobs at work commit what is complete. A
second signal ends it at once.

` + exitCodesHelp(),
		Example: `  syncer serve
  syncer serve --listen 127.0.0.1:9090 --pprof 127.0.0.1:6060`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", ":8080", "the `address` of /healthz, /readyz and /metrics")
	cmd.Flags().StringVar(&f.pprof, "pprof", "", "serve Go's profiles on this `address`; not unless given")
	return cmd
}

// errServed ends the HTTP servers when the jobs have ended.
var errServed = errors.New("the jobs have ended")

// serve runs jobs and HTTP servers until ctx ends or one of them fails. The
// servers outlive the signal: /readyz says that it stops, /metrics how far it is.
func (a *app) serve(ctx context.Context, f serveFlags) error {
	cfg, err := config.Load(a.config, a.getenv)
	if err != nil {
		return err
	}
	a.warn(ctx, cfg)
	a.console.plain = true // there is no single bar to show
	b := thisBuild()
	m := metrics.New(metrics.Build{Version: b.Version, Commit: b.Commit, Go: b.Go})
	var h readiness
	servers := []*webServer{{flag: "--listen", address: f.listen, handler: h.routes(m.Handler()), answer: 30 * time.Second}}
	if f.pprof != "" {
		servers = append(servers, &webServer{flag: "--pprof", address: f.pprof, handler: profiles(), answer: 10 * time.Minute})
	}
	for _, s := range servers {
		if err := s.open(ctx); err != nil {
			return err
		}
		defer s.close()
		a.log.InfoContext(ctx, "listening", "address", s.listener.Addr().String(), "for", s.flag)
		if s.flag == "--pprof" && !isLoopback(s.listener.Addr()) {
			a.log.WarnContext(ctx, "profiles are open to other machines, and show what is in memory: write --pprof 127.0.0.1:6060, and reach it by a port-forward",
				"address", s.listener.Addr().String())
		}
	}

	web, webCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	for _, s := range servers {
		web.Go(func() error { return s.serve(webCtx) })
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopAlong := context.AfterFunc(webCtx, func() { cancel(context.Cause(webCtx)) })
	defer stopAlong()
	stopReady := context.AfterFunc(ctx, h.stopping)
	defer stopReady()
	jobs.BoundMemory(slices.Collect(maps.Values(cfg.Jobs))...) // they may all be at work at once
	var ended error
	web.Go(func() error {
		ended = service.Run(ctx, service.Options{
			Config: cfg, Holder: holder(), Version: b.Version, Logger: a.log, Watch: watchedJobs{m, &a.words}, Ready: h.ready,
		})
		return errServed
	})
	if err := web.Wait(); !errors.Is(err, errServed) {
		return err
	}
	return ended
}

// watchedJobs are the metrics of jobs, and what a signal leaves of them.
type watchedJobs struct {
	metrics *metrics.Metrics
	words   *lastWords
}

// Progress implements service.Watcher.
func (w watchedJobs) Progress(job string, p report.Progress) {
	w.words.note(job, p)
	w.metrics.Progress(job, p)
}

// Committed implements service.Watcher.
func (w watchedJobs) Committed(job string, c report.Commit) {
	w.words.committed(job)
	w.metrics.Committed(job, c)
}

// Ended implements service.Watcher.
func (w watchedJobs) Ended(job string, r *report.Report, err error) {
	w.words.done(job)
	w.metrics.Ended(job, r, err)
}

// Planned implements service.Watcher.
func (w watchedJobs) Planned(job string, next time.Time) { w.metrics.Planned(job, next) }

// Skipped implements service.Watcher.
func (w watchedJobs) Skipped(job, why string) { w.metrics.Skipped(job, why) }

// Standing implements service.Watcher.
func (w watchedJobs) Standing(job string, s *service.Standing) { w.metrics.Standing(job, s) }
