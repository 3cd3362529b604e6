package pace

import "time"

// governor decides how fast requests go. It knows the ceiling, which of its
// requests were refused for their rate, and when; and it knows no other
// process. Its owner locks it; it never looks at a clock.
//
// # What it has to find
//
// The limit is a token bucket somewhere behind the API, of unknown rate and
// unknown depth. All that can be seen is a refusal once it is empty. Four
// things follow. A refusal comes late, by the time that the bucket's depth
// lasts, so the rate that was refused lies above the limit; the more so, the
// steeper the way up was. What was served between two refusals is what the
// bucket was given meanwhile, less what ran over. It does run over while
// everybody waits for as long as the server asks, in whole seconds, if it is
// shallower than that: then a refusal costs part of the limit, not a request
// alone. And a rate that nobody wanted to use proves nothing.
//
// # How it does
//
// A process with the limit to itself can work the bucket out: see [alone].
// Shards that share one cannot, since they see only their own refusals and
// share the line as TCP flows do: see [among]. What is common to both is here.
//
// A request that was on its way already when the rate was cut says nothing new
// when it is refused. Growth needs demand that kept up with the rate, or
// nearly so, for a second, and stops while latency is rising. That idle time is
// no proof is from RFC 7661, the slow average of latency to compare with from
// Netflix's concurrency-limits (Gradient2).
//
// Until the first refusal a shard keeps to its Nth of the ceiling, for then
// nothing but the ceiling bounds the sum. After it the server does, and a shard
// may take what others leave, up to the whole ceiling.
type governor struct {
	ceiling float64 // requests/s; fixed
	share   float64 // of the ceiling, requests/s; fixed
	law     law

	rate   float64       // requests/s now
	grown  time.Time     // rate is that of this instant
	steady time.Duration // for how long demand has kept up
	warned time.Time     // until then latency is rising

	begun    time.Time     // when the first request left
	refusals int           // that were news
	cut      time.Time     // when the last of them came
	pause    time.Duration // after it
	open     time.Time     // when that ends
	served   int           // requests since cut
	asked    int           // requests that have left
	known    bool          // it began at a limit that an earlier process had found
	began    Known         // that limit
	proved   float64       // seconds for which demand has kept up since there is a limit
	course   trace         // of the limit
	bounced  int           // requests that were refused besides, no news
}

// law moves the rate of a governor, who keeps it within its bounds.
type law interface {
	// grow follows dt seconds of demand that kept up with the rate, since seconds
	// after everybody's pause. It is not called before the first refusal.
	grow(g *governor, dt, since float64)
	refused(g *governor, c cycle)
	// idle takes in that for a while nobody wanted anything.
	idle(g *governor)
	// late takes in that the burst before the first refusal was served one request
	// more than it seemed then.
	late(g *governor)
	// limit is what has been learned, in requests/s.
	limit() float64
	// begin starts at what an earlier process had found: a beginning, no belief. found
	// is what a next one may begin with, but for the pause.
	begin(g *governor, k Known)
	found(g *governor) Known
}

// cycle is what lies between two refusals.
type cycle struct {
	served float64
	took   float64 // seconds, with the pause
	since  float64 // seconds since the pause
	age    float64 // seconds for which the refused request was on its way
}

const (
	slowest     = 0.2 // requests/s that are tried in any case
	keepsUp     = time.Second
	longestStep = 5.0 // seconds that one request can make up for, where they are rare
)

func newGovernor(ceiling float64, shards int) *governor {
	g := &governor{ceiling: ceiling, share: ceiling / float64(max(shards, 1)), law: &alone{}}
	if shards > 1 {
		g.law = &among{}
	}
	g.rate = g.share
	return g
}

// limit is what has been learned; 0 = never refused.
func (g *governor) limit() float64 {
	if g.refusals == 0 && !g.known {
		return 0
	}
	return min(g.law.limit(), g.ceiling)
}

// bound keeps the rate within what may be tried, after each call of the law.
func (g *governor) bound() { g.rate = min(max(g.rate, min(slowest, g.share)), g.ceiling) }

// sent grows the rate at a request that leaves at now. idle is how long the
// turn had been there for the taking before the request came.
func (g *governor) sent(now time.Time, idle time.Duration) {
	g.asked++
	if g.begun.IsZero() {
		g.begun, g.grown = now, now
		if g.known {
			g.open = now
		}
	}
	from := g.grown
	if g.open.After(from) {
		from = g.open // a pause is no proof either
	}
	g.grown = now
	if idle > 0 {
		g.steady = max(0, g.steady-4*idle)
	}
	if idle > keepsUp {
		g.law.idle(g)
		g.bound()
	}
	used := now.Sub(from) - idle
	if used <= 0 {
		return
	}
	g.steady += used
	if g.refusals == 0 && !g.known || g.steady < keepsUp || now.Before(g.warned) {
		return
	}
	g.proved += min(used.Seconds(), longestStep)
	g.course.add(Sample{At: now, Limit: g.law.found(g).Limit})
	g.law.grow(g, min(used.Seconds(), longestStep), now.Sub(g.open).Seconds())
	g.bound()
}

// answered takes in that a request was let through.
func (g *governor) answered(now time.Time) {
	g.served++
	if g.refusals == 1 && now.Before(g.open) {
		g.law.late(g)
		g.bound()
	}
}

// refused takes in that a request sent at sent was refused, and that the
// server asks for a pause (0 = it does not say). It returns how long everybody
// pauses.
func (g *governor) refused(sent, now time.Time, asked time.Duration) time.Duration {
	if sent.Before(g.open) {
		g.bounced++
		return asked
	}
	pause := min(asked, maxClosed)
	if pause == 0 {
		// As long as a request or two take, for the bucket to get ahead.
		pause = seconds(min(max(2/g.rate, 0.2), 1))
	}
	if g.refusals == 0 {
		g.cut, g.open = g.begun, g.begun
	}
	g.law.refused(g, cycle{
		served: float64(g.served), took: now.Sub(g.cut).Seconds(), since: now.Sub(g.open).Seconds(), age: now.Sub(sent).Seconds(),
	})
	g.bound()
	g.refusals++
	g.cut, g.pause, g.open = now, pause, now.Add(pause)
	g.served, g.bounced = 0, 0
	return pause
}
