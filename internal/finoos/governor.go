package finoos

import (
	"math"
	"time"
)

// governor decides how fast requests go. It knows the ceiling, which of its
// requests were refused for their rate, and when; and it knows no other
// process. Its owner locks it; it never looks at a clock.
//
// # What it has to find
//
// The limit is a token bucket somewhere behind the API, of unknown rate and
// unknown depth. All that can be seen is a refusal once it is empty. Three
// things follow. A refusal comes late, by the time that the bucket's depth
// lasts, so the rate that was refused lies above the limit; the more so, the
// steeper the way up was. A refusal is dear where the server asks for a pause
// in whole seconds, since a shallow bucket runs over meanwhile. And a rate that
// nobody wanted to use proves nothing.
//
// # How it does
//
//   - Searching. From the ceiling downwards: a refusal right after the last
//     pause cuts by the more the sooner it came, until one does not.
//   - Closing in. Each refusal cuts by less than the one before (gain) and the
//     way back up takes longer (climb), down to 3 % in about a minute for one
//     process: a shallow saw just below the limit. The rate that was refused
//     last is remembered (mark).
//   - Looking further. Above the mark growth doubles with every step of a
//     cut's size or less: a limit that has risen is found within a minute or
//     two, and one that has not is touched gently, once a minute.
//   - Starting over. The third refusal in a row right after a pause says that
//     the limit has fallen: the cuts are large again.
//
// A request that was on its way already when the rate was cut says nothing new
// when it is refused. Growth needs demand that kept up with the rate, or
// nearly so, for a second, and stops while latency is rising.
//
// # Shards
//
// N processes start from an Nth of the ceiling and share the limit as TCP flows
// share a line. Additive increase, multiplicative decrease is fair if the
// increase does not follow the own share (Chiu and Jain, 1989). Here all growth
// is by the clock, and a refusal meets a shard in proportion to its rate: that
// is the same law in logarithms (Kelly, 1998), and needs no unit of rate that
// all would have to agree on. Cuts shrink with the number of refusals seen, as
// steps do in stochastic approximation: large ones level the shares soon, small
// ones keep them level. How soon is bounded by what a shard can see: it takes
// a hundred refusals to tell shares apart by a tenth, and those are kept rare.
// Where a share is slow (below some ten requests a second), the time between
// refusals grows with its inverse, which keeps refusals below half a percent
// and fairness slower still.
//
// Until the first refusal a shard keeps to its Nth, for then nothing but the
// ceiling bounds the sum. After it the server does, and a shard may take what
// others leave, up to the whole ceiling.
//
// # Taken from
//
// AIMD, as above; the remembered limit and the growth that is slow around it
// and fast beyond from CUBIC (RFC 9438), as does the adaptive mode of the AWS
// SDKs, without the saw's depth of 30 %; that idle time is no proof from RFC
// 7661; the slow average of latency to compare with from Netflix's
// concurrency-limits (Gradient2). Sweeps that all shards begin by a common
// clock were tried in simulation: no fairer, and more refusals.
type governor struct {
	// Fixed.
	ceiling float64 // requests/s
	shards  float64

	rate  float64 // requests/s now
	mark  float64 // the rate refused last; 0 = never
	climb float64 // seconds in which growth makes up for a cut

	searching bool
	cuts      int // since searching ended
	early     int // refusals in a row that came right after a pause

	grown  time.Time     // rate is that of this instant
	steady time.Duration // for how long demand has kept up
	warned time.Time     // until then latency is rising
	cut    time.Time     // when the last refusal came that was news
	open   time.Time     // when its pause ends
	served int           // requests since cut
}

const (
	slowest      = 0.05 // requests/s that are tried in any case
	firstClimb   = 3.0  // seconds
	longestClimb = 256.0
	soon         = 1.0  // a refusal within these seconds after a pause is early
	steepest     = 0.35 // growth in a second, as a share of the rate
	keepsUp      = time.Second
	longestStep  = 5.0 // seconds that one request can make up for, where they are rare
)

func newGovernor(ceiling float64, shards int) *governor {
	n := float64(max(shards, 1))
	return &governor{ceiling: ceiling, shards: n, rate: ceiling / n, searching: true}
}

// limit is what has been learned: the rate that was refused last, or, while
// that is still far off, the rate it led to. 0 = never refused.
func (g *governor) limit() float64 {
	if g.searching && g.mark > 0 {
		return g.rate
	}
	return g.mark
}

// gain is the share of the rate that the next refusal takes.
func (g *governor) gain() float64 {
	if g.shards == 1 {
		return max(0.03, 0.3*math.Pow(0.4, float64(g.cuts)))
	}
	return max(0.02, 1/float64(g.cuts+4))
}

// longest is how long a climb may get, in seconds: one process loses a pause
// by every refusal, and so asks for few. Shards lose little by one, since the
// others go on; they take as many as the budget of refusals allows.
func (g *governor) longest() float64 {
	if g.shards == 1 {
		return min(max(64, 150/math.Sqrt(g.rate)), longestClimb)
	}
	least := max(16, 120/g.shards)
	return min(max(least, 300/g.rate), longestClimb)
}

// sent grows the rate at a request that leaves at now. idle is how long the
// turn had been there for the taking before the request came.
func (g *governor) sent(now time.Time, idle time.Duration) {
	from := g.grown
	if g.open.After(from) {
		from = g.open // a pause is no proof either
	}
	g.grown = now
	if idle > 0 {
		g.steady = max(0, g.steady-4*idle)
	}
	used := now.Sub(from) - idle
	if from.IsZero() || used <= 0 {
		return
	}
	g.steady += used
	if g.mark == 0 || g.steady < keepsUp || now.Before(g.warned) {
		return
	}
	g.rate = min(g.rate*math.Exp(g.slope()*min(used.Seconds(), longestStep)), g.ceiling)
}

// slope is the relative growth in a second.
func (g *governor) slope() float64 {
	if g.searching {
		return steepest
	}
	doubling := 1.0 // per step of the size of a cut
	if g.shards == 1 {
		doubling = 3
	}
	beyond := max(0, g.rate/g.mark-1)
	slope := g.gain() / g.climb * math.Pow(2, doubling*beyond/g.gain())
	return min(slope, steepest, max(g.rate, 0.5)/10)
}

// refused takes in that a request sent at sent was refused, and that the
// server asks for a pause (0 = it does not say). It returns how long everybody
// pauses.
func (g *governor) refused(sent, now time.Time, asked time.Duration) time.Duration {
	if sent.Before(g.cut) {
		return asked
	}
	sinceOpen := now.Sub(g.open).Seconds()
	if g.open.IsZero() {
		sinceOpen = 0
	}
	pause := asked
	if pause == 0 {
		// As long as a request or two take, for the bucket to get ahead.
		pause = time.Duration(min(max(2/g.rate, 0.2), 1) * float64(time.Second))
	}
	// Below a request a second none comes within that time: then the first or
	// second is early, or an outage would be taken for many small steps down.
	early := sinceOpen < soon || g.served < 2
	switch {
	case g.searching && early:
		g.fall(sinceOpen)
	case g.searching:
		g.closeIn()
		g.yield()
	default:
		g.count(early)
		g.yield()
	}
	floor := min(slowest, g.ceiling/g.shards)
	g.rate = max(g.rate, floor)
	g.cut, g.open, g.served = now, now.Add(pause), 0
	return pause
}

// fall is a step of the search. A bucket that was empty after so short a time
// tells how far off the rate is.
func (g *governor) fall(sinceOpen float64) {
	g.mark = g.rate
	switch {
	case sinceOpen < 0.1:
		g.rate *= 0.3
	case sinceOpen < 0.3:
		g.rate *= 0.5
	default:
		g.rate *= 0.75
		g.closeIn()
		g.mark = g.rate / (1 - g.gain())
	}
}

// closeIn ends the search.
func (g *governor) closeIn() {
	g.searching, g.cuts, g.early, g.climb = false, 0, 0, firstClimb
	if g.shards > 1 {
		g.climb = 5
	}
}

// count makes the next cuts smaller and climbs longer; or all of it as in the
// beginning, where the limit has moved.
func (g *governor) count(early bool) {
	if early {
		if g.early++; g.early == 3 {
			g.closeIn()
		}
		return
	}
	g.early = 0
	g.cuts++
	far, longer := 1.5, 2.0
	if g.shards == 1 {
		far, longer = 1.15, 4
	}
	if g.rate > far*g.mark {
		g.cuts, g.climb = min(g.cuts, 1), min(g.climb, 8)
	}
	g.climb = min(g.climb*longer, g.longest())
}

// yield cuts the rate, and remembers it.
func (g *governor) yield() {
	g.mark = g.rate
	g.rate *= 1 - g.gain()
}
