package sink

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/trouble"

	"finoos-syncer/internal/trouble/troubletest"
)

// toldLeases are leases whose waiting is told.
func toldLeases(store bucket.Objects) (*leases, *troubletest.Lines) {
	var told troubletest.Lines
	ls := testLeases(store)
	ls.watch = trouble.New(slog.New(slog.NewTextHandler(&told, nil)))
	return ls, &told
}

func TestWhoIsWaitedForIsToldAtOnceThenOnceAMinuteAndWhenItIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		own := ownLease("a")
		own.AcquiredAt = time.Now()
		etag, err := testLeases(store).acquire(t.Context(), own, 0)
		if err != nil {
			t.Fatal(err)
		}
		a := keepLease(t.Context(), testLeases(store), own, etag, testRenew, slog.New(slog.DiscardHandler))
		time.AfterFunc(70*time.Second, func() {
			if err := a.release(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		ls, told := toldLeases(store)
		if _, err := ls.acquire(t.Context(), ownLease("b"), 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(told.String()), "\n")
		if len(lines) != 3 {
			t.Fatalf("told:\n%s", told)
		}
		for i, want := range [][]string{
			{"level=WARN", `msg="another run is at work: waiting for it" holder="host of a" works_on="shard 0 of 1" since=`, "holder_run=a", "lease_until=", `left="5 min"`},
			{"level=WARN", `msg="another run is still at work: waiting for it" for="1 min"`, `holder="host of a"`, `left="4 min"`},
			{"level=WARN", `msg="the other run is no longer at work" for="1 min 1`},
		} {
			for _, part := range want {
				if !strings.Contains(lines[i], part) {
					t.Errorf("line %d lacks %s: %s", i, part, lines[i])
				}
			}
		}
	})
}

func TestWhoDoesNotWaitIsToldNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		a := keep(t, store, "a")
		defer a.halt()
		ls, told := toldLeases(store)
		_, err := ls.acquire(t.Context(), ownLease("b"), 0)
		if held, ok := errors.AsType[*HeldError](err); !ok || strings.Contains(held.Error(), "since") || told.Len() > 0 {
			t.Errorf("%v, told: %s", err, told)
		}
		if _, err = ls.acquire(t.Context(), ownLease("b"), time.Second); err == nil {
			t.Error("the lease was taken")
		}
		time.Sleep(time.Hour) // it was given up: nothing is said of it any more
		if n := strings.Count(told.String(), "\n"); n != 1 || ls.watch.Counts()[trouble.Lease].Seconds != 1 {
			t.Errorf("told: %s", told)
		}
	})
}

func TestALeaseThatIsNotRenewedIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		hook := &putHook{Store: store}
		ill := time.Now().Add(5 * time.Minute)
		hook.put = func(n int, _ string, next func() (bucket.Info, error)) (bucket.Info, error) {
			if n > 0 && time.Now().Before(ill) {
				return bucket.Info{}, errors.New("timeout")
			}
			return next()
		}
		var told troubletest.Lines
		ls, own := testLeases(hook), ownLease("a")
		etag, err := ls.acquire(t.Context(), own, 0)
		if err != nil {
			t.Fatal(err)
		}
		a := keepLease(t.Context(), ls, own, etag, testRenew, slog.New(slog.NewTextHandler(&told, nil)))
		time.Sleep(6 * time.Minute)
		a.halt()
		lines := strings.Split(strings.TrimSpace(told.String()), "\n")
		if len(lines) != 6 || !strings.Contains(lines[0], "lease not renewed") || !strings.Contains(lines[5], `msg="lease renewed again" tries=19`) {
			t.Errorf("told:\n%s", told.String())
		}
	})
}
