package sink

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"finoos-syncer/internal/wait"
)

// patience says how long the protocol tries to find out what became of a
// write. The store retries requests by itself; this is about answers that the
// store could not give.
type patience struct {
	attempts int
	first    time.Duration // before the second attempt; doubled from there
	longest  time.Duration
	grace    time.Duration // by which final steps outlive a cancelled caller
}

var patient = patience{attempts: 8, first: 100 * time.Millisecond, longest: 5 * time.Second, grace: 20 * time.Second}

// pause waits before the attempt that follows attempt n (from 0), with full
// jitter over the upper half.
func (p patience) pause(ctx context.Context, n int) error {
	d := min(p.first<<n, p.longest)
	return wait.For(ctx, d/2+rand.N(d/2+1))
}

// outlive returns a context that ends no later than d after ctx does. Steps
// that must not be left half done run under it.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	overdue := make(chan *time.Timer, 1)
	unhook := context.AfterFunc(ctx, func() {
		overdue <- time.AfterFunc(d, func() { cancel(context.Cause(ctx)) })
	})
	return out, sync.OnceFunc(func() {
		cancel(context.Canceled)
		if !unhook() {
			(<-overdue).Stop()
		}
	})
}
