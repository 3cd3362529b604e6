package finoos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"finoos-syncer/internal/trouble"
	"finoos-syncer/internal/wait"
)

// The backoff before retry n is random between nothing and firstBackoff*2^n,
// but no more than maxBackoff.
const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// retry runs try until it succeeds, fails for good, or the call's patience ends;
// then it returns the last error. It is the only loop of its kind. What may be
// repeated is decided by again.
func (c *Client) retry(ctx context.Context, call *apiCall, try func() error) error {
	for attempt := 0; ; attempt++ {
		err := try()
		c.heard(ctx, call, err)
		if err == nil || !again(err) {
			return err
		}
		if ctx.Err() != nil {
			return call.stopped(ctx)
		}
		call.begin()
		delay := c.delay(ctx, call, err, attempt)
		if call.once || call.tooLate(delay) {
			return err
		}
		c.log.DebugContext(ctx, "call is retried", slog.String("operation", call.op.Name),
			slog.Int("attempt", attempt+1), slog.Duration("delay", delay), slog.Any("error", err))
		if wait.For(ctx, delay) != nil {
			return call.stopped(ctx)
		}
		c.counters.retries.Add(1)
	}
}

// delay is how long to wait before the next attempt. Where the rate was the
// reason, everybody waits.
func (c *Client) delay(ctx context.Context, call *apiCall, err error, attempt int) time.Duration {
	delay := backoff(attempt)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return delay
	}
	delay = max(delay, e.RetryAfter)
	if e.Class == RateLimited && e.Answered() {
		c.counters.refused.Add(1)
		if e.Personal = call.userID != "" && c.refusals.Personal(call.path(), e.RetryAfter); e.Personal {
			return delay
		}
		pause := c.pace.Refused(e.sent, e.RetryAfter, delay)
		delay = max(delay, pause)
		if pause > tellPause {
			c.watch.Wait(trouble.Pause, time.Now().Add(pause), pauseSays(call, e)...)
		}
		c.log.DebugContext(ctx, "all requests pause", slog.String("operation", call.op.Name), slog.Duration("pause", pause))
	}
	return delay
}

// tellPause is how long a pause of everybody may be before an operator hears of it.
const tellPause = 5 * time.Second

func backoff(attempt int) time.Duration {
	ceiling := min(firstBackoff<<min(attempt, 16), maxBackoff)
	return rand.N(ceiling)
}

// again reports whether another attempt at a read might succeed.
func again(err error) bool {
	if trouble.CauseOf(err).Lasting {
		return false // an operator's matter
	}
	switch ClassOf(err) {
	case Network, Timeout, RateLimited, Server, NotReady:
		return true
	default:
		return false
	}
}

type attemptKey struct{}

// WithAttempt returns a context under which each read is attempted once: whoever
// calls decides when to try again, and holds nothing meanwhile. before is how many
// attempts there were. Sync sessions, tokens and the list of users are not
// affected.
func WithAttempt(ctx context.Context, before int) context.Context {
	return context.WithValue(ctx, attemptKey{}, before)
}

// limitAttempts lets a call know of [WithAttempt].
func (c *Client) limitAttempts(ctx context.Context, call *apiCall) {
	before, ok := ctx.Value(attemptKey{}).(int)
	if !ok {
		return
	}
	call.once = true
	if before > 0 {
		c.counters.retries.Add(1)
	}
}

// pauseSays is why everybody pauses.
func pauseSays(call *apiCall, e *Error) []slog.Attr {
	why := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.RetryAfter > 0 {
		why += fmt.Sprintf(", Retry-After: %.0f s", e.RetryAfter.Seconds())
	}
	return []slog.Attr{slog.String("cause", why), slog.String("operation", call.op.Name)}
}
