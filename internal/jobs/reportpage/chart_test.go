package reportpage

import (
	"math"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/report"
)

func TestTheAxisOfTimeHasAFewDistinctLabels(t *testing.T) {
	t.Parallel()
	for length := 0.3; length < (40 * 24 * time.Hour).Seconds(); length *= 1.07 {
		list, seen := ticks(length), map[string]bool{}
		if len(list) < 3 || len(list) > 8 {
			t.Fatalf("%g s: %d labels", length, len(list))
		}
		for i, k := range list {
			if seen[k.Label] || k.X > 100 || i > 0 && k.X < list[i-1].X+9 {
				t.Fatalf("%g s: %+v", length, list)
			}
			seen[k.Label] = true
		}
	}
}

func TestScalesEndAtRoundNumbersAbove(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]float64{0: 1, 0.7: 0.8, 1: 1, 17: 20, 61: 80, 99: 100, 4711: 5000} {
		if got := niceAbove(v); math.Abs(got-want) > 1e-9*want {
			t.Errorf("above %g is %g, want %g", v, got, want)
		}
	}
}

func TestTheTableSumsUpToTheTimeline(t *testing.T) {
	t.Parallel()
	for n := 2; n < 240; n += 7 {
		points := night(1000, max(n, 4))
		var users, refused int64
		for _, p := range points {
			users, refused = users+p.Users, refused+p.Refused
		}
		c := newChart(&report.Report{Timeline: points})
		for _, r := range c.Rows {
			users, refused = users-r.Users, refused-r.Refused
		}
		if users != 0 || refused != 0 || len(c.Rows) > maxRows {
			t.Errorf("%d points: %d rows lack %d users and %d refusals", n, len(c.Rows), users, refused)
		}
	}
}
