package finoos

import (
	"context"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pacer holds requests back: while the gate is closed, and to the rate. All of
// the client's requests pass here, those for tokens too. A cleverer rate
// takes the place of limiter.
type pacer struct {
	gate    *gate
	limiter *rate.Limiter
	next    http.RoundTripper
}

func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	// A burst makes up for timers that fire late, no more.
	return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond/20)))
}

func (p *pacer) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.wait(req.Context()); err != nil {
		_ = req.Body.Close()
		return nil, err
	}
	if call := callOf(req.Context()); call != nil {
		call.begin()
	}
	return p.next.RoundTrip(req)
}

func (p *pacer) wait(ctx context.Context) error {
	for {
		if err := p.gate.wait(ctx); err != nil {
			return err
		}
		turn := p.limiter.Reserve()
		if err := sleep(ctx, turn.Delay()); err != nil {
			turn.Cancel()
			return err
		}
		if p.gate.closedFor() == 0 {
			return nil // else it has closed while this request queued
		}
	}
}

// gate is closed to every request after one was refused for its rate, for as
// long as the server asks.
type gate struct {
	mu      sync.Mutex
	until   time.Time
	refused time.Time // when it was closed last
}

// maxClosed is how long a closed gate stays so before it is tried again, however
// long the server asks.
const maxClosed = 15 * time.Minute

// close closes the gate for d from now on; it never shortens a wait.
func (g *gate) close(d time.Duration) {
	d = min(d, maxClosed)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = time.Now()
	if until := g.refused.Add(d); until.After(g.until) {
		g.until = until
	}
}

func (g *gate) closedFor() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(time.Until(g.until), 0)
}

// refusing reports whether requests are being refused these seconds.
func (g *gate) refusing() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	const lately = 5 * time.Second
	return time.Now().Before(g.until) || (!g.refused.IsZero() && time.Since(g.refused) < lately)
}

// wait returns when the gate is open. Who has not sent anything yet waits for as
// long as that takes; a retry that would be too late is refused at once.
func (g *gate) wait(ctx context.Context) error {
	for {
		d := g.closedFor()
		if d == 0 {
			return nil
		}
		if call := callOf(ctx); call != nil && call.tooLate(d) {
			e := call.failed(RateLimited, nil)
			e.Message = "requests are paused until the server accepts them again"
			e.RetryAfter = d
			return e
		}
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
}

// sleep waits for d, or for the end of ctx and returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
