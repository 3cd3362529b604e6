package sink

import (
	"context"
	"errors"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

// liar is a store that does not do what it is asked to.
type liar struct {
	bucket.Store
	ignoresNoneMatch, ignoresMatch, refusesConditions bool
	listsNothing, refusesListing, refusesUploads      bool
}

func (l liar) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	if l.refusesConditions && cond != (bucket.Condition{}) {
		return bucket.Info{}, bucket.ErrUnsupported
	}
	cond.IfNoneMatch = cond.IfNoneMatch && !l.ignoresNoneMatch
	if l.ignoresMatch {
		cond.IfMatch = ""
	}
	return l.Store.Put(ctx, key, body, cond)
}

func (l liar) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	if l.refusesUploads {
		return bucket.Upload{}, bucket.ErrUnsupported
	}
	return l.Store.CreateUpload(ctx, key)
}

func (l liar) PendingUploads(ctx context.Context, key string) ([]bucket.Upload, error) {
	switch {
	case l.refusesListing:
		return nil, bucket.ErrUnsupported
	case l.listsNothing:
		return nil, nil
	default:
		return l.Store.PendingUploads(ctx, key)
	}
}

func TestAStoreThatLiesIsFoundOut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		store liar
		says  string
	}{
		"ignores If-None-Match":      {liar{ignoresNoneMatch: true}, "If-None-Match is ignored"},
		"ignores If-Match":           {liar{ignoresMatch: true}, "If-Match is ignored"},
		"refuses conditional writes": {liar{refusesConditions: true}, "refuses conditional writes"},
		"refuses multipart uploads":  {liar{refusesUploads: true}, "refuses multipart uploads"},
		"refuses to list uploads":    {liar{refusesListing: true}, "does not list multipart uploads"},
		"lists no uploads":           {liar{listsNothing: true}, "does not list a multipart upload"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			tt.store.Store = store
			err := selfTest(t.Context(), tt.store, "j", "run")
			if !errors.Is(err, ErrLyingStore) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want that it %s", err, tt.says)
			}
			if len(store.objects)+len(store.uploads) > 0 {
				t.Errorf("left behind: %v, %v", store.objects, store.uploads)
			}
			_, err = Open(t.Context(), Options{Store: tt.store, Job: "j", RunID: "run", patience: impatient})
			if !errors.Is(err, ErrLyingStore) {
				t.Errorf("open: %v, want %v", err, ErrLyingStore)
			}
			if len(store.objects)+len(store.uploads) > 0 {
				t.Errorf("open left behind: %v, %v", store.objects, store.uploads)
			}
		})
	}
}

func TestAnHonestStorePassesAndIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	if err := selfTest(t.Context(), store, "j", "run"); err != nil {
		t.Fatal(err)
	}
	if len(store.objects)+len(store.uploads) > 0 {
		t.Errorf("left behind: %v, %v", store.objects, store.uploads)
	}
}

func TestLeftoversOfDeadSelfTestsAreSweptAndLivingOnesAreNot(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	keys := jobKeys("j")
	for _, run := range []string{"dead", "alive"} {
		if _, err := store.Put(t.Context(), keys.selfTest(run), []byte("x"), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.CreateUpload(t.Context(), keys.selfTest(run)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sweepSelfTests(t.Context(), store, keys, func(run string) bool { return run == "alive" }); err != nil {
		t.Fatal(err)
	}
	for run, want := range map[string]int{"dead": 0, "alive": 1} {
		_, stands := store.objects[keys.selfTest(run)]
		pending, err := store.PendingUploads(t.Context(), keys.selfTest(run))
		if err != nil || len(pending) != want || stands != (want == 1) {
			t.Errorf("%s: %d uploads, object stands: %v, %v", run, len(pending), stands, err)
		}
	}
}
