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

// Examine tries everything on a store that a run will need, at keys of its own, and
// removes what it wrote. list is a prefix that a run lists.
func Examine(ctx context.Context, store bucket.Store, list string, keys Keys) ([]Check, error) {
	p := &examination{store: store, keys: keys}
	var done []Check
	for _, check := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"list objects", func(ctx context.Context) error { return anyListed(ctx, store, list) }},
		{"write under a condition", p.conditions},
		{"read back", func(ctx context.Context) error { _, _, err := store.Get(ctx, keys.Conditions); return err }},
		{"pending uploads: create, list, complete, abort", p.uploads},
		{"delete", p.clear},
	} {
		err := check.do(ctx)
		if ctx.Err() != nil {
			_ = p.clear(ctx) // as far as it goes
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
