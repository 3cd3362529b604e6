package pace

import (
	"fmt"
	"testing"
	"time"
)

// The budget of the design, in percent.
const (
	leastUsed   = 97.0
	mostRefused = 0.5
)

const ms = time.Millisecond

// notUnderRace leaves out the model: nothing happens at once in it.
func notUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("has one goroutine, and takes many times as long under the race detector")
	}
}

// found is how many seconds after from nine tenths of the limit are used.
func (m *model) found(from, to int, limit float64) int {
	for at := from; at+5 <= to; at++ {
		if used, _, _, _ := m.judge(at, at+5, limit); used > 90 {
			return at - from
		}
	}
	return to
}

func TestProcessAloneFillsItsLimitAndHardlyOverrunsIt(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, limit := range []float64{5, 50, 500} {
		for _, depth := range []float64{0.2, 1, 5} {
			for _, header := range []bool{true, false} {
				t.Run(fmt.Sprintf("%g depth %g header %v", limit, depth, header), func(t *testing.T) {
					t.Parallel()
					const end = 210
					m := (&model{limit: limit, depth: depth, header: header, latency: 30 * ms, ceiling: 1000, shards: 1}).run(end, 1)
					used, refused, _, _ := m.judge(10, end, limit)
					_, settled, _, _ := m.judge(60, end, limit)
					least := leastUsed
					if limit*depth == 1 {
						least = 90 // one token: whatever comes a little early is refused
					}
					if used < least || settled > mostRefused || refused > 2*mostRefused {
						t.Errorf("%.1f %% used, %.2f %% refused, %.2f %% from a minute on", used, refused, settled)
					}
				})
			}
		}
	}
}

// Then the ceiling is what a look upwards meets, and answers to the first burst
// that come late may put the limit above it.
func TestLimitJustBelowTheCeilingIsFilledAsWell(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, tt := range []struct {
		ceiling, limit, depth float64
		latency               time.Duration
		header                bool
	}{
		{50, 45, 0.7, 200 * ms, true},
		{50, 49, 1, 100 * ms, true},
		{20, 19.5, 1, 100 * ms, true},
		{30, 29, 1, 200 * ms, false},
		{10, 9, 1.1, 300 * ms, true},
		{50, 40, 2.5, 300 * ms, true},
	} {
		m := (&model{limit: tt.limit, depth: tt.depth, header: tt.header, latency: tt.latency, ceiling: tt.ceiling, shards: 1}).run(200, 1)
		used, refused, _, _ := m.judge(15, 200, tt.limit)
		if rate := m.each[0].turns.governor.rate; used < leastUsed-1 || refused > 2*mostRefused || rate <= 0 || rate > tt.ceiling {
			t.Errorf("%+v: %.1f %% used, %.2f %% refused, at a rate of %g", tt, used, refused, rate)
		}
	}
}

// Somebody else has drained the bucket before.
func TestVeryFirstRequestMayBeRefused(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, shards := range []int{1, 4} {
		for _, header := range []bool{true, false} {
			m := (&model{limit: 20, depth: 1, header: header, latency: 30 * ms, ceiling: 1000, shards: shards, drained: true}).run(30, 1)
			if m.each[0].refused[0] == 0 {
				t.Errorf("%d shards, header %v: nothing was refused at first", shards, header)
			}
			least := map[int]float64{1: 70, 4: 40} // in the first seconds
			soon, _, _, _ := m.judge(3, 10, 20)
			if later, _, _, _ := m.judge(10, 30, 20); soon < least[shards] || later < leastUsed {
				t.Errorf("%d shards, header %v: %.1f %% used from 3 s on, %.1f %% from 10 s on", shards, header, soon, later)
			}
		}
	}
}

func TestSlowAnswersCostNoMoreThanTheyMust(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, latency := range []time.Duration{10 * ms, 200 * ms, 500 * ms} {
		m := (&model{limit: 50, depth: 1, header: true, latency: latency, ceiling: 1000, shards: 1}).run(160, 1)
		// Of slow answers, more are on their way when one is refused.
		if used, refused, _, _ := m.judge(10, 160, 50); used < leastUsed-1 || refused > 2*mostRefused {
			t.Errorf("%v: %.1f %% used, %.2f %% refused", latency, used, refused)
		}
	}
}

// What can be had depends on what a look upwards costs, and for shards on how
// often one of them may be refused: see alone and among.
func TestLimitThatHalvesIsFollowedAndOneThatDoublesIsFound(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, tt := range []struct {
		limit, depth  float64
		header        bool
		shards        int
		soon, refused float64 // seconds; percent, while it is halved
	}{
		{40, 1, true, 1, 20, 0.7},
		{40, 1, false, 1, 20, 0.7},
		{40, 0.2, false, 1, 20, 0.8},
		{40, 0.2, true, 1, 65, 0.8}, // every look costs four fifths of a second
		{300, 1, true, 1, 20, 0.5},
		{40, 1, true, 4, 110, 4.5},
		{300, 1, true, 4, 35, 1},
		{300, 0.2, true, 4, 60, 1},
	} {
		t.Run(fmt.Sprintf("%g depth %g header %v shards %d", tt.limit, tt.depth, tt.header, tt.shards), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				m := &model{limit: tt.limit, depth: tt.depth, header: tt.header, latency: 30 * ms, ceiling: 1000, shards: tt.shards}
				m.changes = map[int]float64{60: tt.limit / 2, 110: tt.limit}
				m.run(230, seed)
				used, refused, _, _ := m.judge(65, 110, tt.limit/2)
				after := m.found(110, 230, tt.limit)
				if used < 90 || refused > tt.refused || float64(after) > tt.soon {
					t.Errorf("halved: %.1f %% used, %.2f %% refused; doubled: found after %d s", used, refused, after)
				}
			}
		})
	}
}

func TestShardsFillTheirLimitAndShareIt(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, tt := range []struct {
		limit       float64
		shards, end int
		least, most float64 // share of the mean, from ten seconds on
	}{
		{50, 4, 160, 0.5, 1.5},
		{500, 4, 80, 0.75, 1.3},
		{500, 16, 80, 0.2, 2.2},
		{500, 4, 3600, 0.9, 1.1}, // a tenth takes a hundred refusals of each
	} {
		t.Run(fmt.Sprintf("%d of %g for %d s", tt.shards, tt.limit, tt.end), func(t *testing.T) {
			t.Parallel()
			for _, header := range []bool{true, false} {
				m := (&model{limit: tt.limit, depth: 1, header: header, latency: 30 * ms, ceiling: 1000, shards: tt.shards}).run(tt.end, 2)
				used, _, least, most := m.judge(10, tt.end, tt.limit)
				_, settled, _, _ := m.judge(min(60, tt.end/2), tt.end, tt.limit)
				if used < leastUsed || settled > mostRefused || least < tt.least || most > tt.most {
					t.Errorf("header %v: %.1f %% used, %.2f %% refused once settled, shares from %.2f to %.2f", header, used, settled, least, most)
				}
			}
		})
	}
}

// While next to nothing is served, refusals come seconds apart, and say nothing
// of small steps.
func TestRateComesBackWithinAMinuteOfAnOutage(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, shards := range []int{1, 4} {
		for _, lasts := range []int{30, 120} {
			m := &model{limit: 15, depth: 1, header: true, latency: 30 * ms, ceiling: 20, shards: shards}
			m.changes = map[int]float64{100: 0.3, 100 + lasts: 15}
			m.run(300+lasts, 1)
			if after := m.found(100+lasts, 300+lasts, 15); after > 75 {
				t.Errorf("%d shards came back %d s after %d s", shards, after, lasts)
			}
		}
	}
}

func TestShardsFillAFarHigherLimitTogether(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	m := (&model{limit: 1000, depth: 1, header: true, latency: 30 * ms, ceiling: 100, shards: 4}).run(60, 1)
	if used, refused, least, most := m.judge(0, 60, 100); used < 99 || refused > 0 || least < 0.99 || most > 1.01 {
		t.Errorf("%.1f %% of the ceiling used, %.2f %% refused, shares from %.2f to %.2f", used, refused, least, most)
	}
}

func TestRetryAfterOfHoursDoesNotDeafen(t *testing.T) {
	t.Parallel()
	g, now := newGovernor(10, 1), time.Unix(1e9, 0)
	g.sent(now, 0)
	if pause := g.refused(now, now, 5*time.Hour); pause != maxClosed {
		t.Errorf("paused %v, but the gate opens after %v", pause, maxClosed)
	}
	later := now.Add(maxClosed + time.Second)
	before := g.rate
	if g.refused(later, later, 0); g.refusals != 2 || g.rate > before {
		t.Errorf("%d refusals were heard, the rate went from %g to %g", g.refusals, before, g.rate)
	}
}

// The bucket of a fifth of a second with whole seconds to wait is what a short run
// suffers from most: each refusal costs four fifths of a second.
func TestLimitIsKnownBeforeTheTenthSecond(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, limit := range []float64{20, 40, 300} {
		for _, depth := range []float64{0.2, 1, 5} {
			for _, header := range []bool{true, false} {
				var used, refused float64
				const seeds = 8
				for seed := range uint64(seeds) {
					m := (&model{limit: limit, depth: depth, header: header, latency: 30 * ms, ceiling: 1000, shards: 1}).run(20, seed)
					u, _, _, _ := m.judge(10, 20, limit)
					_, r, _, _ := m.judge(1, 20, limit)
					used, refused = used+u/seeds, refused+r/seeds
				}
				if used < 96 || refused > 4*mostRefused {
					t.Errorf("limit %g depth %g header %v: %.1f %% used from the tenth second on, %.2f %% refused from the first", limit, depth, header, used, refused)
				}
			}
		}
	}
}
