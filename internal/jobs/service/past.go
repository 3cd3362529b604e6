package service

import (
	"context"
	"fmt"
	"iter"
	"time"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/report"
)

// pastReports yields the reports of a job's runs, newest first.
type pastReports = iter.Seq2[*report.Earlier, error]

const (
	// lookTime bounds reading how a job stands; a bucket that does not answer
	// must not hold up a schedule.
	lookTime = 2 * time.Minute
	// looksApart is the least time between two looks: they read all cursors.
	looksApart = 10 * time.Minute
)

// bucketPast reads the reports in the bucket.
func (s *server) bucketPast(ctx context.Context, job string) (pastReports, error) {
	store, err := jobs.OpenStore(ctx, s.o.Config.Sink, job, s.log)
	if err != nil {
		return nil, fmt.Errorf("open the sink: %w", err)
	}
	return report.Past(ctx, report.InBucket(store, job), time.Now()), nil
}

// bucketLast reads the last success in the bucket.
func (s *server) bucketLast(ctx context.Context, job string) (began, ended time.Time, err error) {
	store, err := jobs.OpenStore(ctx, s.o.Config.Sink, job, s.log)
	if err != nil {
		return began, ended, fmt.Errorf("open the sink: %w", err)
	}
	return jobs.LastSuccess(ctx, store, job)
}

// owed is the last scheduled time, if no run has come to its end since, and it
// is not longer ago than catch_up; nor is the end of a run for it that was
// stopped: a run of hours that a restart stops is taken up, too.
//
// Where the bucket does not tell, the run is owed: one too many asks for
// correlations, one too few costs a night.
func (k *keeper) owed(ctx context.Context, now time.Time) (due time.Time, owed bool) {
	due = k.lastScheduled(now)
	if due.IsZero() {
		return due, false
	}
	recent := func(t time.Time) bool { return now.Sub(t) <= k.job.CatchUp }
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if began, _, err := k.s.last(ctx, k.job.Name); err == nil && !began.IsZero() && !began.Before(due) && !isAhead(began, now) {
		return due, false // however many reports have come since
	}
	past, err := k.s.past(ctx, k.job.Name)
	if err != nil {
		k.log.WarnContext(ctx, "run reports not read", "error", err)
		return due, recent(due)
	}
	stopped := false
	for p, err := range past {
		if err != nil {
			k.log.WarnContext(ctx, "run reports not read", "error", err)
			break
		}
		if !p.Whole() || isAhead(p.Started, now) {
			continue
		}
		earlier := p.Started.Before(due)
		if p.CameToItsEnd() {
			return due, earlier && (recent(due) || stopped)
		}
		stopped = stopped || recent(p.Finished)
		if earlier {
			break
		}
	}
	return due, recent(due) || stopped
}

// isAhead says that the clock of a run was wrong: it is no run for any scheduled
// time.
func isAhead(began, now time.Time) bool { return began.Sub(now) > 24*time.Hour }

// lastScheduled is the newest scheduled time of the last weeks. Most are found
// in the last hours, and schedules of every minute need not look further.
func (k *keeper) lastScheduled(now time.Time) time.Time {
	for back := time.Hour; ; back *= 5 {
		back = min(back, report.Memory)
		if due := k.schedule.Last(now.Add(-back), now); !due.IsZero() || back == report.Memory {
			return due
		}
	}
}

// look reads how the job stands and tells the watcher, in a goroutine of its own.
// While a run is at work, which needs the memory, it does not read the cursors.
func (k *keeper) look(ctx context.Context) {
	atWork := k.ended != nil
	switch {
	case atWork:
	case time.Since(k.looked) < looksApart:
		return
	default:
		k.looked = time.Now()
	}
	k.looks.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		standing := &Standing{LastSuccess: k.lastSuccess(ctx)}
		if !atWork {
			status, err := k.s.stand(ctx, jobs.StatusOptions{Config: k.s.o.Config, Job: k.job.Name})
			if err == nil {
				standing.Status = status
			} else if ctx.Err() == nil {
				k.log.WarnContext(ctx, "freshness not read", "error", err)
			}
		}
		k.s.o.Watch.Standing(k.job.Name, standing)
	})
}

// lastSuccess is zero where the bucket does not tell.
func (k *keeper) lastSuccess(ctx context.Context) time.Time {
	_, ended, err := k.s.last(ctx, k.job.Name)
	if err != nil && ctx.Err() == nil {
		k.log.WarnContext(ctx, "last success not read", "error", err)
	}
	return ended
}
