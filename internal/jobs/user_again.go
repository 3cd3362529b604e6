package jobs

import "sync"

// againLater holds the users with a stream that may go better at the end of
// the run.
type againLater struct {
	mu    sync.Mutex
	users []*user
	held  int64 // bytes
}

// againBytes bounds the memory that waiting for another try costs; beyond it,
// a failure is final for the night.
const againBytes = 8 << 20

func (a *againLater) add(u *user) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users = append(a.users, u)
	a.held += u.size()
}

func (a *againLater) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held >= againBytes
}

func (a *againLater) take() []*user {
	a.mu.Lock()
	defer a.mu.Unlock()
	users := a.users
	a.users, a.held = nil, 0
	return users
}

// canRetry says whether there is another try this night for a stream whose
// failure may pass.
func (f *flow) canRetry(u *user) bool {
	return f.job.Failures.RetryAtEnd && !u.lastTry && !f.again.full()
}
