package pace

import "math"

// alone is the law of a process that has the limit to itself. It stays at a
// rate that has proved itself (base), and looks upwards from time to time.
//
//   - The first burst drains the bucket, and tells how much it holds. Base is at
//     first what would fill such a bucket in a second; a look upwards, at once, in
//     larger steps and twice as steep, shows how far off that is. Where the pause
//     after it fills the bucket, a second look follows at once, and tells the limit
//     to a few percent: so it is known before the tenth second.
//   - A look grows the excess over base exponentially, so that a limit that has
//     doubled is found within seconds, and one that has not is met after few
//     requests too many (as the convex half of CUBIC, RFC 9438). Since the
//     bucket holds what it held last time, the excess at which it is empty
//     tells the limit: see beyond. Then base is that, or, where nothing has
//     changed, exactly what it was (as BBR does after probing).
//   - A refusal without a look says that base is too high. Then what was served
//     since the last refusal is what the bucket was given: base is a little less.
//   - Looks are paid for. Every refusal must be earned by requests served, and so
//     must what runs over during the pause after it, where the bucket is shallower
//     than that. The larger the limit, the more looks it affords. After a change
//     the first ones come sooner than that, each later than the one before, and
//     none before what runs over is at most a thirtieth of what there was.
type alone struct {
	base    float64 // requests/s
	stock   float64 // tokens in the bucket when a look begins, as far as is known
	burst   float64 // seconds that the first burst took
	looks   int     // since the limit was lost
	second  int     // second looks, over all times that the limit was lost
	drained bool    // the bucket was empty when the first request came, and is not known

	// Of the look that goes on, or the last one.
	excess float64 // of the rate over base, requests/s; 0 = it has ended
	first  float64 // the excess that it began with
	taken  float64 // tokens by which it exceeded base; 0 = that has been used
}

const (
	affordable = 0.0033 // refusals per request
	rarely     = 60.0   // seconds between looks for each second of the limit that one costs
	firstStep  = 0.03   // excess that a look begins with, as a share of base
	longStep   = 0.5    // that of the very first look
	folding    = 1.44   // seconds in which the excess grows e-fold: it doubles in one
	foldFirst  = 0.72   // the same in the very first look
	earned     = 33.0   // seconds without a look for each second of the limit that an early one costs
	leap       = 0.4    // growth of base that means another limit, as a share
	telling    = 4.0    // requests served that tell a limit
)

func (a *alone) limit() float64 { return a.base }

// begin counts as many looks as done as it takes to settle.
func (a *alone) begin(g *governor, k Known) {
	*a = alone{base: k.Limit, stock: k.Burst, looks: 3}
	g.rate = a.base
}

func (a *alone) found(*governor) Known { return Known{Limit: a.base, Burst: a.stock} }

func (a *alone) idle(g *governor) {
	if a.excess > 0 { // a look that proves nothing
		g.rate, a.excess = a.base, 0
	}
}

func (a *alone) late(g *governor) {
	if a.looks > 0 {
		return // it was no first burst
	}
	a.stock++
	a.base++
	g.rate = a.base
}

func (a *alone) grow(g *governor, dt, since float64) {
	if a.excess == 0 {
		if !a.due(g, since) {
			return
		}
		if a.looks == 1 {
			a.second++
		}
		a.first = firstStep * a.base
		if a.looks == 0 {
			a.first = longStep * a.base
		}
		a.excess = a.first
	}
	a.excess *= math.Exp(dt / a.fold())
	switch top := g.ceiling - a.base; {
	case top <= 0:
		a.base, a.excess = g.ceiling, 0
	case a.excess > top:
		a.base += top * min(dt/10, 1) // nothing is refused at the ceiling
		a.excess = g.ceiling - a.base
	}
	g.rate = a.base + a.excess
}

// due says whether it is time to look upwards.
func (a *alone) due(g *governor, since float64) bool {
	if g.refusals == 0 { // the limit was known, and is tried
		return since >= max(anew, earned*a.lost(g))
	}
	soon := math.Pow(4, float64(a.looks))
	if lost := a.lost(g); lost > 0 && !a.drained { // a pause fills the bucket
		soon = max(soon, earned*lost)
		if a.looks == 0 || a.looks == 1 && a.second < 2 { // not again and again: stalls of our own look like limits, too
			soon = 0
		}
	}
	if since > soon {
		return true
	}
	paid := float64(1+g.bounced) <= affordable*float64(g.served)
	return paid && since >= rarely*a.lost(g)
}

// fold is in how many seconds the excess grows e-fold.
func (a *alone) fold() float64 {
	if a.looks == 0 && !a.drained {
		return foldFirst
	}
	return folding
}

// lost is how much of the limit runs over in a pause, in seconds' worth.
func (a *alone) lost(g *governor) float64 { return max(0, g.pause.Seconds()-max(0, a.stock)/a.base) }

func (a *alone) refused(g *governor, c cycle) {
	switch {
	case g.refusals == 0 && g.known && a.excess == 0 && c.took < anew && c.served >= telling: // it is another limit
		a.base = min(a.found(g).expects(c), a.base)
		a.stock, a.burst, a.drained, a.looks = c.served-1, c.took, c.served < 1, 0
	case g.refusals == 0 && !g.known:
		a.base = max(c.served, 1) / (c.took + 1)
		a.stock, a.burst, a.drained = c.served-1, c.took, c.served < 1
	case a.excess > 0:
		a.looked(g, c)
	default:
		a.overrun(g, c)
	}
	a.base = min(max(a.base, slowest), g.ceiling)
	g.rate, a.excess = a.base, 0
}

// looked ends a look.
func (a *alone) looked(g *governor, c cycle) {
	// It came to know late: by the way there and back, and the interval between
	// two requests.
	a.excess = max(a.excess*math.Exp(-(c.age+1/g.rate)/a.fold()), a.first)
	a.taken = a.fold() * (a.excess - a.first)
	if a.looks == 0 { // of the first burst, some came in during it
		a.stock = max(0, a.stock-(a.base+a.beyond())*a.burst)
	}
	more := a.beyond()
	a.looks++
	switch {
	case more > leap*a.base:
		if a.looks > 1 { // a bucket that holds seconds' worth holds more now, too
			a.stock *= 1 + more/a.base
			more = a.beyond()
		}
		a.looks, a.taken = 1, 0
		a.base += 0.97 * more
	case a.taken < a.stock/2: // somebody else, or base, had taken the rest
		a.base *= 0.98
	case a.looks <= 2:
		a.base += more
	default:
		if a.taken > 0.94*a.stock { // it was full: base may be a little low
			a.base += 0.7*more + 0.005*a.base
		}
		a.stock += (a.taken - a.stock) / 4
	}
	a.base = max(a.base, c.served/c.took) // that much there was
}

// beyond is by how much the limit lies above base, if a look ends now and the
// bucket held what was known: the excess that leaves just that between itself
// and the rate.
func (a *alone) beyond() float64 {
	low, high := 0.0, a.excess
	for range 30 {
		more := (low + high) / 2
		from := max(more, a.first)
		if a.fold()*(a.excess-from-more*math.Log(a.excess/from)) > a.stock {
			low = more
		} else {
			high = more
		}
	}
	return low
}

// overrun corrects a base that was refused.
func (a *alone) overrun(g *governor, c cycle) {
	given := (c.served + 0.5) / max(c.took-a.lost(g), 0.1)
	base := min(max(given, 0.3*g.rate), g.rate)
	if base < 0.7*g.rate { // the limit has fallen, and its bucket shrunk
		a.looks = min(a.looks, 1)
		a.stock *= base / g.rate
		a.taken = 0
	}
	if a.taken > a.stock { // what the look before had taken was not the limit's
		a.stock += (a.taken - a.stock) / 2
		a.taken = 0
	}
	a.base = 0.98 * base
	if c.took < 10 {
		a.base = 0.97 * base
	}
}
