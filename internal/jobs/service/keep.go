package service

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// keeper keeps the schedule of one job. The first group is set once; the second
// belongs to the goroutine of keep, which starts runs in a goroutine of their
// own and never waits for anything but the next thing to happen.
type keeper struct {
	s        *server
	job      *config.Job
	schedule *config.Schedule
	log      *slog.Logger

	last   time.Time      // scheduled times up to here are dealt with
	queued time.Time      // the one that waits for the run at work to end, else zero
	ended  chan error     // of the run at work, nil while there is none
	looked time.Time      // when the cursors were read last
	looks  sync.WaitGroup // at the bucket
}

// longestSleep is the longest that a timer is trusted: it does not follow a
// clock that is set, nor a machine that was suspended.
const longestSleep = 15 * time.Minute

// keep runs the job on its schedule until ctx ends, and returns the error of the
// run that it then had to stop.
func (k *keeper) keep(ctx context.Context) error {
	defer k.looks.Wait()
	k.last = time.Now()
	if due, owed := k.owed(ctx, k.last); owed && ctx.Err() == nil {
		k.log.InfoContext(ctx, "a run was missed or stopped: catching up", "scheduled", due)
		k.begin(ctx, due)
	}
	k.look(ctx)
	start := k.plan(ctx)
	k.log.InfoContext(ctx, "schedule is kept", "schedule", k.job.Schedule, "timezone", k.job.Timezone, "next", start)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return k.drain()
		case err := <-k.ended:
			if ctx.Err() != nil {
				return err
			}
			k.next(ctx)
		case <-timer.C:
			if now := time.Now(); !now.Before(start) {
				k.due(ctx, now)
				start = k.plan(ctx)
			}
			timer.Reset(min(longestSleep, time.Until(start)))
		}
	}
}

// plan chooses when the next scheduled time is acted on: then, or later by
// chance.
func (k *keeper) plan(ctx context.Context) time.Time {
	start := k.schedule.Next(k.last)
	if start.IsZero() {
		k.log.WarnContext(ctx, "the schedule names no time within years")
		return time.Now().AddDate(1, 0, 0) // look again
	}
	if most := min(k.job.Jitter, k.schedule.Next(start).Sub(start)); most > 0 {
		start = start.Add(rand.N(most))
	}
	k.s.o.Watch.Planned(k.job.Name, start)
	return start
}

// due acts on the scheduled times that have come. There are several where the
// process did not run for a while: only the last one counts, as after a restart.
func (k *keeper) due(ctx context.Context, now time.Time) {
	due := k.schedule.Last(k.last, now)
	if due.IsZero() {
		return
	}
	k.last = due
	switch late := now.Sub(due); {
	case late > k.job.CatchUp+k.job.Jitter:
		k.log.WarnContext(ctx, "a run was missed, and it is too late for it: catch_up", "scheduled", due, "late", late.Round(time.Second))
		k.s.o.Watch.Skipped(k.job.Name, SkippedLate)
	case k.ended == nil:
		k.begin(ctx, due)
	case k.job.IfRunning == config.IfRunningQueue && k.queued.IsZero():
		k.log.InfoContext(ctx, "the job is at work: the next run waits for its end", "scheduled", due)
		k.queued = due
	default:
		k.log.WarnContext(ctx, "the job is at work: a scheduled time is skipped", "scheduled", due)
		k.s.o.Watch.Skipped(k.job.Name, SkippedRunning)
	}
}

// begin starts a run for a scheduled time.
func (k *keeper) begin(ctx context.Context, due time.Time) {
	ended := make(chan error, 1)
	k.ended = ended
	go func() { ended <- k.run(ctx, due) }()
}

// next goes on after the end of a run.
func (k *keeper) next(ctx context.Context) {
	k.ended = nil
	if due := k.queued; !due.IsZero() {
		k.queued = time.Time{}
		k.begin(ctx, due)
		return
	}
	k.look(ctx)
}

// drain waits for the run that is being stopped.
func (k *keeper) drain() error {
	if k.ended == nil {
		return nil
	}
	return <-k.ended
}

// run runs the job once. Its error is logged here; it matters to the caller only
// where the process is being stopped.
func (k *keeper) run(ctx context.Context, due time.Time) error {
	name, watch, o := k.job.Name, k.s.o.Watch, k.s.o
	report, err := k.s.run(ctx, jobs.RunOptions{
		Config: o.Config, Job: name, RunGroup: runGroup(name, due), Transport: o.Transport, Pacing: k.s.pacing, Disk: k.s.disk,
		Holder: o.Holder, Version: o.Version, Logger: o.Logger,
		Progress:  func(p report.Progress) { watch.Progress(name, p) },
		Committed: func(c report.Commit) { watch.Committed(name, c) },
	})
	watch.Ended(name, report, err)
	log := k.log.With("scheduled", due)
	if report != nil {
		log = log.With("run_id", report.RunID, "users", report.Users.Listed, "users_failed", report.Users.Failed, "commits", report.Commits,
			"requests", report.Requests, "took", report.Finished.Sub(report.Started).Round(time.Second))
	}
	reason, ok := jobs.ReasonOf(err)
	switch {
	case err == nil:
		log.InfoContext(ctx, "run ended")
	case jobs.IsWhole(err):
		log.WarnContext(ctx, "run ended, and not all is well", "warning", err)
	case ok && reason == jobs.ReasonInterrupted:
		log.InfoContext(ctx, "run stopped after a clean commit")
	default:
		log.ErrorContext(ctx, "run failed", "error", err)
	}
	return err
}

// runGroup names what the restarts of one scheduled time share.
func runGroup(job string, due time.Time) string {
	return job + "-" + due.UTC().Format("20060102T150405Z")
}
