package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// bucket is the hidden token bucket of the rate limit.
type bucket struct {
	tokens float64
	at     time.Time
}

// SetFaults replaces the faults from the next request on, and starts counting
// anew (UserFault.After, the rate limit's bucket). Faults of users
// that do not exist are an error: a planned fault that never strikes would
// make a test pass for nothing.
func (s *Sandbox) SetFaults(f Faults) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	failing := map[int]map[string]UserFault{}
	var errs []error
	for user, faults := range f.Users {
		i, known := s.ids.index(user)
		if n, err := strconv.Atoi(user); err == nil {
			i, known = n, n >= 0
		}
		if !known || i >= s.total() {
			errs = append(errs, fmt.Errorf("faults of user %q: there is no such user", user))
			continue
		}
		failing[i] = faults
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if f.Revoked {
		s.tokens++
	}
	s.faults, s.failing, s.seen, s.bucket = f, failing, map[int]int{}, bucket{}
	return nil
}

// Faults returns the faults in force.
func (s *Sandbox) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// pause waits; false if the caller has gone.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// limited takes a token from the bucket, or tells how long there is none.
func (s *Sandbox) limited(c *call, f Faults) (time.Duration, bool) {
	if f.RefuseReads && c.r.Method == http.MethodGet {
		return time.Second, true
	}
	if f.RateLimit <= 0 {
		return 0, false
	}
	burst := float64(f.Burst)
	if burst == 0 {
		burst = math.Max(1, f.RateLimit/5)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.bucket
	if b.at.IsZero() {
		b.tokens, b.at = burst, c.now
	}
	if c.now.After(b.at) {
		b.tokens = math.Min(burst, b.tokens+c.now.Sub(b.at).Seconds()*f.RateLimit)
		b.at = c.now
	}
	if b.tokens >= 1 {
		b.tokens--
		return 0, false
	}
	return time.Duration((1 - b.tokens) / f.RateLimit * float64(time.Second)), true
}

// slowDown is the refusal of the rate limit.
func (s *Sandbox) slowDown(f Faults, now time.Time, wait time.Duration) answer {
	a := failure(http.StatusTooManyRequests, "rate_limited", "too many requests")
	seconds := int(math.Ceil(wait.Seconds()))
	switch f.RetryAfter {
	case RetryNone:
		return a
	case RetryDate:
		// The form has no fractions: round up, or the date has passed by
		// the time that it is read.
		return a.with("Retry-After", now.Add(wait+time.Second).UTC().Format(http.TimeFormat))
	default:
		return a.with("Retry-After", strconv.Itoa(max(1, seconds)))
	}
}

// mishap decides whether one of the random faults strikes.
func (s *Sandbox) mishap(c *call, f Faults) (answer, bool) {
	if f.ErrorRate <= 0 && f.ResetRate <= 0 && f.TruncateRate <= 0 {
		return answer{}, false
	}
	s.mu.Lock()
	s.rolls++
	d := s.seed.on("mishap", s.rolls)
	s.mu.Unlock()
	switch {
	case d.on("error").chance(f.ErrorRate):
		status := pick(d.on("status"), []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable})
		return failure(status, "server_error", "try again later"), true
	case d.on("reset").chance(f.ResetRate):
		c.spoil = reset
	case d.on("truncate").chance(f.TruncateRate):
		c.spoil = truncated
	}
	return answer{}, false
}

// strike is the fault of a user for an operation, once the good requests
// before it are used up. The caller holds s.mu.
func (s *Sandbox) strike(index int, c *call) UserFault {
	faults := s.failing[index]
	if faults == nil {
		return UserFault{}
	}
	n := s.seen[index]
	s.seen[index]++
	for _, op := range []string{c.op.name + "/" + c.service(), c.op.name, "*"} {
		if f, known := faults[op]; known && n >= f.After {
			return f
		}
	}
	return UserFault{}
}
