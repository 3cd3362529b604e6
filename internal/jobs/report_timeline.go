package jobs

import (
	"context"
	"math"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

const (
	// maxPoints bounds a report's timeline, however long the run.
	maxPoints = 240
	// firstStep is how long a stretch of the timeline is at first: a minute of
	// them fits, and each doubling is as much again as all before it.
	firstStep = 250 * time.Millisecond
)

// Point is one stretch of a run: what was counted between the end of the
// point before it, or the beginning of the run, and At.
type Point struct {
	// At is the end of the stretch, in seconds of real time since the run began.
	At       float64 `json:"at"`
	Requests int64   `json:"requests,omitempty"`
	Refused  int64   `json:"refused,omitempty"`
	// Rate is how many requests a second the client allowed itself at the end of
	// the stretch; zero where it does not pace itself.
	Rate    float64 `json:"rate,omitempty"`
	Users   int64   `json:"users,omitempty"` // done
	Rows    int64   `json:"rows,omitempty"`  // deletes included
	Commits int64   `json:"commits,omitempty"`
}

// timeline collects points. When there are too many, each two become one and
// the stretches twice as long: so a report is as long for an hour as for a day.
type timeline struct {
	step   time.Duration
	points []Point
	total  Point // of all points: what has been told already
}

// add appends the stretch that ends now, given everything counted so far, and
// returns how long the next one should be.
func (l *timeline) add(now Point) time.Duration {
	if l.step == 0 {
		l.step = firstStep
	}
	p := now
	p.Requests -= l.total.Requests
	p.Refused -= l.total.Refused
	p.Users -= l.total.Users
	p.Rows -= l.total.Rows
	p.Commits -= l.total.Commits
	before := l.total.At
	l.total = now
	// A stretch that is far too short, such as the last one, would show a pace
	// that there never was.
	if n := len(l.points); n > 0 && now.At-before < l.step.Seconds()/2 {
		l.points[n-1] = l.points[n-1].and(p)
	} else {
		l.points = append(l.points, p)
	}
	if len(l.points) >= maxPoints {
		l.halve()
	}
	return l.step
}

func (l *timeline) halve() {
	n := len(l.points)
	for i := range n / 2 {
		l.points[i] = l.points[2*i].and(l.points[2*i+1])
	}
	l.points = append(l.points[:n/2], l.points[n/2*2:]...)
	l.step *= 2
}

// and is this stretch and the next one as one.
func (p Point) and(next Point) Point {
	next.Requests += p.Requests
	next.Refused += p.Refused
	next.Users += p.Users
	next.Rows += p.Rows
	next.Commits += p.Commits
	return next
}

// sample ends a stretch of the timeline. elapsed is real time. Once the report
// is finished, nothing is added.
func (t *tally) sample(stats finoos.Stats, elapsed time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.finished {
		return firstStep
	}
	return t.timeline.add(t.now(stats, elapsed))
}

// now is everything counted so far. mu is held.
func (t *tally) now(stats finoos.Stats, elapsed time.Duration) Point {
	p := Point{
		At: math.Round(elapsed.Seconds()*1000) / 1000, Requests: stats.Requests, Refused: stats.Refused, Rate: stats.Rate,
		Users: t.report.Users.done(), Commits: int64(t.report.Commits),
	}
	for _, s := range t.report.Streams {
		p.Rows += s.Rows + s.Deletes
	}
	return p
}

// tell moves into the report what was measured on the way. mu is held.
func (t *tally) tell(stats finoos.Stats, elapsed time.Duration) {
	t.timeline.add(t.now(stats, elapsed))
	t.finished = true
	t.report.Timeline, t.report.Slowest = t.timeline.points, t.slowest
	t.report.Freshness = make(map[config.Stream]Freshness, len(t.ages))
	for s, f := range t.ages {
		t.report.Freshness[s] = Freshness{Before: f.before.summary(), After: f.after.summary()}
	}
}

// keepTimeline samples the run until stopped.
func (r *run) keepTimeline(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		next := time.NewTimer(firstStep)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
			}
			next.Reset(r.tally.sample(r.client.Stats(), time.Since(r.began)))
		}
	})
	return func() {
		cancel()
		background.Wait()
	}
}

// Took is how long the run took, in real time where the report tells it.
func (r *Report) Took() time.Duration {
	if n := len(r.Timeline); n > 0 {
		return time.Duration(r.Timeline[n-1].At * float64(time.Second))
	}
	return r.Finished.Sub(r.Started)
}
