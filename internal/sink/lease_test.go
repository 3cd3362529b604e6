package sink

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

const (
	testTTL   = time.Minute
	testRenew = 15 * time.Second
)

func testLeases(store bucket.Objects) *leases {
	return &leases{store: store, keys: "j", ttl: testTTL}
}

func ownLease(runID string) leaseBody {
	return leaseBody{RunID: runID, Nonce: "first", Holder: "host of " + runID, Kind: KindRun, Shards: 1}
}

func keep(t *testing.T, store bucket.Objects, runID string) *leaseKeeper {
	t.Helper()
	ls, own := testLeases(store), ownLease(runID)
	etag, err := ls.acquire(t.Context(), own, 0)
	if err != nil {
		t.Fatalf("acquire for %s: %v", runID, err)
	}
	return keepLease(t.Context(), ls, own, etag, testRenew, slog.New(slog.DiscardHandler))
}

func leaseHolder(t *testing.T, store bucket.Objects) string {
	t.Helper()
	l, err := testLeases(store).get(t.Context(), jobKeys("j").lease(0, ""))
	if errors.Is(err, bucket.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return l.RunID
}

func TestALeaseThatIsRenewedIsNotTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		a := keep(t, store, "a")
		start := time.Now()
		_, err := testLeases(store).acquire(t.Context(), ownLease("b"), 90*time.Second)
		var held *HeldError
		if !errors.As(err, &held) || held.RunID != "a" || held.Holder != "host of a" {
			t.Fatalf("acquire: %v, want that a holds it", err)
		}
		if waited := time.Since(start); waited != 90*time.Second {
			t.Errorf("gave up after %v", waited)
		}
		if err := a.release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := leaseHolder(t, store); got != "" {
			t.Errorf("%s holds the lease that was given back", got)
		}
	})
}

func TestADeadHoldersLeaseIsTakenOverWhenItExpires(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newMemStore()
				store.skew = skew
				keep(t, store, "dead").halt()
				start := time.Now()
				if _, err := testLeases(store).acquire(t.Context(), ownLease("next"), 90*time.Second); err != nil {
					t.Fatalf("acquire: %v", err)
				}
				if waited := time.Since(start); waited <= testTTL || waited > testTTL+5*time.Second {
					t.Errorf("taken over after %v, want a little more than %v", waited, testTTL)
				}
			})
		})
	}
}

func TestTheHolderOfALeaseLearnsThatItLostIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		a := keep(t, store, "a")
		// Somebody takes it while a sleeps; here, by force.
		if _, err := store.Put(t.Context(), a.key, []byte(`{"run_id":"b","shards":1}`), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-a.lost:
		case <-time.After(2 * testRenew):
			t.Fatal("not noticed")
		}
		if err := a.release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := leaseHolder(t, store); got != "b" {
			t.Errorf("the lease of b is %q's after a has closed", got)
		}
	})
}

func TestALeaseThatVanishedIsTakenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		a := keep(t, store, "a")
		if err := store.Delete(t.Context(), a.key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * testRenew)
		if got := leaseHolder(t, store); got != "a" || a.isLost() {
			t.Errorf("lease is %q's, lost: %v; want a's", got, a.isLost())
		}
		a.halt()
	})
}

// A renewal that was given up when the run ended may still come through.
func TestALeaseIsGivenBackAlthoughAnEarlierRenewalComesThroughLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		a := keep(t, store, "a")
		a.halt()
		late := a.body
		late.Nonce = "late"
		if _, err := a.leases.write(t.Context(), a.key, late, bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		if err := a.release(t.Context()); err != nil {
			t.Errorf("give back: %v", err)
		}
		if got := leaseHolder(t, store); got != "" {
			t.Errorf("the lease is still %q's", got)
		}
	})
}

// TestRenewingSurvivesEveryAnswer fails each renewal in turn, written or not:
// the lease stays, and stays renewable.
func TestRenewingSurvivesEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, written := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := newMemStore()
			hook := &putHook{Store: store}
			hook.put = func(n int, _ string, next func() (bucket.Info, error)) (bucket.Info, error) {
				if n%2 == 1 {
					if written {
						_, _ = next()
					}
					return bucket.Info{}, errors.New("timeout")
				}
				return next()
			}
			a := keep(t, hook, "a")
			time.Sleep(10*testRenew + time.Second)
			if a.isLost() {
				t.Errorf("written %v: lost", written)
			}
			l, err := testLeases(store).get(t.Context(), a.key)
			if err != nil || !l.alive || l.RunID != "a" {
				t.Errorf("written %v: %+v, %v", written, l, err)
			}
			a.halt()
		})
	}
}

func TestALivingRunThatDividesUsersInAnotherWayBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		ls := testLeases(store)
		four := ownLease("four")
		four.Shard, four.Shards = 3, 4
		if _, err := ls.acquire(t.Context(), four, 0); err != nil {
			t.Fatal(err)
		}
		_, err := ls.acquire(t.Context(), ownLease("one"), 0)
		var held *HeldError
		if !errors.As(err, &held) || held.Shard != (cursors.Shard{Index: 3, Count: 4}) {
			t.Errorf("acquire: %v, want that shard 3 of 4 blocks", err)
		}
		other := ownLease("other")
		other.Shard, other.Shards = 1, 4
		if _, err := ls.acquire(t.Context(), other, 0); err != nil {
			t.Errorf("acquire for another of the four: %v", err)
		}
		backfill := ownLease("backfill")
		backfill.Backfill = "history"
		if _, err := ls.acquire(t.Context(), backfill, 0); err != nil {
			t.Errorf("acquire for a backfill: %v", err)
		}
		if _, err := ls.acquire(t.Context(), ownLease("one"), 2*testTTL); err != nil {
			t.Errorf("acquire when all have expired: %v", err)
		}
	})
}

func TestOfManyWhoWantALeaseOneGetsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		keep(t, store, "dead").halt()
		time.Sleep(2 * testTTL)
		won := make(chan string, 16)
		for i := range 16 {
			go func() {
				run := string(rune('a' + i))
				if _, err := testLeases(store).acquire(t.Context(), ownLease(run), 0); err == nil {
					won <- run
				}
			}()
		}
		synctest.Wait()
		if len(won) != 1 {
			t.Fatalf("%d have the lease", len(won))
		}
		if run := <-won; leaseHolder(t, store) != run {
			t.Errorf("%s believes to hold the lease of %s", run, leaseHolder(t, store))
		}
	})
}

func TestWaitingForALeaseEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		a := keep(t, store, "a")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := testLeases(store).acquire(ctx, ownLease("b"), time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("acquire: %v, want %v", err, context.DeadlineExceeded)
		}
		a.halt()
	})
}
