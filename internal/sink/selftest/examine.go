package selftest

import (
	"context"
	"fmt"

	"finoos-syncer/internal/sink/bucket"
)

// Check is one thing that a job needs of its store, and what came of it.
type Check struct {
	Name string
	Err  error // nil, or why it does not work: ErrLying, bucket.ErrDenied, …
}

// Examine tries everything on a store that a run will need, at one key of its own,
// and removes what it wrote. list is a prefix that a run lists.
func Examine(ctx context.Context, store bucket.Store, list, key, id string) ([]Check, error) {
	var done []Check
	for _, check := range []struct {
		name string
		do   func() error
	}{
		{"list objects", func() error { return anyListed(ctx, store, list) }},
		{"write under a condition", func() error { return probeConditions(ctx, store, key, id) }},
		{"read back", func() error { _, _, err := store.Get(ctx, key); return err }},
		{"pending uploads: create, list, abort", func() error { return probeUploads(ctx, store, key) }},
		{"delete", func() error { return store.Delete(ctx, key) }},
	} {
		err := check.do()
		if ctx.Err() != nil {
			return done, fmt.Errorf("examine the store: %w", ctx.Err())
		}
		done = append(done, Check{Name: check.name, Err: err})
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
