package finoos

import (
	"net/http"
	"time"

	"finoos-syncer/internal/finoos/pace"
	"finoos-syncer/internal/trouble"
)

// Pacing is the pace of one or several clients: they keep together below one
// ceiling, adapt to one limit, and pause together when one of them is refused.
// Safe for concurrent use.
type Pacing = pace.Limiter

// NewPacing makes a pace to share by [Config.Pacing]. perSecond and shards are as
// in [Config].
func NewPacing(perSecond float64, shards int) *Pacing { return pace.New(perSecond, shards) }

// KnownLimit is the API's limit as an earlier run has found it.
type KnownLimit = pace.Known

// LimitSample is that limit as it was at an instant.
type LimitSample = pace.Sample

// Where the limit of a client comes from; see [Stats].
const (
	LimitRecalled = string(pace.Recalled)
	LimitLearned  = string(pace.Learned)
)

// BeginAt makes the client begin at a limit that an earlier run has found, and reports
// whether it does: not where its pace has learned something already, or the ceiling is
// no higher. Of clients that share their pace it is for all of them.
func (c *Client) BeginAt(k KnownLimit) bool { return c.pace.Begin(k) }

// FoundLimit is the limit for the next run to begin with, and how it went; false where
// there is none that has proved itself.
func (c *Client) FoundLimit() (k KnownLimit, went []LimitSample, ok bool) { return c.pace.Found() }

// pacer holds requests back. All of the client's pass here, those for tokens too.
type pacer struct {
	pace     *Pacing
	refusals *pace.Refusals
	watch    *trouble.Watch
	next     http.RoundTripper
}

func (p *pacer) RoundTrip(req *http.Request) (*http.Response, error) {
	call := callOf(req.Context())
	p.pausing()
	if err := p.pace.Wait(req.Context(), call.giveUpFor); err != nil {
		_ = req.Body.Close()
		return nil, err
	}
	operation, path, begun := "", "", time.Now()
	if call != nil {
		call.begin()
		call.sent = begun
		operation, path = call.op.Name, call.path()
	}
	resp, err := p.next.RoundTrip(req)
	// A refusal is not judged here: it may be the daily limit of a bank, which
	// says nothing about the rate; see [Client.delay].
	if err == nil && !tooMany(resp.StatusCode) {
		lifted := p.pace.Answered(operation, time.Since(begun))
		p.refusals.Answered(path, lifted)
		if lifted || !p.watch.Waiting(trouble.Pause) {
			p.watch.Over(trouble.Pause)
		}
	}
	return resp, err
}

// pausing says how long all requests pause, whoever was refused: the pace may be
// shared with clients that have no more to say.
func (p *pacer) pausing() {
	if pause := p.pace.Pausing(); pause > tellPause {
		p.watch.Wait(trouble.Pause, time.Now().Add(pause))
	}
}

// giveUpFor is the error of a retry that a pause of everybody makes too late. A
// call that has not sent anything yet waits for as long as the pause takes: to it
// this is no attempt.
func (c *apiCall) giveUpFor(pause time.Duration) error {
	if c == nil || !c.tooLate(pause) {
		return nil
	}
	e := c.failed(RateLimited, nil)
	e.Message = "requests are paused until the server accepts them again"
	e.RetryAfter = pause
	return e
}
