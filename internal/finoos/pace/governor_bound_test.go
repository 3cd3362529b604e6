package pace

import (
	"testing"
	"time"
)

// wild is a law without bounds.
type wild struct{ rate float64 }

func (w wild) grow(g *governor, _, _ float64) { g.rate = w.rate }
func (w wild) refused(g *governor, _ cycle)   { g.rate = w.rate }
func (w wild) idle(g *governor)               { g.rate = w.rate }
func (w wild) late(g *governor)               { g.rate = w.rate }
func (w wild) limit() float64                 { return w.rate }
func (w wild) begin(g *governor, _ Known)     { g.rate = w.rate }
func (w wild) found(*governor) Known          { return Known{Limit: w.rate, Burst: w.rate} }

func TestNoLawMovesTheRateOutOfItsBounds(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for wanted, want := range map[float64]float64{-1: slowest, 0: slowest, 1e9: 50} {
		for what, move := range map[string]func(g *governor){
			"grow":    func(g *governor) { g.sent(begun.Add(20*time.Second), 0) },
			"idle":    func(g *governor) { g.sent(begun.Add(20*time.Second), 20*time.Second) },
			"late":    func(g *governor) { g.answered(begun.Add(10 * time.Second)) },
			"refused": func(g *governor) { g.refused(begun.Add(15*time.Second), begun.Add(16*time.Second), time.Second) },
		} {
			g := newGovernor(50, 4)
			g.sent(begun, 0)
			g.refused(begun.Add(time.Second), begun.Add(9*time.Second), 2*time.Second)
			g.law = wild{wanted}
			move(g)
			if g.rate != want || g.limit() > 50 {
				t.Errorf("%s: a rate of %g became one of %g and a limit of %g, want %g", what, wanted, g.rate, g.limit(), want)
			}
		}
	}
}
