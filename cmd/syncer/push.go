package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/metrics"
	"finoos-syncer/internal/jobs/report"
)

// pusher lets metrics watch a run, and returns what hands them over at its end:
// nothing where no address is given. A Pushgateway that is not there is a
// warning, and fails no run.
func (a *app) pusher(ctx context.Context, o *jobs.RunOptions, f pushFlags) (func(context.Context, *report.Report, error), error) {
	address, err := a.pushAddress(ctx, f)
	if err != nil {
		return nil, err
	}
	if address == "" {
		return func(context.Context, *report.Report, error) {}, nil
	}
	b, job, show := thisBuild(), o.Job, o.Progress
	m := metrics.New(metrics.Build{Version: b.Version, Commit: b.Commit, Go: b.Go})
	o.Progress = func(p report.Progress) {
		show(p)
		m.Progress(job, p)
	}
	o.Committed = func(c report.Commit) { m.Committed(job, c) }
	instance := job
	if o.Shard.Count > 1 {
		instance = fmt.Sprintf("%s-%d-of-%d", job, o.Shard.Index, o.Shard.Count)
	}
	return func(ctx context.Context, report *report.Report, err error) {
		m.Ended(job, report, err)
		if err := m.Push(ctx, address, instance); err != nil {
			a.log.WarnContext(ctx, "metrics not handed over", "error", err)
		}
	}, nil
}

// pushFlags say where metrics are handed to.
type pushFlags struct {
	address      string
	passwordFile string
}

func (f *pushFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.address, "push-metrics", "", "hand the run's metrics to the Prometheus Pushgateway at this `URL`; not unless given")
	flags.StringVar(&f.passwordFile, "push-password-file", "", "the `file` with the password of the URL's user; "+pushPassword+" unless given")
}

// pushPassword is the variable that holds the password where no file does.
const pushPassword = "SYNCER_PUSH_PASSWORD" //nolint:gosec // the name of one

// pushAddress is where metrics are handed to, with the password if there is one;
// "" for nowhere.
func (a *app) pushAddress(ctx context.Context, f pushFlags) (string, error) {
	if f.address == "" {
		if f.passwordFile != "" {
			return "", usagef("--push-password-file is for --push-metrics, which is not given")
		}
		return "", nil
	}
	if err := metrics.CheckPushURL(f.address); err != nil {
		return "", usagef("--push-metrics %w", err)
	}
	password, from := "", ""
	if f.passwordFile != "" {
		text, err := os.ReadFile(f.passwordFile)
		if err != nil {
			return "", usagef("--push-password-file: %w", err)
		}
		password, from = strings.TrimRight(string(text), "\r\n"), "--push-password-file"
		if password == "" {
			return "", usagef("--push-password-file: %s is empty", f.passwordFile)
		}
	} else if value, ok := a.getenv(pushPassword); ok && value != "" {
		password, from = value, pushPassword
	}
	address, inURL, err := metrics.WithPassword(f.address, password)
	switch {
	case err != nil:
		return "", usagef("--push-metrics with %s: %w", from, err)
	case inURL:
		a.log.WarnContext(ctx, "the password in --push-metrics stands where processes are listed: give it in a file (--push-password-file) or in "+pushPassword)
	}
	return address, nil
}
