package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// runFlags are the flags of `syncer run`.
type runFlags struct {
	shard, users     string
	onlyFailed, full bool
	acceptGone       bool
	push             pushFlags
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run JOB",
		Short: "Run a job of jobs.yaml once, now",
		Long: `Runs a job once, now: this is what a scheduler calls. It pulls what changed since
the last run, and makes it visible in one commit or several. What was committed is
never lost or written twice, whenever the run is stopped; two runs of the same job
and shard cannot harm each other.

The logs go to standard error, a summary (or with --output json the run report) to
standard output. SYNCER_RUN_GROUP, where it is set, is the name that the shards and
restarts of one scheduled time share.

` + exitCodesHelp(),
		Example: `  syncer run nightly
  syncer run nightly --users 2f1c3a9e-…,77b0c1d2-… --full
  syncer run nightly --shard 0/4 --log-format json`,
		Args: oneJobFor("run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), args[0], f)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.acceptGone, "accept-gone", false, "take the list of users for the truth, however few it names: whoever it lacks and the API does not know is gone")
	f.push.register(cmd.Flags())
	return cmd
}

// register declares the flags that say which users a run is for, and how.
func (f *runFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.shard, "shard", "", "work on shard `i/n` of the users, i from 0; JOB_COMPLETION_INDEX and SYNCER_SHARDS unless given")
	flags.StringVar(&f.users, "users", "", "only these users: a `file` of ids, or ids separated by commas")
	flags.BoolVar(&f.onlyFailed, "only-failed", false, "only users with a stream that failed last time")
	flags.BoolVar(&f.full, "full", false, "read everything in full, changed or not")
}

// oneJobFor takes the name of one job; command is for the hint.
func oneJobFor(command string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usagef("which job? Name one of those in jobs.yaml: syncer %s JOB", command)
		case 1:
			return nil
		}
		return usagef("one job at a time, but got %q and %q", args[0], args[1])
	}
}

// run makes the options of a run, runs it and prints what it did.
func (a *app) run(ctx context.Context, job string, f runFlags) error {
	o, err := a.runOptions(ctx, job, f, config.Load)
	if err != nil {
		return err
	}
	if o.WrapStore, err = a.arm(o.Config, job); err != nil {
		return err
	}
	push, err := a.pusher(ctx, &o, f.push)
	if err != nil {
		return err
	}
	a.warn(ctx, o.Config)
	jobs.BoundMemory(o.Config.Jobs[job])
	began := time.Now()
	report, err := jobs.Run(ctx, o)
	a.words.done(job)
	push(ctx, report, err)
	a.console.clear()
	if report == nil {
		return err
	}
	s := summary{report: report, took: time.Since(began)}
	if a.output != formatJSON && err != nil && report.Users.Listed == 0 && report.Commits == 0 {
		return err // it did nothing: the error says it all
	}
	if printErr := a.print(report, s.text); err == nil && printErr != nil {
		err = fmt.Errorf("print the report: %w", printErr)
	}
	return err
}

// configLoader reads jobs.yaml: [config.Load], or [config.LoadToRead].
type configLoader func(path string, getenv func(string) (string, bool)) (*config.Config, error)

func (a *app) runOptions(ctx context.Context, job string, f runFlags, load configLoader) (jobs.RunOptions, error) {
	if f.users != "" && f.onlyFailed {
		return jobs.RunOptions{}, usagef("--users and --only-failed exclude each other")
	}
	if f.acceptGone && (f.users != "" || f.onlyFailed) {
		return jobs.RunOptions{}, usagef("--accept-gone is for a run over all users: leave out --users and --only-failed")
	}
	shard, err := a.shard(f.shard)
	if err != nil {
		return jobs.RunOptions{}, err
	}
	users, err := userIDs(f.users)
	if err != nil {
		return jobs.RunOptions{}, err
	}
	cfg, err := load(a.config, a.getenv)
	if err != nil {
		return jobs.RunOptions{}, err
	}
	group, _ := a.getenv("SYNCER_RUN_GROUP")
	p := newProgress(a.console, a.log, time.Now)
	return jobs.RunOptions{
		Config: cfg, Job: job, Shard: shard, RunGroup: group, Users: users, OnlyFailed: f.onlyFailed, Full: f.full, AcceptGone: f.acceptGone,
		Holder: holder(), Version: thisBuild().Version, Logger: a.log,
		Progress:  func(s report.Progress) { a.words.note(job, s); p.report(ctx, s) },
		Committed: func(report.Commit) { a.words.committed(job) },
	}, nil
}

// holder names this process to whoever waits for its lease.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, process %d", host, os.Getpid())
}
