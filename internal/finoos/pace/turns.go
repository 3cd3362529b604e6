package pace

import (
	"math"
	"slices"
	"sync"
	"time"
)

// turns are those of the requests: one at a time has its own, in the order in
// which they came, and the governor says how far they are apart.
type turns struct {
	next chan struct{} // holds one: the request at the head of the queue

	mu       sync.Mutex
	governor *governor
	latency  latency
	due      time.Time // when the next turn is, without the allowance
	pauses   int64
}

func newTurns(ceiling float64, shards int) *turns {
	return &turns{next: make(chan struct{}, 1), governor: newGovernor(ceiling, shards), latency: latency{}}
}

// ceiling is what the operator allows; 0 = unpaced.
func (t *turns) ceiling() float64 { return t.governor.ceiling }

// allowance is how early a turn may come: it makes up for timers that fire
// late on a busy machine, no more.
func (t *turns) allowance() time.Duration {
	rate := t.governor.rate
	return seconds((math.Ceil(rate/20) - 1) / rate)
}

// until is how long it is to the next turn.
func (t *turns) until(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.due.Add(-t.allowance()).Sub(now)
}

// take gives the turn to a request that came at came.
func (t *turns) take(came, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	free := t.due
	if t.governor.open.After(free) {
		free = t.governor.open
	}
	t.governor.sent(now, max(came.Sub(free), 0))
	if earliest := now.Add(-t.allowance()); t.due.Before(earliest) {
		t.due = earliest
	}
	t.due = t.due.Add(seconds(1 / t.governor.rate))
}

// answered takes in an answer that is no refusal.
func (t *turns) answered(operation string, now time.Time, took time.Duration) {
	if t.ceiling() <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.governor.answered(now)
	if t.latency.seen(operation, took) {
		t.governor.warned = now.Add(warnFor)
	}
}

// refused takes in that a request was refused for its rate, and returns how
// long everybody pauses. asked is what the server asks for, 0 if nothing;
// backoff is what the request itself waits in any case.
func (t *turns) refused(sent, now time.Time, asked, backoff time.Duration) time.Duration {
	if t.ceiling() <= 0 {
		return max(asked, backoff)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.governor.cut
	pause := t.governor.refused(sent, now, asked)
	if t.governor.cut != before {
		t.pauses++
	}
	return pause
}

// reopen takes in that everybody's pause has ended early.
func (t *turns) reopen(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.governor.open.After(now) {
		t.governor.open = now
	}
}

// known is what a report may say of it.
func (t *turns) known() (rate, limit float64, pauses int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.governor.rate, t.governor.limit(), t.pauses
}

// begin starts at a limit that is known, and reports whether it does.
func (t *turns) begin(k Known) bool {
	if t.ceiling() <= 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.governor.begin(k)
}

// found is what the next process may begin with, if anything is, and how it went.
func (t *turns) found() (k Known, went []Sample, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok = t.governor.found()
	return k, slices.Clone(t.governor.course.samples), ok
}

// origin is where the limit comes from, "" where there is none.
func (t *turns) origin() Origin {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.governor.origin()
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
