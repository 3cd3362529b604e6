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

func TestACeilingThatWouldFlattenWhatWasMeasuredIsNotDrawn(t *testing.T) {
	t.Parallel()
	drawn := func(rates ...float64) *chart {
		var points []report.Point
		for i, rate := range rates {
			points = append(points, report.Point{At: float64(i + 1), Requests: 20, Rate: rate})
		}
		return newChart(&report.Report{Timeline: points})
	}
	if c := drawn(1000, 1000, 1000); c.Line != "" || c.MostRate != "20" || c.Beyond != "1,000" {
		t.Errorf("a high ceiling: line %q, scale to %s, beyond %q", c.Line, c.MostRate, c.Beyond)
	}
	if c := drawn(40, 40, 40); c.Line != "M0 0.0H333.3V0.0H666.7V0.0H1000.0" || c.Beyond != "" {
		t.Errorf("one that is near: line %q, beyond %q", c.Line, c.Beyond)
	}
	// The limit is learned: from then on the line is drawn, and comes in where it is.
	if c := drawn(1000, 20, 20); c.Line != "M333.3 0.0H666.7V0.0H1000.0" || c.MostRate != "20" || c.Beyond != "1,000" {
		t.Errorf("one that is learned: line %q, scale to %s, beyond %q", c.Line, c.MostRate, c.Beyond)
	}
	if c := drawn(0, 0, 0); c.Line != "" || c.Beyond != "" {
		t.Errorf("without pacing: line %q, beyond %q", c.Line, c.Beyond)
	}
}
