package pace

import (
	"testing"
	"time"
)

func TestRisingLatencyStopsGrowth(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var l latency
	growth := func(rising bool) float64 {
		g := newGovernor(1000, 4)
		l = latency{}
		g.sent(now, 0)
		g.refused(now, now.Add(time.Second), 0)
		g.rate = 50
		at, took := g.open, 50*time.Millisecond
		for i := range 320 {
			if rising && i > 200 {
				took = 200 * time.Millisecond
			}
			if i == 220 {
				g.rate = 50
			}
			if l.seen("op", took) {
				g.warned = at.Add(warnFor)
			}
			at = at.Add(20 * time.Millisecond)
			g.sent(at, 0)
		}
		return g.rate / 50
	}
	if times := growth(false); times < 1.5 {
		t.Errorf("%.2f times as many requests after two seconds", times)
	}
	if times := growth(true); times > 1.1 {
		t.Errorf("%.2f times as many requests though answers take four times as long", times)
	}
	for range 1000 { // by then that is what is usual
		l.seen("op", 200*time.Millisecond)
	}
	if l.seen("op", 200*time.Millisecond) {
		t.Error("the new latency still counts as rising")
	}
}

func TestOneEpisodeOfRefusalsIsOneCut(t *testing.T) {
	t.Parallel()
	now := time.Now()
	g := newGovernor(100, 1)
	g.refused(now.Add(-time.Millisecond), now, time.Second)
	rate := g.rate
	for range 20 { // on their way when the first was refused
		if pause := g.refused(now.Add(-time.Millisecond), now.Add(time.Millisecond), time.Second); pause != time.Second {
			t.Errorf("pause of %v", pause)
		}
	}
	if g.rate != rate {
		t.Errorf("cut again, from %.1f to %.1f", rate, g.rate)
	}
}
