package pace

import "math"

// among is the law of a process that shares the limit with others. They do not
// talk, and a shard sees its own refusals alone: they share as TCP flows share a
// line. Additive increase, multiplicative decrease is fair if the increase does
// not follow the own share (Chiu and Jain, 1989). Here all growth is by the
// clock, and a refusal meets a shard in proportion to its rate: that is the same
// law in logarithms (Kelly, 1998), and needs no unit of rate that all would have
// to agree on.
//
//   - The first burst drains the bucket. Shards that begin together get about
//     the same of it, and begin with what would fill that in a second. From there
//     they grow fast until the second refusal.
//   - From then on each refusal cuts by less than the one before (gain), as steps
//     do in stochastic approximation, and the way back up takes longer (climb):
//     large steps level the shares soon, small ones keep them level. The steeper
//     the way up was, the deeper the cut.
//   - Above the rate that was refused last (mark) growth doubles with every half
//     step of a cut's size: a limit that has risen is found, and one that has not is
//     touched gently.
//   - Refusals in a row right after a pause say that the limit has fallen.
//
// How soon shares are level is bounded by what a shard can see: it takes a
// hundred refusals to tell shares apart by a tenth, and those are kept rare. How
// soon a rise is found likewise: a shard that may be refused every half a minute
// must stay clear for longer than that to conclude anything.
//
// What was tried in simulation, and left. Looks upwards like those of [alone]
// measure what all leave unused, and find a rise of the limit in a quarter of
// the time; but where the bucket holds less than a second's worth, each costs
// pauses and what others cut in vain, and up to a tenth of the limit stays
// unused for minutes. As an addition once shards have settled they cost a
// twentieth of the limit at times, and made the largest share larger. Looks that
// all begin by a common clock have the same noise: it is chance who is refused
// first, and while that one pauses the others go on. Growth by absolute steps
// needs steps of a size that fits the limit. And of 240 other choices of the
// constants below, none was better in twelve cases at once.
type among struct {
	mark  float64 // requests/s refused last
	climb float64 // seconds in which growth makes up for a cut
	cuts  int     // since the limit was lost
	early int     // refusals in a row that came right after a pause
	stock float64 // tokens that the first burst got
}

const (
	steepest   = 0.35 // growth in a second, as a share of the rate
	soon       = 1.0  // seconds: a refusal within these after a pause is early
	firstClimb = 5.0  // seconds
	fewest     = 30.0 // requests in a climb, but for the first
	trial      = 12.0 // seconds in which growth makes up for a cut that has not come, where the limit was known
	leastGain  = 0.02
	another    = 0.8 // of the rate: a limit below that is another than was known
)

func (a *among) limit() float64 { return a.mark }

// begin counts some cuts as done: all shards know of the same limit, and are level.
func (a *among) begin(g *governor, k Known) {
	*a = among{mark: k.Limit, stock: k.Burst, cuts: 4}
	g.rate = a.mark * (1 - a.gain()/2)
	a.climb = a.longest(g)
}

// found is at least the rate that is not refused.
func (a *among) found(g *governor) Known { return Known{Limit: max(a.mark, g.rate), Burst: a.stock} }

func (a *among) idle(*governor) {}

func (a *among) late(g *governor) {
	if a.cuts > 0 {
		return // it was no first burst
	}
	a.stock++
	g.rate++
	a.mark = g.rate
}

// gain is the share of the rate that the next refusal takes: more where there
// will be few of them.
func (a *among) gain() float64 { return max(leastGain, 1/(float64(a.cuts)+min(3+a.mark, 10))) }

// longest is how long a climb may get, in seconds: such that refusals are half
// a percent at most, and rare where a bucket that is shallow runs over in the
// pause. The less it follows the own rate, or anything else in which shards
// differ, the fairer; it has to where requests are few.
func (a *among) longest(g *governor) float64 {
	least := 0.0
	if pause := g.pause.Seconds(); a.stock < a.mark*pause/2 {
		least = 32 * pause
	}
	return min(max(least, 140/math.Sqrt(g.rate), 400/g.rate), 400)
}

// slope is the relative growth in a second.
func (a *among) slope(g *governor) float64 {
	most := min(steepest, max(g.rate, 0.5)/10)
	if g.refusals == 1 && a.cuts == 0 {
		return most
	}
	beyond := max(0, g.rate/a.mark-1)
	return min(a.gain()/a.climb*math.Exp2(2*beyond/a.gain()), most)
}

func (a *among) grow(g *governor, dt, since float64) {
	if g.refusals == 0 && since >= anew { // what was known is tried
		a.climb = min(a.climb, trial)
	}
	g.rate *= math.Exp(a.slope(g) * dt)
}

func (a *among) refused(g *governor, c cycle) {
	// Below a request a second none comes right after a pause: then the first or
	// second is early, or an outage would be taken for many small steps down.
	if c.since >= soon && c.served >= 2 {
		a.early = 0
	} else {
		a.early++
	}
	switch {
	case g.refusals == 0 && g.known && c.took < anew && a.found(g).expects(c) < another*g.rate:
		g.rate = a.found(g).expects(c)
		a.lose(0)
		a.stock, a.mark = c.served, g.rate
	case g.refusals == 0 && !g.known:
		a.lose(0)
		a.stock = c.served
		g.rate = max(c.served, 1) / (c.took + 1)
		a.mark = g.rate
	case a.early == 0:
		cut := max(a.gain(), min(a.slope(g), 0.3))
		a.cuts++
		if g.rate > 1.5*a.mark {
			a.cuts, a.climb = min(a.cuts, 1), min(a.climb, 8)
		}
		a.climb = min(max(2*a.climb, fewest/g.rate), a.longest(g))
		a.yield(g, cut)
	case a.early == 1:
		a.yield(g, a.gain())
	case a.early == 2:
		a.yield(g, max(a.gain(), 0.15))
	default:
		a.yield(g, 0.3)
		a.lose(2)
	}
}

// lose begins again: cuts are large and climbs short.
func (a *among) lose(early int) { a.cuts, a.climb, a.early = 0, firstClimb, early }

// yield cuts the rate, and remembers it.
func (a *among) yield(g *governor, cut float64) {
	a.mark = g.rate
	g.rate *= 1 - cut
}
