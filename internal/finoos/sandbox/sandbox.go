package sandbox

import (
	"errors"
	"iter"
	"net/http"
	"time"
)

// Sandbox is one simulated finoOS. It is safe for concurrent use.
type Sandbox struct {
	opts Options
}

var errTodo = errors.New("not built yet")

// New prepares a sandbox. It costs the same for one user as for a million.
func New(opts Options) (*Sandbox, error) { return &Sandbox{opts: opts}, nil }

// ServeHTTP answers one API request.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, errTodo.Error(), http.StatusNotImplemented)
}

// Transport reaches the sandbox without a network.
func (s *Sandbox) Transport() http.RoundTripper { return nil }

// Night moves the simulation on by one day.
func (s *Sandbox) Night() {}

// Now is the simulated instant. Only Night moves it.
func (s *Sandbox) Now() time.Time { return s.opts.Today }

// UserID is the id of the user with the given index, counted from 0.
func (s *Sandbox) UserID(index int) string { _ = index; return "" }

// Delete makes a user vanish: 404 from now on.
func (s *Sandbox) Delete(userID string) { _ = userID }

// Activity tells what the last Night did to a user.
func (s *Sandbox) Activity(userID string) Activity { _ = userID; return Activity{} }

// Baseline says that the lake starts empty now: history that slid out of the
// window before is not part of the truth.
func (s *Sandbox) Baseline() {}

// SetFaults replaces the faults from the next request on.
func (s *Sandbox) SetFaults(f Faults) { s.opts.Faults = f }

// Faults returns the faults in force.
func (s *Sandbox) Faults() Faults { return s.opts.Faults }

// Requests lists what was asked, oldest first.
func (s *Sandbox) Requests() []Request { return nil }

// ResetRequests forgets what was asked, and sets all counts to zero.
func (s *Sandbox) ResetRequests() {}

// Counts tells how many requests each operation has had.
func (s *Sandbox) Counts() map[string]int { return nil }

// UnknownRoutes counts requests that no route matched.
func (s *Sandbox) UnknownRoutes() int { return 0 }

// Routes lists what the sandbox serves.
func (s *Sandbox) Routes() []Route { return nil }

// Truth lists the rows that a correct lake's current state holds.
func (s *Sandbox) Truth(table string) iter.Seq[map[string]any] {
	_ = table
	return func(func(map[string]any) bool) {}
}

// TruthUser is Truth for one user.
func (s *Sandbox) TruthUser(table, userID string) iter.Seq[map[string]any] {
	_, _ = table, userID
	return func(func(map[string]any) bool) {}
}
