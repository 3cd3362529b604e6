package selftest

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
			store := folder(t)
			tt.store.Store = store
			err := Run(t.Context(), tt.store, prefix+"run", "run")
			if !errors.Is(err, ErrLying) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want that it %s", err, tt.says)
			}
			checkEmpty(t, store)
		})
	}
}

func TestAnHonestStorePassesAndIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	store := folder(t)
	if err := Run(t.Context(), store, prefix+"run", "run"); err != nil {
		t.Fatal(err)
	}
	checkEmpty(t, store)
}

func TestLeftoversOfDeadSelfTestsAreSweptAndLivingOnesAreNot(t *testing.T) {
	t.Parallel()
	store := folder(t)
	for _, run := range []string{"dead", "alive"} {
		if _, err := store.Put(t.Context(), prefix+run, []byte("x"), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.CreateUpload(t.Context(), prefix+run); err != nil {
			t.Fatal(err)
		}
	}
	runOf := func(key string) string { return strings.TrimPrefix(key, prefix) }
	if err := Sweep(t.Context(), store, prefix, runOf, func(run string) bool { return run == "alive" }); err != nil {
		t.Fatal(err)
	}
	for run, want := range map[string]int{"dead": 0, "alive": 1} {
		_, err := store.Stat(t.Context(), prefix+run)
		stands := err == nil
		pending, err := store.PendingUploads(t.Context(), prefix+run)
		if err != nil || len(pending) != want || stands != (want == 1) {
			t.Errorf("%s: %d uploads, object stands: %v, %v", run, len(pending), stands, err)
		}
	}
}

const prefix = "_syncer/j/selftest/"

func folder(t *testing.T) bucket.Store {
	t.Helper()
	store, err := bucket.Open(t.Context(), "file://"+t.TempDir(), bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// checkEmpty fails where a test has left something.
func checkEmpty(t *testing.T, store bucket.Store) {
	t.Helper()
	for info, err := range store.List(t.Context(), "", "") {
		t.Errorf("left behind: %s (%v)", info.Key, err)
	}
	pending, err := store.PendingUploads(t.Context(), prefix+"run")
	if err != nil || len(pending) > 0 {
		t.Errorf("left pending: %v (%v)", pending, err)
	}
}
