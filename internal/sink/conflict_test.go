package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// busy is a store that says of each write, before it takes it, that others are at
// the same key.
type busy struct {
	bucket.Store

	mu   sync.Mutex
	said map[string]int
}

func (b *busy) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	b.mu.Lock()
	b.said[key]++
	first := b.said[key]%2 == 1
	b.mu.Unlock()
	if first {
		return bucket.Info{}, fmt.Errorf("put %s: %w", key, bucket.ErrConflict)
	}
	return b.Store.Put(ctx, key, body, cond)
}

func TestAConflictAtAnyWriteIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Index: 3, Count: 128}, 4)
		w.every = 1 // so that there are checkpoints
		store := &busy{Store: w.police, said: map[string]int{}}
		night := func() {
			t.Helper()
			if err := w.run(t.Context(), store); err != nil {
				t.Fatal(err)
			}
			w.night()
		}
		for range 3 {
			night()
		}
		w.backfill, w.shard = "history", cursors.Shard{Count: 1}
		if err := w.run(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		k := jobKeys("j")
		for _, want := range []string{
			k.leases(), k.selfTests(), k.stagings(), k.cursorObjects(), k.record(1), k.published(1), k.checkpoints(), k.states(), k.reports(),
			k.definition("history"), k.backfillLedger("history"), k.finished("history"),
		} {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(store.said)), func(key string) bool { return strings.HasPrefix(key, want) }) {
				t.Errorf("nothing was written to %s: the test does not see it", want)
			}
		}
	})
}

// TestWritesGoByTheHelperThatRepeatsThem looks for writes past it. Those of records
// and of states have loops of their own, which read again what stands there.
func TestWritesGoByTheHelperThatRepeatsThem(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*.go", "attempts/*.go", "selftest/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ownLoop := map[string]int{"log.go": 1, "state_update.go": 1}
			if n := strings.Count(string(text), ".Put(ctx"); n > ownLoop[file] && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s writes without bucket.Write", file)
			}
		}
	}
}

// TestALeaseNamesOnlyAHolderThatItRead lets a lease be refused that nobody has.
func TestALeaseNamesOnlyAHolderThatItRead(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("put: %w", bucket.ErrPrecondition)
	for name, c := range map[string]struct {
		err   error
		times int // that it is said
		takes bool
	}{
		"refused once for nothing":    {refused, 1, true},
		"conflicts for a while":       {bucket.ErrConflict, 25, true},
		"refused for ever":            {refused, 1 << 30, false},
		"conflicts for ever":          {bucket.ErrConflict, 1 << 30, false},
		"a fault, and nothing stands": {errInjected, 1 << 30, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hook := &putHook{Store: newMemStore()}
				hook.put = func(n int, _ string, next func() (bucket.Info, error)) (bucket.Info, error) {
					if n < c.times {
						return bucket.Info{}, c.err
					}
					return next()
				}
				began := time.Now()
				etag, err := testLeases(hook).acquire(t.Context(), ownLease("a"), time.Minute)
				if _, held := errors.AsType[*HeldError](err); held {
					t.Errorf("somebody is said to hold it: %v", err)
				}
				if took := (err == nil && etag != ""); took != c.takes {
					t.Errorf("taken: %v, %v", took, err)
				}
				if !c.takes && !errors.Is(err, c.err) {
					t.Errorf("acquire = %v, want why it was not written", err)
				}
				if took := time.Since(began); took > 5*time.Minute {
					t.Errorf("given up after %v", took)
				}
			})
		})
	}
}

// TestALeaseThatIsGivenBackJustBeforeItIsReadIsTaken: the loser of a race that finds
// nobody there writes again.
func TestALeaseThatIsGivenBackJustBeforeItIsReadIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		key := jobKeys("j").lease(0, "")
		hook := &putHook{Store: store}
		hook.put = func(n int, _ string, next func() (bucket.Info, error)) (bucket.Info, error) {
			if n > 0 {
				return next()
			}
			if _, err := testLeases(store).write(t.Context(), key, ownLease("b"), bucket.Condition{IfNoneMatch: true}); err != nil {
				t.Fatal(err)
			}
			defer store.Delete(t.Context(), key) //nolint:errcheck // in memory
			return next()
		}
		if _, err := testLeases(hook).acquire(t.Context(), ownLease("a"), 0); err != nil || leaseHolder(t, store) != "a" {
			t.Errorf("held by %q: %v", leaseHolder(t, store), err)
		}
	})
}

// conflictsAt says of a key's first writes that another is under way.
func conflictsAt(store bucket.Store, key string, times int) bucket.Store {
	var said int
	hook := &putHook{Store: store}
	hook.put = func(_ int, at string, next func() (bucket.Info, error)) (bucket.Info, error) {
		if at == key {
			if said++; said <= times {
				return bucket.Info{}, bucket.ErrConflict
			}
		}
		return next()
	}
	return hook
}

// Others at the same key are no fault of the store, which is asked a few times only.
func TestAStateGivesWayToOthersMoreOftenThanToFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
		wr := w.openOver(conflictsAt(w.police, stateKey, stateRounds-1))
		if _, err := count(t.Context(), wr); err != nil {
			t.Error(err)
		}
		w.wantCount("1")
	})
}

func TestAMarkIsWrittenHoweverLongOthersAreAtIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		l := testLedger(conflictsAt(store, jobKeys("j").published(1), 25)) // more than one write gives way
		l.patience = patient
		r := testRecord("a")
		r.Seq = 1
		if m, err := l.settle(t.Context(), r, publishedMark{RunID: "a"}); err != nil || m.RunID != "a" {
			t.Errorf("settle = %+v, %v", m, err)
		}
		if m, err := l.mark(t.Context(), 1); err != nil || m == nil || m.RunID != "a" {
			t.Errorf("the mark is %+v, %v", m, err)
		}
	})
}

// foldStore is a store in which case does not count, as in folders of macOS and
// Windows.
type foldStore struct{ *memStore }

func fold(key string) string { return strings.ToLower(key) }

func (f foldStore) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	return f.memStore.Get(ctx, fold(key))
}

func (f foldStore) Stat(ctx context.Context, key string) (bucket.Info, error) {
	return f.memStore.Stat(ctx, fold(key))
}

func (f foldStore) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	return f.memStore.Put(ctx, fold(key), body, cond)
}

func TestAJobWhoseNameIsAnothersButForCaseIsRefused(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Count: 1}, 2)
	w.mustRun()
	w.beginBackfill()
	w.mustRun()
	before := w.list("")
	folded := foldStore{store}
	_, err := Open(t.Context(), Options{Store: folded, Job: "J", RunID: "run", patience: impatient})
	if !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "the log of job J is that of job j") {
		t.Errorf("open: %v, want whose log it is", err)
	}
	if _, _, err := FindBackfill(t.Context(), folded, "j", "History"); err == nil || !strings.Contains(err.Error(), "History is backfill history") {
		t.Errorf("find backfill: %v, want whose it is", err)
	}
	if diff := slices.Compare(before, w.list("")); diff != 0 {
		t.Errorf("something was written: %v", w.list(""))
	}
}
