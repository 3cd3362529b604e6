package pace

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPauseHasABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate
		g.close(time.Hour)
		g.close(time.Second) // shortens nothing
		if d := g.closedFor(); d != maxClosed {
			t.Errorf("closed for %v", d)
		}
		for tests := true; tests; { // whose answer never comes
			var err error
			if tests, err = g.wait(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if g.closedFor() != 0 {
			t.Error("still closed")
		}
	})
}

func TestALongPauseIsTestedEveryMinuteThenEveryTwoAndEndsWithAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate
		began := time.Now()
		g.close(time.Hour)
		waits := func() (tested bool, at time.Duration) {
			tested, err := g.wait(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return tested, time.Since(began)
		}
		for _, want := range []time.Duration{time.Minute, 3 * time.Minute, 7 * time.Minute} {
			if tested, at := waits(); !tested || at != want {
				t.Fatalf("let through after %v (as a test: %v), want %v", at, tested, want)
			}
			if g.answered(began) {
				t.Fatal("the answer to a request from before has opened the gate")
			}
			if want < 7*time.Minute {
				g.close(time.Hour) // the test was refused
			}
		}
		var others sync.WaitGroup
		for range 3 { // who waits goes as soon as the test is answered
			others.Go(func() {
				if tested, at := waits(); tested || at != 7*time.Minute+time.Second {
					t.Errorf("let through after %v (as a test: %v)", at, tested)
				}
			})
		}
		sent := time.Now()
		time.Sleep(time.Second)
		if !g.answered(sent) {
			t.Error("the answer to the test has not opened the gate")
		}
		others.Wait()
		g.close(30 * time.Second)
		if tested, at := waits(); tested || at != 7*time.Minute+31*time.Second {
			t.Errorf("a short pause: let through after %v (as a test: %v)", at, tested)
		}
	})
}
