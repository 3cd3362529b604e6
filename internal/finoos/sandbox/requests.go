package sandbox

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Request is one request that the sandbox has seen.
type Request struct {
	Operation, Method, UserID, Service, Path, Query string
	// Status is 0 where the connection broke before an answer.
	Status int
	// At is when it came, by Options.Clock.
	At time.Time
}

// requestHistory remembers what was asked.
type requestHistory struct {
	off   bool
	limit int

	mu      sync.Mutex
	list    []*Request
	counts  map[string]int
	unknown int
}

// begin notes a request as it comes, so that the list is in order of arrival.
func (h *requestHistory) begin(r Request) *Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[r.Operation]++
	if r.Operation == unknownRoute {
		h.unknown++
	}
	if h.off {
		return &r
	}
	if len(h.list) >= h.limit {
		h.list = slices.Delete(h.list, 0, max(1, h.limit/10))
	}
	h.list = append(h.list, &r)
	return &r
}

func (h *requestHistory) end(r *Request, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Status = status
}

// Requests lists what was asked, oldest first. Where the list is full, a
// tenth of it is dropped at once.
func (s *Sandbox) Requests() []Request {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	out := make([]Request, len(s.asked.list))
	for i, r := range s.asked.list {
		out[i] = *r
	}
	return out
}

// ResetRequests forgets what was asked, and sets all counts to zero.
func (s *Sandbox) ResetRequests() {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	s.asked.list, s.asked.unknown = nil, 0
	clear(s.asked.counts)
}

// Counts tells how many requests each operation has had.
func (s *Sandbox) Counts() map[string]int {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	return maps.Clone(s.asked.counts)
}

// UnknownRoutes counts requests that no route matched. A test of a client
// asserts that there are none.
func (s *Sandbox) UnknownRoutes() int {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	return s.asked.unknown
}
