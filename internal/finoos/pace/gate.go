package pace

import (
	"context"
	"sync"
	"time"
)

// gate is closed to every request after one was refused for its rate, for as
// long as the server asks.
type gate struct {
	mu      sync.Mutex
	until   time.Time
	refused time.Time // when it was closed last

	// A long pause is tested now and then: some who ask for it mean one user.
	test   time.Time     // when the next request is let through, zero where the pause is short
	every  time.Duration // how long before it
	tested time.Time     // when one was let through whose answer has not come, else zero
	opened chan struct{} // closed when a test opens the gate; nil while nobody waits
}

// testAfter is how long a pause lasts before it is tested. The time doubles with
// each test: some gateways extend a ban.
const testAfter = time.Minute

// maxClosed is how long a closed gate stays so before it is tried again, however
// long the server asks.
const maxClosed = 15 * time.Minute

// close closes the gate for d from now on; it never shortens a wait.
func (g *gate) close(d time.Duration) {
	d = min(d, maxClosed)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = time.Now()
	now := g.refused
	if !now.Before(g.until) {
		g.test, g.every, g.tested = time.Time{}, 0, time.Time{} // of a pause that is over
	}
	if until := now.Add(d); until.After(g.until) {
		g.until = until
	}
	wasTest := !g.tested.IsZero()
	g.tested = time.Time{}
	switch {
	case g.until.Sub(now) <= testAfter:
	case g.every == 0:
		g.every, g.test = testAfter, now.Add(testAfter)
	case wasTest:
		g.every *= 2
		g.test = now.Add(g.every)
	}
}

// answered opens the gate if a request that was sent at sent was let through to
// test it, and reports whether it did.
func (g *gate) answered(sent time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tested.IsZero() || sent.Before(g.tested) {
		return false
	}
	g.until, g.test, g.tested, g.every = time.Now(), time.Time{}, time.Time{}, 0
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
	return true
}

// letTest reports whether a request may go to test a long pause, and else how
// long it is until one may, negative where none will.
func (g *gate) letTest() (bool, time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	switch {
	case g.test.IsZero() || !g.test.Before(g.until):
		return false, -1
	case now.Before(g.test):
		return false, g.test.Sub(now)
	case !g.tested.IsZero() && now.Sub(g.tested) < testAfter:
		return false, g.tested.Add(testAfter).Sub(now) // lost, it seems
	}
	g.tested = now
	return true, 0
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
// tests says that it is not open, and that this request is to find out whether it
// could be.
func (g *gate) wait(ctx context.Context, giveUp func(pause time.Duration) error) (tests bool, err error) {
	for {
		d := g.closedFor()
		if d == 0 {
			return false, nil
		}
		may, next := g.letTest()
		if may {
			return true, nil
		}
		if giveUp != nil {
			if err := giveUp(d); err != nil {
				return false, err
			}
		}
		if next >= 0 {
			d = min(d, next)
		}
		if err := g.sleep(ctx, d); err != nil {
			return false, err
		}
	}
}

// sleep waits for d, or until a test has opened the gate.
func (g *gate) sleep(ctx context.Context, d time.Duration) error {
	g.mu.Lock()
	if g.opened == nil {
		g.opened = make(chan struct{})
	}
	opened := g.opened
	g.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-opened:
	case <-timer.C:
	}
	return nil
}
