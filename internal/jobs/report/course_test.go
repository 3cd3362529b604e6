package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestATimelineHasFewPointsAndLosesNothing(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{0, time.Second, time.Minute, 61 * time.Second, time.Hour, 30 * time.Hour, 60 * 24 * time.Hour} {
		rng := rand.New(rand.NewPCG(1, uint64(length)))
		var l Timeline
		var now, sum Point
		for at := time.Duration(0); ; {
			now.At = min(at, length).Seconds()
			now.Requests += rng.Int64N(100)
			now.Refused += rng.Int64N(3)
			now.Rows += rng.Int64N(1000)
			now.Users += rng.Int64N(2)
			next := l.Add(now)
			if at >= length {
				break
			}
			at += next + time.Duration(rng.Int64N(int64(next)))
		}
		before := 0.0
		for i, p := range l.points {
			if p.At < before || i > 0 && p.At == before {
				t.Fatalf("%v: point %d ends at %g, the one before it at %g", length, i, p.At, before)
			}
			before, sum = p.At, sum.And(p)
		}
		if sum != now {
			t.Errorf("%v: the points sum up to %+v, want %+v", length, sum, now)
		}
		n := len(l.points)
		if n >= maxPoints || length > time.Minute && n < maxPoints/4 {
			t.Errorf("%v: %d points", length, n)
		}
	}
}

func TestAVeryShortLastStretchShowsNoPaceThatNeverWas(t *testing.T) {
	t.Parallel()
	var l Timeline
	l.Add(Point{At: 0.25, Requests: 5})
	l.Add(Point{At: 0.252, Requests: 15})
	if len(l.points) != 1 || l.points[0] != (Point{At: 0.252, Requests: 15}) {
		t.Errorf("%+v", l.points)
	}
}

func TestTheSlowestUsersAreTheSlowestEachOnce(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	s, longest := Slowest{}, map[string]float64{}
	for range 3000 {
		id, took := strconv.Itoa(rng.IntN(40)), time.Duration(rng.Int64N(int64(time.Hour)))
		s.Add("settle", id, took)
		longest[id] = max(longest[id], took.Seconds())
	}
	var want []SlowUser
	for id, seconds := range longest {
		want = append(want, SlowUser{UserID: id, Seconds: seconds})
	}
	slices.SortFunc(want, func(a, b SlowUser) int { return int(math.Copysign(1, b.Seconds-a.Seconds)) })
	if !slices.Equal(s["settle"], want[:maxSlowest]) {
		t.Errorf("got %v\nwant %v", s["settle"], want[:maxSlowest])
	}
}

func TestPercentilesOfAgesAreWithinTheirStatedError(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		var a AgeCount
		all := make([]float64, 1+rng.IntN(200))
		spread := 1 + 20*rng.Float64() // up to some forty years
		for i := range all {
			age := time.Duration(math.Exp(spread*rng.Float64()-2) * float64(time.Second)).Truncate(time.Microsecond)
			a.Add(now.Add(-age), now)
			all[i] = age.Seconds()
		}
		slices.Sort(all)
		for p, got := range map[float64]float64{0.5: a.Sum().P50, 0.95: a.Sum().P95, 1: a.Sum().Oldest} {
			want := all[int(math.Ceil(p*float64(len(all))))-1]
			allowed := max(0.02*want, 0.5) + 0.001
			if p == 1 {
				allowed = 0.001
			}
			if math.Abs(got-want) > allowed {
				t.Fatalf("seed %d, %d users: percentile %g is %g, told as %g", seed, len(all), p, want, got)
			}
		}
	}
}

func TestUsersNeverPulledHaveNoAgeAndThoseOfTomorrowNone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	var a AgeCount
	a.Add(time.Time{}, now)
	if got := a.Sum(); got != (Ages{Never: 1}) {
		t.Errorf("%+v", got)
	}
	a.Add(now.Add(time.Hour), now)
	if got := a.Sum(); got != (Ages{Users: 1, Never: 1}) {
		t.Errorf("%+v", got)
	}
}
