package report

import (
	"time"
)

const (
	// maxPoints bounds a report's timeline, however long the run.
	maxPoints = 240
	// FirstStep is how long a stretch of the timeline is at first: a minute of
	// them fits, and each doubling is as much again as all before it.
	FirstStep = 250 * time.Millisecond
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

// Timeline collects points. When there are too many, each two become one and
// the stretches twice as long: so a report is as long for an hour as for a day.
type Timeline struct {
	step   time.Duration
	points []Point
	total  Point // of all points: what has been told already
}

// Add appends the stretch that ends now, given everything counted so far, and
// returns how long the next one should be.
func (l *Timeline) Add(now Point) time.Duration {
	if l.step == 0 {
		l.step = FirstStep
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
		l.points[n-1] = l.points[n-1].And(p)
	} else {
		l.points = append(l.points, p)
	}
	if len(l.points) >= maxPoints {
		l.halve()
	}
	return l.step
}

func (l *Timeline) halve() {
	n := len(l.points)
	for i := range n / 2 {
		l.points[i] = l.points[2*i].And(l.points[2*i+1])
	}
	l.points = append(l.points[:n/2], l.points[n/2*2:]...)
	l.step *= 2
}

// And is this stretch and the next one as one.
func (p Point) And(next Point) Point {
	next.Requests += p.Requests
	next.Refused += p.Refused
	next.Users += p.Users
	next.Rows += p.Rows
	next.Commits += p.Commits
	return next
}

// Took is how long the run took, in real time where the report tells it.
func (r *Report) Took() time.Duration {
	if n := len(r.Timeline); n > 0 {
		return time.Duration(r.Timeline[n-1].At * float64(time.Second))
	}
	return r.Finished.Sub(r.Started)
}

// Points is what was collected, in order; it is the timeline's own.
func (l *Timeline) Points() []Point { return l.points }
