package sink

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
)

// impatient is for tests that do not run in a synctest bubble.
var impatient = patience{attempts: 4, first: time.Millisecond, longest: time.Millisecond, grace: 5 * time.Second}

// putHook stands between a writer and a store and does what it likes with
// puts.
type putHook struct {
	bucket.Store
	put func(n int, key string, next func() (bucket.Info, error)) (bucket.Info, error)

	mu   sync.Mutex
	puts int
}

func (h *putHook) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	h.mu.Lock()
	n := h.puts
	h.puts++
	h.mu.Unlock()
	late := context.WithoutCancel(ctx) // a request on its way may arrive when nobody waits for it
	return h.put(n, key, func() (bucket.Info, error) { return h.Store.Put(late, key, body, cond) })
}

func testRecord(runID string) *Record {
	return &Record{Version: recordVersion, Schema: Schema, Job: "j", RunID: runID, Nonce: "nonce of " + runID, Kind: KindRun, Shards: 1}
}

func testLedger(store bucket.Objects) *ledger {
	return &ledger{store: store, keys: "j", patience: impatient}
}

// seqs reads who wrote what in the whole log.
func logOf(t *testing.T, store bucket.Objects) (entries []string) {
	t.Helper()
	for r, err := range ReadLog(t.Context(), store, "j", 0) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, fmt.Sprintf("%d %s", r.Seq, r.RunID))
	}
	return entries
}

func TestAnAmbiguousAnswerIsSettledByReadingBack(t *testing.T) {
	t.Parallel()
	lost := errors.New("the answer was lost")
	other := testRecord("other")
	tests := []struct {
		name string
		put  func(ctx context.Context, store *memStore, n int, next func() (bucket.Info, error)) (bucket.Info, error)
		want []string
		puts int
	}{
		{
			name: "written, answer lost",
			put: func(_ context.Context, _ *memStore, _ int, next func() (bucket.Info, error)) (bucket.Info, error) {
				_, _ = next()
				return bucket.Info{}, lost
			},
			want: []string{"1 me"}, puts: 1,
		},
		{
			name: "written, the request repeated by the store finds it",
			put: func(_ context.Context, _ *memStore, _ int, next func() (bucket.Info, error)) (bucket.Info, error) {
				_, _ = next()
				return next()
			},
			want: []string{"1 me"}, puts: 1,
		},
		{
			name: "not written, answer lost: the same number again",
			put: func(_ context.Context, _ *memStore, n int, next func() (bucket.Info, error)) (bucket.Info, error) {
				if n == 0 {
					return bucket.Info{}, lost
				}
				return next()
			},
			want: []string{"1 me"}, puts: 2,
		},
		{
			name: "conflict: the same number again",
			put: func(_ context.Context, _ *memStore, n int, next func() (bucket.Info, error)) (bucket.Info, error) {
				if n < 2 {
					return bucket.Info{}, bucket.ErrConflict
				}
				return next()
			},
			want: []string{"1 me"}, puts: 3,
		},
		{
			name: "refused, but nothing stands there: the same number again",
			put: func(_ context.Context, _ *memStore, n int, next func() (bucket.Info, error)) (bucket.Info, error) {
				if n == 0 {
					return bucket.Info{}, bucket.ErrPrecondition
				}
				return next()
			},
			want: []string{"1 me"}, puts: 2,
		},
		{
			name: "answer lost, and another was first: the next number",
			put: func(ctx context.Context, store *memStore, n int, next func() (bucket.Info, error)) (bucket.Info, error) {
				if n == 0 {
					if err := testLedger(store).append(ctx, other, nil); err != nil {
						return bucket.Info{}, err
					}
					return bucket.Info{}, lost
				}
				return next()
			},
			want: []string{"1 other", "2 me"}, puts: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			hook := &putHook{Store: store, put: func(n int, _ string, next func() (bucket.Info, error)) (bucket.Info, error) {
				return tt.put(t.Context(), store, n, next)
			}}
			err := testLedger(hook).append(t.Context(), testRecord("me"), func(*Record) error { return nil })
			if err != nil {
				t.Fatalf("append: %v", err)
			}
			if diff := cmp.Diff(tt.want, logOf(t, store)); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
			if hook.puts != tt.puts {
				t.Errorf("%d puts, want %d", hook.puts, tt.puts)
			}
		})
	}
}

func TestANumberIsNeverGivenUpWhileNobodyElseHasIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		var keys []string
		hook := &putHook{Store: store, put: func(_ int, key string, _ func() (bucket.Info, error)) (bucket.Info, error) {
			keys = append(keys, key)
			return bucket.Info{}, errors.New("internal error")
		}}
		l := testLedger(hook)
		l.patience = patient
		err := l.append(t.Context(), testRecord("me"), nil)
		if !errors.Is(err, errUnsettled) {
			t.Fatalf("append: %v, want %v", err, errUnsettled)
		}
		if len(keys) != patient.attempts {
			t.Errorf("%d attempts, want %d", len(keys), patient.attempts)
		}
		for _, key := range keys {
			if want := l.keys.record(1); key != want {
				t.Errorf("tried %s, want only %s", key, want)
			}
		}
	})
}

func TestARecordThatArrivesLateIsRecognised(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	var late func()
	hook := &putHook{Store: store}
	hook.put = func(n int, _ string, next func() (bucket.Info, error)) (bucket.Info, error) {
		if n == 0 {
			late = func() { _, _ = next() }
			return bucket.Info{}, errors.New("timeout")
		}
		late()
		return next()
	}
	if err := testLedger(hook).append(t.Context(), testRecord("me"), nil); err != nil {
		t.Fatalf("append: %v", err)
	}
	if diff := cmp.Diff([]string{"1 me"}, logOf(t, store)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestWhatOthersWroteIsMetInOrderAndMayStopTheAppend(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	l := testLedger(store)
	others := testLedger(store)
	for _, run := range []string{"a", "b", "c"} {
		if err := others.append(t.Context(), testRecord(run), nil); err != nil {
			t.Fatal(err)
		}
	}
	var met []string
	stop := errors.New("stop")
	err := l.append(t.Context(), testRecord("me"), func(r *Record) error {
		if met = append(met, r.RunID); r.RunID == "b" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || errors.Is(err, errUnsettled) {
		t.Errorf("append: %v, want %v", err, stop)
	}
	if diff := cmp.Diff([]string{"a", "b"}, met); diff != "" {
		t.Errorf("met (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 a", "2 b", "3 c"}, logOf(t, store)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestWritersOnOneLogGetOneNumberEach(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 20
	store := newMemStore()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			l := testLedger(store)
			for i := range each {
				r := testRecord(strconv.Itoa(w))
				r.Nonce = strconv.Itoa(i)
				if err := l.append(t.Context(), r, func(*Record) error { return nil }); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	next := map[string]int{}
	var seq uint64
	for r, err := range ReadLog(t.Context(), store, "j", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if seq++; r.Seq != seq {
			t.Fatalf("record %d follows %d", r.Seq, seq-1)
		}
		if want := strconv.Itoa(next[r.RunID]); r.Nonce != want {
			t.Errorf("record %d of writer %s is its number %s, want %s", seq, r.RunID, r.Nonce, want)
		}
		next[r.RunID]++
	}
	if seq != writers*each {
		t.Errorf("%d records, want %d", seq, writers*each)
	}
}

func TestReadLogYieldsWhatIsNewerWithItsMarks(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	l := testLedger(store)
	const n = 3*readAhead + 5
	for i := range n {
		r := testRecord("run")
		if err := l.append(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if _, err := l.settle(t.Context(), r, publishedMark{RunID: "run"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, after := range []uint64{0, 1, 2, 63, 64, 65, n - 1, n} {
		want := after
		for r, err := range ReadLog(t.Context(), store, "j", after) {
			if err != nil {
				t.Fatal(err)
			}
			want++
			if r.Seq != want || r.Published != ((want-1)%3 == 0) {
				t.Errorf("after %d: record %d, published %v; want record %d", after, r.Seq, r.Published, want)
			}
		}
		if want != n {
			t.Errorf("after %d: ended at %d, want %d", after, want, n)
		}
	}
}

func TestAHoleInTheLogIsAnError(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	l := testLedger(store)
	for range 3 {
		if err := l.append(t.Context(), testRecord("run"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Delete(t.Context(), l.keys.record(2)); err != nil {
		t.Fatal(err)
	}
	for _, err := range ReadLog(t.Context(), store, "j", 0) {
		if !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("got %v, want %v", err, bucket.ErrNotExist)
		}
	}
}

func TestARecordOfANewerVersionIsNotGuessed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"version":2,"seq":1}`, `{"version":1,"seq":7}`, `{"version":1,`} {
		if r, err := parseRecord([]byte(body), 1); err == nil {
			t.Errorf("%s is read as %+v", body, r)
		}
	}
}
