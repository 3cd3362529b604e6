package jobs

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/cursors"
)

func TestATimelineHasFewPointsAndLosesNothing(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{0, time.Second, time.Minute, 61 * time.Second, time.Hour, 30 * time.Hour, 60 * 24 * time.Hour} {
		rng := rand.New(rand.NewPCG(1, uint64(length)))
		var l timeline
		var now, sum Point
		for at := time.Duration(0); ; {
			now.At = min(at, length).Seconds()
			now.Requests += rng.Int64N(100)
			now.Refused += rng.Int64N(3)
			now.Rows += rng.Int64N(1000)
			now.Users += rng.Int64N(2)
			next := l.add(now)
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
			before, sum = p.At, sum.and(p)
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
	var l timeline
	l.add(Point{At: 0.25, Requests: 5})
	l.add(Point{At: 0.252, Requests: 15})
	if len(l.points) != 1 || l.points[0] != (Point{At: 0.252, Requests: 15}) {
		t.Errorf("%+v", l.points)
	}
}

// after is the report of a run that took so long, with so many users.
func after(length time.Duration, users int) *Report {
	streams := []Stream{StreamAccounts, StreamContracts}
	o := RunOptions{Job: "nightly", Now: time.Now}
	tl := newTally(&o, "01JDXXXXXXXXXXXXXXXXXXXXXX", streams)
	for at := time.Duration(0); at < length; {
		at += tl.sample(finoos.Stats{Requests: int64(at.Seconds() * 20), Refused: int64(at.Seconds())}, at)
	}
	began := time.Now()
	for i := range users {
		u := newUser(fmt.Sprintf("user %030d", i), nil, nil)
		u.pulledAt = make([]time.Time, len(streams))
		for _, s := range streams {
			tl.pulled(&result{user: u.id, stream: s, outcome: outcomeFailed, class: finoos.Forbidden, began: began.Add(-time.Duration(i))})
			u.cursors[s] = cursors.Cursor{PulledAt: began.Add(-time.Duration(i) * time.Second)}
		}
		tl.took(stageSync, u.id, time.Duration(i))
		tl.took(stageSettle, u.id, time.Duration(users-i))
		tl.left(u, streams, began)
	}
	return tl.finish(o.Now(), finoos.Stats{}, length, nil)
}

func TestAReportIsOfBoundedSizeHoweverLongTheRun(t *testing.T) {
	t.Parallel()
	size := func(r *Report) int {
		body, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return len(body)
	}
	day, month := size(after(24*time.Hour, 2000)), size(after(30*24*time.Hour, 40_000))
	// What grows is the numbers' digits, and how full the last round of points is.
	if month > 256<<10 || float64(month) > 1.2*float64(day) {
		t.Errorf("%d bytes after a day, %d after a month with twenty times the users", day, month)
	}
	if r := after(time.Hour, 2000); r.FailuresByClass[finoos.Forbidden] != 4000 || len(r.Failures) != maxFailures {
		t.Errorf("%v failures by class, %d listed", r.FailuresByClass, len(r.Failures))
	}
}

func TestTheSlowestUsersAreTheSlowestEachOnce(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	s, longest := slowest{}, map[string]float64{}
	for range 3000 {
		id, took := strconv.Itoa(rng.IntN(40)), time.Duration(rng.Int64N(int64(time.Hour)))
		s.add("settle", id, took)
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
		var a ages
		all := make([]float64, 1+rng.IntN(200))
		spread := 1 + 20*rng.Float64() // up to some forty years
		for i := range all {
			age := time.Duration(math.Exp(spread*rng.Float64()-2) * float64(time.Second)).Truncate(time.Microsecond)
			a.add(now.Add(-age), now)
			all[i] = age.Seconds()
		}
		slices.Sort(all)
		for p, got := range map[float64]float64{0.5: a.summary().P50, 0.95: a.summary().P95, 1: a.summary().Oldest} {
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
	var a ages
	a.add(time.Time{}, now)
	if got := a.summary(); got != (Ages{Never: 1}) {
		t.Errorf("%+v", got)
	}
	a.add(now.Add(time.Hour), now)
	if got := a.summary(); got != (Ages{Users: 1, Never: 1}) {
		t.Errorf("%+v", got)
	}
}
