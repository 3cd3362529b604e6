package jobs

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// apiPart is what can be down by itself: reading the correlations of a service,
// or the data of a stream. One may live while the other is dead.
type apiPart struct {
	service finoos.Service // whose correlations; empty: the data of stream
	stream  config.Stream
}

// correlationsOf is the part that a stream's probe needs; ok is false where
// the stream has none.
func correlationsOf(s config.Stream) (op apiPart, ok bool) {
	service, ok := config.ServiceOf(s)
	return apiPart{service: service}, ok
}

func dataOf(s config.Stream) apiPart { return apiPart{stream: s} }

// name is what a report calls it: the service, or the stream.
func (o apiPart) name() string { return cmp.Or(string(o.service), string(o.stream)) }

// health tells parts that are down from users that are bad: whatever fails
// for so many different users, one after the other, is no fault of theirs
// (docs/design.md, "What fails"). It guards itself.
type health struct {
	services []finoos.Service
	patience time.Duration // how long an API that answers nobody is waited for
	now      func() time.Time
	log      *slog.Logger
	words    func(error) string // what the report may say of an error

	mu sync.Mutex
	of map[apiPart]*condition
}

// condition is how a part does. Times are real, but since.
type condition struct {
	alive time.Time // when somebody was answered last; zero: nobody was in this run
	good  string    // who that was
	spare string    // somebody who was pulled in an earlier run, and need not be asked in this one
	rich  string    // as spare, and records are known
	row   []string  // different users for whom it failed since then, fewer than inRow while it is up
	began time.Time // when the first of them did
	since time.Time // the same by the clock of the data
	cause error     // the last failure

	isDown  bool
	knocked time.Time // when it was last tried while it was down
	asked   time.Time // when a good user was asked last
	knocks  int
}

const (
	// inRow different users for whom a part fails, without anybody for whom
	// it does not: it is down.
	inRow = 20
	// fewest users must have failed where no more have been asked.
	fewest = 3
)

func newHealth(s *session) *health {
	return &health{services: s.services, patience: s.o.Config.FinoOS.RetryMaxElapsed, now: s.o.Now, log: s.log, words: s.words, of: map[apiPart]*condition{}}
}

// at is the condition of a part. mu is held.
func (h *health) at(op apiPart) *condition {
	c := h.of[op]
	if c == nil {
		c = &condition{}
		h.of[op] = c
	}
	return c
}

// answered takes in that a part has answered a user.
func (h *health) answered(ctx context.Context, op apiPart, user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.at(op)
	c.alive, c.good, c.row = time.Now(), user, c.row[:0]
	if c.isDown {
		c.isDown = false
		h.log.WarnContext(ctx, "answers again: who was passed over is pulled now", "service", op.name(), "down_since", c.since)
	}
}

// failed takes in that a part has failed for a user, and reports whether it
// is down. counts is false for users whose failure proves nothing.
func (h *health) failed(ctx context.Context, op apiPart, user string, cause error, counts bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.at(op)
	c.cause = cause
	if !counts || slices.Contains(c.row, user) {
		return c.isDown
	}
	if len(c.row) == 0 {
		c.began, c.since = time.Now(), h.now().UTC()
	}
	if c.isDown {
		c.row = c.row[1:]
	}
	if c.row = append(c.row, user); len(c.row) >= inRow && !c.isDown {
		h.goDown(ctx, op, c)
	}
	return c.isDown
}

// goDown passes a part over from now on. mu is held.
func (h *health) goDown(ctx context.Context, op apiPart, c *condition) {
	c.isDown = true
	h.log.WarnContext(ctx, "down: what needs it is passed over, and pulled in this run if it answers again",
		"service", op.name(), "since", c.since, "users", len(c.row), "error", c.cause)
}

// judge decides at the end of the run about parts that were asked for fewer
// users than show it otherwise: down where they have failed for all of them.
func (h *health) judge(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for op, c := range h.of {
		if !c.isDown && c.alive.IsZero() && len(c.row) >= fewest {
			h.goDown(ctx, op, c)
		}
	}
}

// fall takes in that a part is down, however few show it.
func (h *health) fall(ctx context.Context, op apiPart) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.at(op); !c.isDown && len(c.row) > 0 {
		h.goDown(ctx, op, c)
	}
}

// goodOf is who was answered last.
func (h *health) goodOf(op apiPart) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at(op).good
}

// spareOf is somebody who was answered in an earlier run, and not asked in this one.
func (h *health) spareOf(op apiPart) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at(op).spare
}

func (h *health) isDown(op apiPart) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of[op]
	return c != nil && c.isDown
}

// couldAsk takes in that a user has been pulled before and is unchanged. records is
// asked until somebody has some.
func (h *health) couldAsk(op apiPart, user string, records func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.at(op)
	c.spare = user
	if c.rich == "" && records() {
		c.rich = user
	}
}

// fewFailed are the parts that have answered nobody in this run, and failed
// for too few users to be down, each with somebody else to ask.
func (h *health) fewFailed() map[apiPart]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	few := map[apiPart]string{}
	for op, c := range h.of {
		if !c.isDown && c.alive.IsZero() && len(c.row) >= fewest && c.spare != "" && !slices.Contains(c.row, c.spare) {
			few[op] = c.spare
		}
	}
	return few
}

// answeredSince reports whether anybody was answered after an instant.
func (h *health) answeredSince(op apiPart, at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of[op]
	return c != nil && c.alive.After(at)
}

// outage is since when nobody is answered, in real time, and what was answered last.
type outage struct {
	since time.Time
	cause error
}

// nobodyAnswers says that the correlations of all services are down, since when,
// and how the last one failed.
func (h *health) nobodyAnswers() (last outage, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, service := range h.services {
		c := h.of[apiPart{service: service}]
		if c == nil || !c.isDown {
			return outage{}, false
		}
		if c.began.After(last.since) {
			last = outage{c.began, c.cause}
		}
	}
	return last, len(h.services) > 0
}

// down are the parts that are down.
func (h *health) down() (ops []apiPart) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for op, c := range h.of {
		if c.isDown {
			ops = append(ops, op)
		}
	}
	slices.SortFunc(ops, func(a, b apiPart) int {
		return cmp.Or(cmp.Compare(a.name(), b.name()), cmp.Compare(a.stream, b.stream))
	})
	return ops
}

// trouble is what the report says of a part that is down.
func (h *health) trouble(op apiPart) report.Trouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.at(op)
	t := report.Trouble{DownSince: c.since, Class: finoos.ClassOf(c.cause)}
	if c.cause != nil {
		t.Error = h.words(c.cause)
	}
	return t
}
