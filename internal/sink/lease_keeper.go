package sink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// leaseKeeper holds a lease: it renews it until it is told to give it back, or
// finds it in other hands.
type leaseKeeper struct {
	leases *leases
	key    string
	every  time.Duration
	log    *slog.Logger
	lost   chan struct{} // closed when somebody else has the lease

	failing int // renewals that failed, one after the other; the renewing goroutine's

	stop context.CancelFunc
	done chan struct{} // closed when the renewing goroutine has ended

	// writing is held by the one who renews, who alone uses what follows.
	writing chan struct{}
	body    leaseBody
	etag    string // as last written by us

	mu      sync.Mutex // held for a moment only, never while the store is asked
	base    uint64     // the newest record when the run began
	renewed time.Time  // when we last began a write that succeeded
	lapses  int        // how often the lease may have been in other hands since
}

// keepLease starts renewing a lease that was acquired. The goroutine ends
// with release.
func keepLease(ctx context.Context, ls *leases, body leaseBody, etag string, every time.Duration, log *slog.Logger) *leaseKeeper {
	k := &leaseKeeper{
		leases: ls, key: ls.keys.lease(body.Shard, body.Backfill), every: every, log: log, body: body, etag: etag,
		lost: make(chan struct{}), done: make(chan struct{}), writing: make(chan struct{}, 1), renewed: time.Now(),
	}
	// The lease outlives the caller's cancellation: the last commit is still
	// to come.
	ctx, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	go k.run(ctx)
	return k
}

func (k *leaseKeeper) run(ctx context.Context) {
	defer close(k.done)
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ours, err := k.renewWithin(ctx, k.every)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			// Not lost, as far as anybody knows: only the commit record
			// decides. The next tick tries again.
			k.tellFailed(ctx, err)
			continue
		}
		if k.failing > 0 {
			k.log.WarnContext(ctx, "lease renewed again", "tries", k.failing)
			k.failing = 0
		}
		if !ours {
			return
		}
	}
}

// tellFailed says once a minute that the lease is not renewed.
func (k *leaseKeeper) tellFailed(ctx context.Context, err error) {
	every := max(1, int(time.Minute/k.every))
	if k.failing%every == 0 {
		k.log.WarnContext(ctx, "lease not renewed", "error", err)
	}
	k.failing++
}

func (k *leaseKeeper) renewWithin(ctx context.Context, d time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return k.renew(ctx)
}

// renew writes the lease again and reports whether it is still ours.
func (k *leaseKeeper) renew(ctx context.Context) (bool, error) {
	select {
	case k.writing <- struct{}{}:
		defer func() { <-k.writing }()
	case <-ctx.Done():
		return true, fmt.Errorf("renew lease: %w", ctx.Err())
	}
	ours, again, err := k.write(ctx)
	if again {
		ours, _, err = k.write(ctx)
	}
	return ours, err
}

// write writes the lease once. again says that it failed on an earlier write of
// ours, which had been given up and came through late: the next one will not.
func (k *leaseKeeper) write(ctx context.Context) (ours, again bool, err error) {
	if k.isLost() {
		return false, false, nil
	}
	began := time.Now()
	k.body.Nonce, k.body.BaseSeq = rand.Text(), k.baseSeq()
	etag, err := k.leases.write(ctx, k.key, k.body, bucket.Condition{IfMatch: k.etag})
	if err == nil {
		k.hold(etag, began)
		return true, false, nil
	}
	standing, readErr := k.leases.get(ctx, k.key)
	switch {
	case readErr == nil && standing.RunID != k.body.RunID:
		close(k.lost)
		return false, false, nil
	case readErr == nil && standing.Nonce == k.body.Nonce:
		k.hold(standing.etag, began) // written, the answer was lost
		return true, false, nil
	case readErr == nil:
		k.etag = standing.etag
		return true, true, fmt.Errorf("renew lease: %w", err)
	case errors.Is(readErr, bucket.ErrNotExist):
		return true, false, k.retake(ctx, began)
	default:
		return true, false, fmt.Errorf("renew lease: %w", errors.Join(err, readErr))
	}
}

// retake takes a lease again that is gone: taken over and given back while we
// slept, or removed by hand. Whether we were overtaken is for the log to say.
func (k *leaseKeeper) retake(ctx context.Context, began time.Time) error {
	etag, err := k.leases.write(ctx, k.key, k.body, bucket.Condition{IfNoneMatch: true})
	if err != nil {
		return fmt.Errorf("take the lease again: %w", err)
	}
	k.mu.Lock()
	k.lapses++
	k.mu.Unlock()
	k.hold(etag, began)
	return nil
}

func (k *leaseKeeper) hold(etag string, began time.Time) {
	k.etag = etag
	k.mu.Lock()
	defer k.mu.Unlock()
	if elapsed(k.renewed) > k.leases.ttl {
		k.lapses++
	}
	k.renewed = began
}

// confirm makes sure that the lease is ours, by asking if it may have expired
// since it was last written: we may have slept.
func (k *leaseKeeper) confirm(ctx context.Context) error {
	k.mu.Lock()
	fresh := !k.isLost() && elapsed(k.renewed) <= k.leases.ttl
	k.mu.Unlock()
	if fresh {
		return nil
	}
	ours, err := k.renew(ctx)
	if err == nil && !ours {
		err = fmt.Errorf("%w: it holds the lease", ErrOvertaken)
	}
	return err
}

// lapsed counts the times when the lease may have been in other hands.
func (k *leaseKeeper) lapsed() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lapses
}

// elapsed is the time since t, that of a suspended machine included, which
// the monotonic clock may leave out.
func elapsed(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// setBase notes the newest record when the run began; it is written with the
// next renewal, and until then nothing is swept that the run may need.
func (k *leaseKeeper) setBase(seq uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.base = seq
}

func (k *leaseKeeper) baseSeq() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.base
}

// isLost reports whether the lease was found in other hands.
func (k *leaseKeeper) isLost() bool {
	select {
	case <-k.lost:
		return true
	default:
		return false
	}
}

// halt ends the renewing.
func (k *leaseKeeper) halt() {
	k.stop()
	<-k.done
}

// release gives the lease back if it is still ours. It is renewed first, so
// that nobody can have taken it over when it is deleted.
func (k *leaseKeeper) release(ctx context.Context) error {
	k.halt()
	if k.isLost() {
		return nil
	}
	ours, err := k.renew(ctx)
	if errors.Is(err, bucket.ErrUnsupported) {
		err = nil // on such a store nobody gets by the self-test, to take it over
	}
	if err != nil || !ours {
		return err
	}
	if err := k.leases.store.Delete(ctx, k.key); err != nil {
		return fmt.Errorf("give the lease back: %w", err)
	}
	return nil
}
