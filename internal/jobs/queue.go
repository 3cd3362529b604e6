package jobs

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"finoos-syncer/internal/scratch"
)

// queue holds the users that wait for something: a settling analysis, or
// another try. A waiting user is an entry here, not a goroutine, and holds no
// worker; of one that settles there is not even more, for the rest lies on disk. Times are real time, whatever clock the run has.
type queue struct {
	mu      sync.Mutex
	waiting waiting
	held    int64 // bytes of those that wait
	running int
	// woken holds one token when something changed since the last look.
	woken chan struct{}
}

type waiter struct {
	due time.Time
	seq int // entries of the same instant leave in the order in which they came
	n   int64
	u   *user         // nil for one who settles on disk,
	at  scratch.Place // there
}

// waitingBytes bounds the memory of those that wait: however slow the
// analyses are, a night costs the same.
const waitingBytes = 24 << 20

// parkedBytes is about what a user takes up who settles on disk: its entry here, and
// its id among those in hand.
const parkedBytes = 256

func newQueue() *queue { return &queue{woken: make(chan struct{}, 1)} }

func (q *queue) wake() {
	select {
	case q.woken <- struct{}{}:
	default:
	}
}

// push lets u wait until due.
func (q *queue) push(u *user, due time.Time) { q.add(waiter{due: due, n: u.size(), u: u}) }

// park lets a user wait until due who lies on disk: what pop returns then is where.
func (q *queue) park(at scratch.Place, due time.Time) {
	q.add(waiter{due: due, n: parkedBytes, at: at})
}

func (q *queue) add(w waiter) {
	q.mu.Lock()
	w.seq = q.waiting.next
	heap.Push(&q.waiting, w)
	q.waiting.next++
	q.held += w.n
	q.mu.Unlock()
	q.wake()
}

// settlesNext says that the first who is due only settles.
func (q *queue) settlesNext(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting.entries) == 0 {
		return false
	}
	first := q.waiting.entries[0]
	return first.settles() && !first.due.After(now)
}

func (w *waiter) settles() bool { return w.u == nil || w.u.settle != nil }

// pop returns the first user that is due. Where there is none, wait says how
// long until one will be; negative means that nobody waits.
func (q *queue) pop(now time.Time) (u *user, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting.entries) == 0 {
		return nil, -1
	}
	first := q.waiting.entries[0]
	if d := first.due.Sub(now); d > 0 {
		return nil, d
	}
	heap.Pop(&q.waiting)
	q.held -= first.n
	if first.u == nil {
		return &user{parked: first.at}, 0
	}
	return first.u, 0
}

// full says whether those that wait hold as much memory as they may.
func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held >= waitingBytes
}

// drain takes out everyone but those who settle on disk, of whom nothing has failed.
func (q *queue) drain() []*user {
	q.mu.Lock()
	defer q.mu.Unlock()
	users := make([]*user, 0, len(q.waiting.entries))
	for _, w := range q.waiting.entries {
		if w.u != nil {
			users = append(users, w.u)
		}
	}
	q.waiting.entries, q.held = nil, 0
	return users
}

// begin and end count the users at work; end wakes the dispatcher.
func (q *queue) begin() {
	q.mu.Lock()
	q.running++
	q.mu.Unlock()
}

func (q *queue) end() {
	q.mu.Lock()
	q.running--
	q.mu.Unlock()
	q.wake()
}

// idle says that nobody waits and nobody is at work.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running == 0 && len(q.waiting.entries) == 0
}

// onlyWaiting says that nobody is at work, and somebody waits.
func (q *queue) onlyWaiting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running == 0 && len(q.waiting.entries) > 0
}

// waiting implements heap.Interface, earliest first.
type waiting struct {
	entries []waiter
	next    int
}

func (w *waiting) Len() int { return len(w.entries) }

func (w *waiting) Less(i, j int) bool {
	a, b := w.entries[i], w.entries[j]
	if a.due.Equal(b.due) {
		return a.seq < b.seq
	}
	return a.due.Before(b.due)
}

func (w *waiting) Swap(i, j int) { w.entries[i], w.entries[j] = w.entries[j], w.entries[i] }

func (w *waiting) Push(x any) {
	if e, ok := x.(waiter); ok {
		w.entries = append(w.entries, e)
	}
}

func (w *waiting) Pop() any {
	last := w.entries[len(w.entries)-1]
	w.entries[len(w.entries)-1] = waiter{} // lets the user go
	w.entries = w.entries[:len(w.entries)-1]
	return last
}

// sleep waits until somebody is due, something changes, or ctx ends. A
// negative wait has no end of its own.
func (q *queue) sleep(ctx context.Context, wait time.Duration) {
	var due <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-q.woken:
	case <-due:
	}
}
