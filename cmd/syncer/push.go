package main

import (
	"context"
	"fmt"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/metrics"
	"finoos-syncer/internal/jobs/report"
)

// pusher lets metrics watch a run, and returns what hands them over at its end:
// nothing where no address is given. A Pushgateway that is not there is a
// warning, and fails no run.
func (a *app) pusher(o *jobs.RunOptions, address string) (func(context.Context, *report.Report, error), error) {
	if address == "" {
		return func(context.Context, *report.Report, error) {}, nil
	}
	if err := metrics.CheckPushURL(address); err != nil {
		return nil, usagef("--push-metrics %w", err)
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
