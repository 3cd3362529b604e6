package pace

import (
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
		if err := g.wait(t.Context(), nil); err != nil || g.closedFor() != 0 {
			t.Error(err)
		}
	})
}
