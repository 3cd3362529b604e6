//nolint:thelper // claims are tests, and a failure should name its line in them
package buckettest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

// writers is how many compete: more than a store's luck lasts.
const writers = 16

var conditions = []claim{
	{"of 16 writers where nothing stands one wins", oneCreates},
	{"of 16 writers over the same version one wins", oneReplaces},
	{"counting by compare-and-swap loses no count", counts},
	{"if-none-match refuses what stands and leaves it", refusesExisting},
	{"if-match refuses what changed, and what is absent", refusesStale},
	{"if-none-match wins again after a delete", afterDelete},
}

func oneCreates(t *testing.T, s bucket.Store) {
	for round := range 5 {
		race(t, s, "log/"+strconv.Itoa(round), bucket.Condition{IfNoneMatch: true})
	}
}

func oneReplaces(t *testing.T, s bucket.Store) {
	for round := range 5 {
		key := "lease/" + strconv.Itoa(round)
		race(t, s, key, bucket.Condition{IfMatch: put(t, s, key, "before", bucket.Condition{}).ETag})
	}
}

func race(t *testing.T, s bucket.Store, key string, cond bucket.Condition) {
	t.Helper()
	errs := atOnce(t.Context(), writers, func(ctx context.Context, i int) error {
		return putDecided(ctx, s, key, strconv.Itoa(i), cond)
	})
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("writers %d and %d both won %s", winner, i, key)
		case err == nil:
			winner = i
		case !errors.Is(err, bucket.ErrPrecondition):
			t.Fatalf("writer %d of %s = %v, want ErrPrecondition", i, key, err)
		}
	}
	if winner < 0 {
		t.Fatalf("nobody won %s", key)
	}
	wantBody(t, s, key, []byte(strconv.Itoa(winner)))
}

// putDecided repeats where the store asks for it.
func putDecided(ctx context.Context, s bucket.Store, key, body string, cond bucket.Condition) error {
	for {
		_, err := s.Put(ctx, key, []byte(body), cond)
		if !errors.Is(err, bucket.ErrConflict) {
			return err
		}
	}
}

func counts(t *testing.T, s bucket.Store) {
	const each = 5
	put(t, s, "count", "0", bucket.Condition{})
	errs := atOnce(t.Context(), 8, func(ctx context.Context, _ int) error {
		for range each {
			if err := countOne(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	wantErr(t, "counting", errors.Join(errs...), nil)
	wantBody(t, s, "count", []byte(strconv.Itoa(8*each)))
}

func countOne(ctx context.Context, s bucket.Store) error {
	for {
		body, info, err := s.Get(ctx, "count")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(body))
		if err != nil {
			return err
		}
		err = putDecided(ctx, s, "count", strconv.Itoa(n+1), bucket.Condition{IfMatch: info.ETag})
		if !errors.Is(err, bucket.ErrPrecondition) {
			return err
		}
	}
}

func refusesExisting(t *testing.T, s bucket.Store) {
	put(t, s, "k", "mine", bucket.Condition{IfNoneMatch: true})
	_, err := s.Put(t.Context(), "k", []byte("mine"), bucket.Condition{IfNoneMatch: true})
	wantErr(t, "the same Put again", err, bucket.ErrPrecondition)
	_, err = s.Put(t.Context(), "k", []byte("another's"), bucket.Condition{IfNoneMatch: true})
	wantErr(t, "another Put", err, bucket.ErrPrecondition)
	wantBody(t, s, "k", []byte("mine"))
}

func refusesStale(t *testing.T, s bucket.Store) {
	first := put(t, s, "k", "first", bucket.Condition{})
	second := put(t, s, "k", "second", bucket.Condition{IfMatch: first.ETag})
	_, err := s.Put(t.Context(), "k", []byte("late"), bucket.Condition{IfMatch: first.ETag})
	wantErr(t, "Put over a version that is gone", err, bucket.ErrPrecondition)
	wantBody(t, s, "k", []byte("second"))
	wantErr(t, "Delete", s.Delete(t.Context(), "k"), nil)
	_, err = s.Put(t.Context(), "k", []byte("late"), bucket.Condition{IfMatch: second.ETag})
	wantErr(t, "Put over nothing", err, bucket.ErrPrecondition)
	wantAbsent(t, s, "k")
}

func afterDelete(t *testing.T, s bucket.Store) {
	put(t, s, "k", "first", bucket.Condition{IfNoneMatch: true})
	wantErr(t, "Delete", s.Delete(t.Context(), "k"), nil)
	put(t, s, "k", "second", bucket.Condition{IfNoneMatch: true})
	wantBody(t, s, "k", []byte("second"))
}
