package finoos

import (
	"context"
	"math"
	"net/http"
	"sync"
	"time"
)

// pacer holds requests back: while the gate is closed, and to the rate. All of
// the client's requests pass here, those for tokens too.
type pacer struct {
	gate *gate
	pace *pace
	next http.RoundTripper
}

func (p *pacer) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.wait(req.Context()); err != nil {
		_ = req.Body.Close()
		return nil, err
	}
	operation, begun := "", time.Now()
	if call := callOf(req.Context()); call != nil {
		call.begin()
		call.sent = begun
		operation = call.op.Name
	}
	resp, err := p.next.RoundTrip(req)
	if err == nil {
		now := time.Now()
		p.pace.answered(operation, resp.StatusCode, now, now.Sub(begun))
	}
	return resp, err
}

func (p *pacer) wait(ctx context.Context) error {
	came := time.Now()
	for {
		if err := p.gate.wait(ctx); err != nil {
			return err
		}
		if p.pace.ceiling() <= 0 {
			return nil
		}
		gone, err := p.queue(ctx, came)
		if gone || err != nil {
			return err
		}
	}
}

// queue waits for this request's turn, and reports whether it has come. It has
// not where the gate has closed meanwhile: then nobody may be kept in the
// queue, since a retry that comes too late must be told so.
func (p *pacer) queue(ctx context.Context, came time.Time) (bool, error) {
	select {
	case p.pace.turn <- struct{}{}:
		defer func() { <-p.pace.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	for p.gate.closedFor() == 0 {
		wait := p.pace.next(time.Now())
		if wait <= 0 {
			p.pace.take(came, time.Now())
			return true, nil
		}
		if err := sleep(ctx, wait); err != nil {
			return false, err
		}
	}
	return false, nil
}

// pace is the limiter of a client: one request at a time has its turn, in the
// order in which they came, and the governor says how far turns are apart.
type pace struct {
	turn chan struct{} // holds one: whoever is next

	mu       sync.Mutex
	governor *governor
	latency  latency
	due      time.Time // when the next turn is, without the allowance
	pauses   int64
}

func newPace(ceiling float64, shards int) *pace {
	return &pace{turn: make(chan struct{}, 1), governor: newGovernor(ceiling, shards), latency: latency{}}
}

// ceiling is what the operator allows; 0 = unpaced.
func (p *pace) ceiling() float64 { return p.governor.ceiling }

// allowance is how early a turn may come: it makes up for timers that fire
// late on a busy machine, no more.
func (p *pace) allowance() time.Duration {
	rate := p.governor.rate
	return seconds((math.Ceil(rate/20) - 1) / rate)
}

// next is how long it is to the next turn.
func (p *pace) next(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.due.Add(-p.allowance()).Sub(now)
}

// take gives the turn to a request that came at came.
func (p *pace) take(came, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.due
	if p.governor.open.After(free) {
		free = p.governor.open
	}
	p.governor.sent(now, max(came.Sub(free), 0))
	if earliest := now.Add(-p.allowance()); p.due.Before(earliest) {
		p.due = earliest
	}
	p.due = p.due.Add(seconds(1 / p.governor.rate))
}

// answered takes in an answer. A 429 is not judged here: it may be the daily
// limit of a bank, which says nothing about the rate; see [Client.delay].
func (p *pace) answered(operation string, status int, now time.Time, took time.Duration) {
	if p.ceiling() <= 0 || status == http.StatusTooManyRequests {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.governor.answered(now)
	if p.latency.seen(operation, took) {
		p.governor.warned = now.Add(warnFor)
	}
}

// refused takes in that a request was refused for its rate, and returns how
// long everybody pauses. asked is what the server asks for, 0 if nothing;
// backoff is what the request itself waits in any case.
func (p *pace) refused(sent, now time.Time, asked, backoff time.Duration) time.Duration {
	if p.ceiling() <= 0 {
		return max(asked, backoff)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.governor.cut
	pause := p.governor.refused(sent, now, asked)
	if p.governor.cut != before {
		p.pauses++
	}
	return pause
}

// known is what a report may say of it.
func (p *pace) known() (rate, limit float64, pauses int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.governor.rate, p.governor.limit(), p.pauses
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

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
