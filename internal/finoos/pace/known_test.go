package pace

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// learned is what the shards of a night have found together.
func (m *model) learned(t *testing.T) Known {
	t.Helper()
	var all Known
	for _, s := range m.each {
		k, _, ok := s.turns.found()
		if !ok {
			t.Fatalf("a shard has found nothing to keep: %+v", k)
		}
		all.Limit, all.Burst, all.Pause = all.Limit+k.Limit, all.Burst+k.Burst, k.Pause
	}
	return all
}

// nights are a first night and one that begins at what it has found, with another limit
// where changed is not 1.
func nights(t *testing.T, first model, changed float64, last int, seed uint64) *model {
	t.Helper()
	second := first
	second.known = first.run(84, seed).learned(t)
	second.limit *= changed
	return second.run(last, seed+100)
}

func TestSecondNightFillsItsLimitFromTheFirstSecond(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, shards := range []int{1, 4} {
		for _, limit := range []float64{40, 300} {
			for _, depth := range []float64{0.2, 1, 5} {
				for _, header := range []bool{true, false} {
					t.Run(fmt.Sprintf("%d of %g depth %g header %v", shards, limit, depth, header), func(t *testing.T) {
						t.Parallel()
						var used, refused float64
						const seeds = 6
						for seed := range uint64(seeds) {
							m := nights(t, model{limit: limit, depth: depth, header: header, latency: 30 * ms, ceiling: 1000, shards: shards}, 1, 20, seed)
							u, r, _, _ := m.judge(0, 20, limit)
							used, refused = used+u/seeds, refused+r/seeds
						}
						if used < leastUsed || refused > 2*mostRefused {
							t.Errorf("%.1f %% used, %.2f %% refused in the first twenty seconds", used, refused)
						}
					})
				}
			}
		}
	}
}

// As soon, and with as few refusals, as the law allows that takes it for what it was.
func TestKnownLimitThatHasFallenIsLearnedAnewByItsFirstRefusal(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, tt := range []struct {
		shards             int
		depth, by          float64
		used, refused      float64 // percent from the tenth second on; of all
		usedFrom, usedUpTo int
	}{
		{1, 0.2, 0.5, 97, 0.3, 10, 84},
		{1, 0.2, 0.125, 94, 1.5, 10, 84},
		{1, 1, 0.125, 98, 1, 10, 84},
		{4, 0.2, 0.5, 96, 1, 10, 84},
		{4, 0.2, 0.125, 95, 4, 10, 84},
		{4, 0.2, 0.25, 80, 4, 0, 10},
		{4, 1, 0.125, 98, 3, 10, 84},
	} {
		t.Run(fmt.Sprintf("%d depth %g to %g", tt.shards, tt.depth, tt.by), func(t *testing.T) {
			t.Parallel()
			const seeds = 6
			var used, refused float64
			for seed := range uint64(seeds) {
				m := nights(t, model{limit: 160, depth: tt.depth, header: true, latency: 30 * ms, ceiling: 1000, shards: tt.shards}, tt.by, 84, seed)
				u, _, _, _ := m.judge(tt.usedFrom, tt.usedUpTo, m.limit)
				_, r, _, _ := m.judge(0, 84, m.limit)
				used, refused = used+u/seeds, refused+r/seeds
			}
			if used < tt.used || refused > tt.refused {
				t.Errorf("%.1f %% used from second %d to %d, %.2f %% refused", used, tt.usedFrom, tt.usedUpTo, refused)
			}
		})
	}
}

func TestKnownLimitThatHasRisenIsFoundInTheFirstMinute(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, shards := range []int{1, 4} {
		for _, depth := range []float64{0.2, 1} {
			for _, header := range []bool{true, false} {
				const seeds = 3
				after, refused := 0.0, 0.0
				for seed := range uint64(seeds) {
					m := nights(t, model{limit: 40, depth: depth, header: header, latency: 30 * ms, ceiling: 1000, shards: shards}, 2, 120, seed)
					_, r, _, _ := m.judge(0, 120, 80)
					after, refused = after+float64(m.found(0, 120, 80))/seeds, refused+r/seeds
				}
				if after > 45 || refused > 2*mostRefused {
					t.Errorf("%d shards, depth %g, header %v: found after %.0f s with %.2f %% refused", shards, depth, header, after, refused)
				}
			}
		}
	}
}

func TestOnlyWhatCanBeALimitIsBegunWith(t *testing.T) {
	t.Parallel()
	for _, k := range []Known{
		{},
		{Limit: -1},
		{Limit: 0.1},
		{Limit: 1e300},
		{Limit: math.NaN()},
		{Limit: math.Inf(1)},
		{Limit: 100},
		{Limit: 200},
		{Limit: 10, Burst: -1},
		{Limit: 10, Burst: math.NaN()},
		{Limit: 10, Burst: 1e300},
		{Limit: 10, Pause: -1},
		{Limit: 10, Pause: time.Hour},
	} {
		if l := New(100, 1); l.Begin(k) || l.Origin() != "" {
			t.Errorf("began at %+v", k)
		}
	}
	l := New(100, 1)
	if !l.Begin(Known{Limit: 10, Burst: 2}) || l.Begin(Known{Limit: 20}) || l.Origin() != Recalled {
		t.Errorf("its limit comes from %q", l.Origin())
	}
	if rate, limit, _ := l.Learned(); rate != 10 || limit != 10 {
		t.Errorf("a rate of %g below a limit of %g", rate, limit)
	}
	if unpaced := New(0, 1); unpaced.Begin(Known{Limit: 10}) {
		t.Error("what has no pace begins at one")
	}
	now, g := time.Unix(1e9, 0), newGovernor(100, 1)
	for range 30 {
		g.sent(now, 0)
		g.answered(now)
	}
	if g.begin(Known{Limit: 10}) {
		t.Error("one that has served many without a refusal slows down")
	}
	for _, shards := range []int{1, 4} {
		g := newGovernor(100, shards)
		g.sent(now, 0)
		g.refused(now, now, time.Second)
		if !g.begin(Known{Limit: 10, Burst: 2}) || g.rate < 9 || g.origin() != Recalled {
			t.Errorf("%d shards: since its first request was refused it goes at %g, and has that %s", shards, g.rate, g.origin())
		}
	}
}

func TestWhatHasNotProvedItselfIsNotKept(t *testing.T) {
	t.Parallel()
	work := func(pause time.Duration, seconds int) (Known, bool) {
		now, g := time.Unix(1e9, 0), newGovernor(100, 1)
		for range 20 {
			g.sent(now, 0)
			g.answered(now)
		}
		g.refused(now, now, pause)
		now = now.Add(pause)
		for range 20 * seconds {
			now = now.Add(50 * time.Millisecond)
			g.sent(now, 0)
			g.answered(now)
		}
		return g.found()
	}
	if k, ok := work(time.Second, 30); !ok || k.Pause != time.Second || k.Limit < 1 {
		t.Errorf("after half a minute: %+v, %v", k, ok)
	}
	if k, ok := work(time.Second, 5); ok {
		t.Errorf("after five seconds: %+v", k)
	}
	if k, ok := work(10*time.Minute, 30); ok {
		t.Errorf("a quota by the hour: %+v", k)
	}
	if k, ok := newGovernor(100, 1).found(); ok {
		t.Errorf("nothing was refused: %+v", k)
	}
}

func TestCourseStaysShortHoweverLongItIs(t *testing.T) {
	t.Parallel()
	var c trace
	begun := time.Unix(1e9, 0)
	for i := range 100_000 {
		c.add(Sample{At: begun.Add(time.Duration(i) * 300 * time.Millisecond), Limit: float64(i)})
		if len(c.samples) > mostSamples || !c.samples[0].At.Equal(begun) {
			t.Fatalf("%d samples from %v on", len(c.samples), c.samples[0].At)
		}
	}
	last := c.samples[len(c.samples)-1]
	if took := last.At.Sub(begun); len(c.samples) < mostSamples/2 || took < 25_000*time.Second {
		t.Errorf("%d samples, the last after %v", len(c.samples), took)
	}
}
