package main

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/jobs/report"
)

// lastWords answer a signal: whoever has sent it sees at once that it came, and at a
// second one what is left behind. They say nothing before the command line is read.
type lastWords struct {
	mu   sync.Mutex
	say  func(text string, attrs ...slog.Attr)
	jobs map[string]atWork
}

// atWork is how far a job is.
type atWork struct {
	report.Progress

	committed time.Time // last; zero: not yet
}

// leaseLives is how long a lease stays that nobody gives back (docs/design.md, "The commit").
const leaseLives = time.Minute

// by sets how they are said: to people as a line of their own, else as a record.
func (l *lastWords) by(say func(text string, attrs ...slog.Attr)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say = say
}

// note takes in how far a job is.
func (l *lastWords) note(job string, p report.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.jobs[job]
	w.Progress = p
	l.keep(job, w)
}

// committed takes in that a job has made something true. It is told at once: how far
// it is only now and then.
func (l *lastWords) committed(job string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.jobs[job]
	w.committed = time.Now()
	l.keep(job, w)
}

// keep is called with mu held.
func (l *lastWords) keep(job string, w atWork) {
	if l.jobs == nil {
		l.jobs = map[string]atWork{}
	}
	l.jobs[job] = w
}

// done takes in that a job has ended.
func (l *lastWords) done(job string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.jobs, job)
}

func (l *lastWords) first() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.say == nil:
	case len(l.jobs) > 0:
		l.say("stopping: committing what is complete; again to end now")
	default: // nearly all that commits nothing ends before anybody reads that
		time.AfterFunc(time.Second, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.say("stopping; again to end now")
		})
	}
}

func (l *lastWords) second() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.say == nil {
		return
	}
	for _, job := range slices.Sorted(maps.Keys(l.jobs)) {
		text, attrs := left(l.jobs[job], time.Now())
		l.say("ended at once: "+text, append([]slog.Attr{slog.String("job", job)}, attrs...)...)
	}
	if len(l.jobs) == 0 {
		l.say("ended at once")
	}
}

// left is what a run leaves behind that is ended at once.
func left(p atWork, now time.Time) (text string, attrs []slog.Attr) {
	text = "nothing was committed"
	if !p.committed.IsZero() {
		text = "nothing is committed since " + p.committed.Format(time.TimeOnly)
		attrs = append(attrs, slog.Time("committed_at", p.committed.UTC().Round(time.Second)))
	}
	if p.Phase == "commit" {
		text += ", unless the commit that was under way was made, which the next run finds out"
	}
	lease := "the lease is left"
	switch {
	case p.Leased:
	case p.Phase == "lease and recover": // it is taken first
		lease = "a lease may be left"
	default:
		return text + "; no lease is left", attrs
	}
	until := now.Add(leaseLives)
	return text + fmt.Sprintf("; %s: the next run takes it up, at once on this machine, elsewhere when it has expired, at %s at the latest", lease, until.Format(time.TimeOnly)),
		append(attrs, slog.Time("lease_until", until.UTC().Round(time.Second)))
}
