package jobs

import (
	"context"
	"math"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// rememberAges keeps when each stream of the run was pulled last, before this
// run does it.
func (s *session) rememberAges(u *user) {
	u.pulledAt = make([]time.Time, len(s.streams))
	for i, stream := range s.streams {
		u.pulledAt[i] = u.Cursors[stream].PulledAt
	}
}

// left counts the ages of a user that the run is done with.
func (t *tally) left(u *user, streams []config.Stream, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range streams[:len(u.pulledAt)] {
		f := t.ages[s]
		if f == nil {
			f = &report.FreshnessCount{}
			t.ages[s] = f
		}
		f.Add(u.pulledAt[i], u.Cursors[s].PulledAt, now)
	}
}

// sample ends a stretch of the timeline. elapsed is real time. Once the report
// is finished, nothing is added.
func (t *tally) sample(stats finoos.Stats, elapsed time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.finished {
		return report.FirstStep
	}
	return t.timeline.Add(t.now(stats, elapsed))
}

// now is everything counted so far. mu is held.
func (t *tally) now(stats finoos.Stats, elapsed time.Duration) report.Point {
	p := report.Point{
		At: math.Round(elapsed.Seconds()*1000) / 1000, Requests: stats.Requests, Refused: stats.Refused, Rate: stats.Rate,
		Users: t.report.Users.Done(), Commits: int64(t.report.Commits),
	}
	for _, s := range t.report.Streams {
		p.Rows += s.Rows + s.Deletes
	}
	return p
}

// tell moves into the report what was measured on the way. mu is held.
func (t *tally) tell(stats finoos.Stats, elapsed time.Duration) {
	t.timeline.Add(t.now(stats, elapsed))
	t.finished = true
	t.report.Timeline, t.report.Slowest = t.timeline.Points(), t.slowest
	t.report.Freshness = make(map[config.Stream]report.Freshness, len(t.ages))
	for s, f := range t.ages {
		t.report.Freshness[s] = f.Sum()
	}
}

// keepTimeline samples the run until stopped.
func (s *session) keepTimeline(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		next := time.NewTimer(report.FirstStep)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
			}
			next.Reset(s.tally.sample(s.client.Stats(), time.Since(s.began)))
		}
	})
	return func() {
		cancel()
		background.Wait()
	}
}
