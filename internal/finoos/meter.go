package finoos

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"finoos-syncer/internal/trouble"
)

// Meter counts the requests made under a context, retries included, and the
// bytes of their answers.
type Meter struct {
	Requests, Bytes atomic.Int64
}

type meterKey struct{}

// WithMeter returns a context under which m counts. The request for a token
// counts for the call that found it was time for one.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// Stats counts what a client has done since it was made.
type Stats struct {
	Requests    int64            // sent, whatever came of them
	Refused     int64            // answered 429 for their rate
	Retries     int64            // sent again
	Bytes       int64            // of answers
	ByOperation map[string]int64 // requests
	Answers     map[Answer]int64 // requests that have ended

	Rate         float64 // requests/s that the pacer allows now; 0 = unpaced
	LearnedLimit float64 // requests/s that the API seems to allow; 0 = never refused, the ceiling is all that is known
	LimitFrom    string  // LimitRecalled: an earlier run found it, and nothing was refused since; LimitLearned; "" = there is none
	Pauses       int64   // of all requests, after a refusal

	TotalsOff map[string]int64 // users by operation whose list holds more or fewer records than it tells, and is believed
}

// Answer is what came of a request. Status is 0 where no answer came.
type Answer struct {
	Operation string
	Status    int
}

type counters struct {
	requests, refused, retries, bytes atomic.Int64

	mu          sync.Mutex
	byOperation map[string]int64
	answers     map[Answer]int64
}

// Stats returns a copy of the counts so far.
func (c *Client) Stats() Stats {
	c.counters.mu.Lock()
	defer c.counters.mu.Unlock()
	rate, limit, pauses := c.pace.Learned()
	return Stats{
		Requests:    c.counters.requests.Load(),
		Refused:     c.counters.refused.Load(),
		Retries:     c.counters.retries.Load(),
		Bytes:       c.counters.bytes.Load(),
		ByOperation: maps.Clone(c.counters.byOperation),
		Answers:     maps.Clone(c.counters.answers),

		Rate: rate, LearnedLimit: limit, LimitFrom: string(c.pace.Origin()), Pauses: pauses,

		TotalsOff: c.totals.off(),
	}
}

// metering counts what really goes out, and what comes in.
type metering struct {
	counters *counters
	next     http.RoundTripper
}

func (m *metering) RoundTrip(req *http.Request) (*http.Response, error) {
	m.counters.requests.Add(1)
	if call := callOf(req.Context()); call != nil {
		m.counters.mu.Lock()
		m.counters.byOperation[call.op.Name]++
		m.counters.mu.Unlock()
	}
	meter, _ := req.Context().Value(meterKey{}).(*Meter)
	if meter != nil {
		meter.Requests.Add(1)
	}
	resp, err := m.next.RoundTrip(req)
	m.answered(req, resp)
	if err == nil {
		resp.Body = &meteredBody{ReadCloser: resp.Body, all: &m.counters.bytes, meter: meter}
	}
	return resp, err
}

// answered counts an answer, or that there is none.
func (m *metering) answered(req *http.Request, resp *http.Response) {
	call := callOf(req.Context())
	if call == nil {
		return
	}
	a := Answer{Operation: call.op.Name}
	if resp != nil {
		a.Status = resp.StatusCode
	}
	m.counters.mu.Lock()
	defer m.counters.mu.Unlock()
	m.counters.answers[a]++
}

type meteredBody struct {
	io.ReadCloser
	all   *atomic.Int64
	meter *Meter
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.all.Add(int64(n))
	if b.meter != nil {
		b.meter.Bytes.Add(int64(n))
	}
	return n, err
}

// watching tells what is under way: it stands below the pacer, so that waiting for a
// turn is no silence of the API's.
type watching struct {
	watch *trouble.Watch
	next  http.RoundTripper
}

func (w *watching) RoundTrip(req *http.Request) (*http.Response, error) {
	w.watch.Begin(trouble.Network)
	defer w.watch.End(trouble.Network)
	return w.next.RoundTrip(req)
}

// heard tells the watch what came of an attempt, but for those at a token, of which
// one serves many calls: see heardOfToken.
func (c *Client) heard(ctx context.Context, call *apiCall, err error) {
	if e, ok := errors.AsType[*Error](err); call.op.Name == opAuth || ok && e.OfToken() {
		return
	}
	c.tell(ctx, call, err, trouble.Errors)
}

func (c *Client) heardOfToken(ctx context.Context, call *apiCall, err error) {
	c.tell(ctx, call, err, trouble.Token)
}

// tell says what came of an attempt; kind is the trouble that an API has which answers
// that it has failed.
func (c *Client) tell(ctx context.Context, call *apiCall, err error, kind trouble.Kind) {
	if ctx.Err() != nil {
		return
	}
	e, failed := errors.AsType[*Error](err)
	switch {
	case err == nil:
	case !failed:
		return // a matter of this machine
	case (e.Class == Network || e.Class == Timeout) && (!e.Answered() || e.Err != nil):
		c.watch.Failed(trouble.Network, c.failure(call, e))
		return
	case e.Class == Server, e.Class == Timeout, e.Class == NotReady:
		c.watch.Good(trouble.Network)
		c.watch.Failed(kind, c.failure(call, e))
		return
	case e.Class == RateLimited && !e.Answered():
		return // nothing was asked
	case e.Class == RateLimited:
		c.watch.Good(trouble.Network)
		return
	}
	c.watch.Good(trouble.Network)
	c.watch.Good(kind)
}

func (c *Client) failure(call *apiCall, e *Error) trouble.Failure {
	f := trouble.Failure{Cause: CauseOf(e).What, Do: CauseOf(e).Do, User: call.userID, Since: call.sent}
	if c.cfg.RetryMaxElapsed > 0 {
		f.Tries = c.cfg.RetryMaxElapsed
	}
	return f
}
