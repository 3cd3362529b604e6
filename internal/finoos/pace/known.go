package pace

import "time"

// Known is a limit as a process has found it, for the next one to begin with.
type Known struct {
	Limit float64       // requests/s
	Burst float64       // tokens that the bucket holds
	Pause time.Duration // of everybody, after a refusal
}

// What a limit may be that is begun with: beyond, it is of no pace.
const (
	mostLimit = 1e6 // requests/s
	mostBurst = 1e6 // tokens
	// mostPause is how long a pause may be after which a limit by the second is worth
	// keeping: where it is longer the quota is by the hour or the day, and begins anew
	// by the clock.
	mostPause = time.Minute
)

// IsSane says whether this is a limit to begin with.
func (k Known) IsSane() bool {
	return k.Limit >= slowest && k.Limit <= mostLimit && k.Burst >= 0 && k.Burst <= mostBurst && k.Pause >= 0 && k.Pause <= mostPause
}

// Share is the part of one of n processes that share the limit.
func (k Known) Share(n int) Known {
	k.Limit /= float64(max(n, 1))
	k.Burst /= float64(max(n, 1))
	return k
}

// expects is the limit that would have served that much before a refusal, if the
// bucket holds as many seconds' worth as was known.
func (k Known) expects(c cycle) float64 {
	return max(c.served, 1) / (c.took + max(k.Burst/k.Limit, 0.1))
}

// Origin says where a limit comes from.
type Origin string

// The origins of a limit.
const (
	Recalled Origin = "recalled" // an earlier process found it, and nothing was refused since
	Learned  Origin = "learned"  // from refusals that this process has met
)

const (
	// anew is for how many seconds one refusal is enough to learn a limit anew that
	// was only known. After as many it is tried.
	anew = 10.0
	// few requests before, for a token, say nothing, be they refused: somebody else has
	// drained the bucket.
	few = 20
	// proof is for how many seconds requests must have kept up with the pace for what
	// was found to be worth keeping.
	proof = 10.0
)

// begin starts at a limit that is known, and reports whether it does.
func (g *governor) begin(k Known) bool {
	if g.known || g.asked > few || !k.IsSane() || k.Limit >= g.ceiling {
		return false
	}
	g.known, g.began, g.pause = true, k, k.Pause
	g.begun, g.open, g.served, g.steady = time.Time{}, time.Time{}, 0, 0
	g.refusals, g.bounced, g.proved, g.course = 0, 0, 0, trace{}
	g.law.begin(g, k)
	g.bound()
	return true
}

// found is what the next process may begin with: what has proved itself, else what this
// one began with. False where that would be no beginning: there is neither, the quota is
// by the hour, or the ceiling is all that is known.
func (g *governor) found() (Known, bool) {
	if g.proved < proof {
		return g.began, g.known
	}
	k := g.law.found(g)
	k.Limit, k.Burst, k.Pause = min(k.Limit, g.ceiling), min(max(k.Burst, 0), mostBurst), g.pause
	return k, (k.Limit < g.ceiling || g.known) && k.IsSane()
}

func (g *governor) origin() Origin {
	switch {
	case g.refusals > 0:
		return Learned
	case g.known:
		return Recalled
	}
	return ""
}

// Sample is the limit at an instant.
type Sample struct {
	At    time.Time
	Limit float64 // requests/s
}

// mostSamples bounds a trace. Where it is full every other one goes, and the next
// are twice as far apart.
const mostSamples = 32

// trace is how a limit went. Shards that end before others leave these more: what all
// of them had together is told by an instant at which all were at work.
type trace struct {
	samples []Sample
	step    time.Duration
}

func (c *trace) add(s Sample) {
	if n := len(c.samples); n > 0 && s.At.Sub(c.samples[n-1].At) < max(c.step, time.Second) {
		return
	}
	if len(c.samples) >= mostSamples {
		for i := range mostSamples / 2 {
			c.samples[i] = c.samples[2*i]
		}
		c.samples = c.samples[:mostSamples/2]
		c.step = 2 * max(c.step, time.Second)
	}
	c.samples = append(c.samples, s)
}
