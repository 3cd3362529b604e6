package sink

import (
	"context"
	"fmt"

	"finoos-syncer/internal/sink/bucket"
)

// StoreCheck is one thing that a job needs of its store, and what came of it.
type StoreCheck struct {
	Name string
	Err  error // nil, or why it does not work: ErrLyingStore, bucket.ErrDenied, …
}

// Examine tries everything on a store that a run of the job will need, at one
// key of its own, named by id, and removes what it wrote. It takes no lease; a
// run that begins at the same moment may clear its object away, which then shows
// as an error here and harms nothing.
func Examine(ctx context.Context, store bucket.Store, job, id string) ([]StoreCheck, error) {
	for what, name := range map[string]string{"job": job, "id": id} {
		if err := checkName(what, name); err != nil {
			return nil, err
		}
	}
	keys := jobKeys(job)
	key := keys.selfTest(id)
	var done []StoreCheck
	for _, check := range []struct {
		name string
		do   func() error
	}{
		{"list objects", func() error { return anyListed(ctx, store, keys.log()) }},
		{"write under a condition", func() error { return probeConditions(ctx, store, key, id) }},
		{"read back", func() error { _, _, err := store.Get(ctx, key); return err }},
		{"pending uploads: create, list, abort", func() error { return probeUploads(ctx, store, key) }},
		{"delete", func() error { return store.Delete(ctx, key) }},
	} {
		err := check.do()
		if ctx.Err() != nil {
			return done, fmt.Errorf("examine the store: %w", ctx.Err())
		}
		done = append(done, StoreCheck{Name: check.name, Err: err})
	}
	return done, nil
}

// anyListed lists until the first object.
func anyListed(ctx context.Context, store bucket.Store, prefix string) error {
	for _, err := range store.List(ctx, prefix, "") {
		return err
	}
	return nil
}
