package pace

import (
	"context"
	"sync"
	"time"

	"finoos-syncer/internal/wait"
)

// gate is closed to every request after one was refused for its rate, for as
// long as the server asks.
type gate struct {
	mu      sync.Mutex
	until   time.Time
	refused time.Time // when it was closed last
}

// maxClosed is how long a closed gate stays so before it is tried again, however
// long the server asks.
const maxClosed = 15 * time.Minute

// close closes the gate for d from now on; it never shortens a wait.
func (g *gate) close(d time.Duration) {
	d = min(d, maxClosed)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = time.Now()
	if until := g.refused.Add(d); until.After(g.until) {
		g.until = until
	}
}

func (g *gate) closedFor() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(time.Until(g.until), 0)
}

// refusing reports whether requests are being refused these seconds.
func (g *gate) refusing() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	const lately = 5 * time.Second
	return time.Now().Before(g.until) || (!g.refused.IsZero() && time.Since(g.refused) < lately)
}

// wait returns when the gate is open, or with the error of giveUp, which is asked
// before each wait. A gate that was closed again meanwhile is waited for anew.
func (g *gate) wait(ctx context.Context, giveUp func(pause time.Duration) error) error {
	for {
		d := g.closedFor()
		if d == 0 {
			return nil
		}
		if giveUp != nil {
			if err := giveUp(d); err != nil {
				return err
			}
		}
		if err := wait.For(ctx, d); err != nil {
			return err
		}
	}
}
