// Package selftest finds out whether a store keeps what a commit is built on,
// before anything is written that matters:
//
//	conditions.go   of eight that write one object under a condition one wins, and
//	                what it wrote is read back, dated by a clock that the store tells
//	uploads.go      an upload is seen by nobody until it is complete, is found by its
//	                exact key until it is complete or aborted, and then stands with
//	                its bytes, its size and what it was created with
//
// Both work below one prefix, at two keys that are named after the run. The object
// at the first stands from the first step to the last, so that what a crash leaves
// behind is found by it.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// ErrLying says that a store does not keep what the commit protocol is built on.
var ErrLying = errors.New("the store does not do what a safe commit needs")

// Keys are where a self-test works. Nobody else writes there.
type Keys struct {
	Conditions string
	Upload     string
}

// Lying says what a store does wrong, and what to do about it.
func Lying(store bucket.Store, format string, args ...any) error {
	return fmt.Errorf("%w: %s %s; use a store (or a newer version of it, or a setting) that supports conditional writes and multipart uploads as Amazon S3 does",
		ErrLying, store, fmt.Sprintf(format, args...))
}

// Run tests a store, and removes what it wrote, whatever came of it.
func Run(ctx context.Context, store bucket.Store, keys Keys) error {
	p := &examination{store: store, keys: keys}
	err := p.conditions(ctx)
	if err == nil {
		err = p.uploads(ctx)
	}
	if err == nil {
		err = p.clear(ctx)
	} else {
		_ = p.clear(ctx) // what it cannot remove, the next run does
	}
	if err != nil && !errors.Is(err, ErrLying) {
		return fmt.Errorf("self-test: %w", err)
	}
	return err
}

// examination is one self-test under way.
type examination struct {
	store bucket.Store
	keys  Keys
	known []bucket.Upload // that were begun
}

func (p *examination) lie(format string, args ...any) error { return Lying(p.store, format, args...) }

// clearFor bounds how long a test clears up after itself once its caller has gone.
const clearFor = 20 * time.Second

// clear removes everything, and looks whether what was deleted is gone.
func (p *examination) clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearFor)
	defer cancel()
	// Those that are known, should the store list none, and those that are listed,
	// should the answer to a beginning have been lost: it was repeated, and there
	// are two.
	for _, up := range p.known {
		if err := p.store.AbortUpload(ctx, up); err != nil {
			return err
		}
	}
	return Clear(ctx, p.store, p.keys)
}

// Clear removes what a self-test left at its keys. What it is found by goes last.
func Clear(ctx context.Context, store bucket.Store, keys Keys) error {
	for _, key := range []string{keys.Upload, keys.Conditions} {
		pending, err := store.PendingUploads(ctx, key)
		if err != nil && !errors.Is(err, bucket.ErrUnsupported) {
			return err
		}
		for _, up := range pending {
			if err := store.AbortUpload(ctx, up); err != nil {
				return err
			}
		}
		if err := store.Delete(ctx, key); err != nil {
			return err
		}
	}
	_, err := store.Stat(ctx, keys.Conditions)
	switch {
	case err == nil:
		return Lying(store, "shows an object that was deleted")
	case errors.Is(err, bucket.ErrNotExist):
		return nil
	}
	return err
}

// Sweep removes what self-tests of dead runs left below a prefix; runOf and keysOf
// go from a key to its run, and back to all of its keys. A run holds its lease before
// it tests, so those without one are dead: living is asked when the tests are listed.
func Sweep(ctx context.Context, store bucket.Store, prefix string, runOf func(key string) string, keysOf func(runID string) Keys,
	living func(context.Context) (isAlive func(runID string) bool, err error),
) error {
	var runs []string
	for info, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return fmt.Errorf("list self-tests: %w", err)
		}
		if run := runOf(info.Key); run != "" && !slices.Contains(runs, run) {
			runs = append(runs, run)
		}
	}
	if len(runs) == 0 {
		return nil
	}
	isAlive, err := living(ctx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if isAlive(run) {
			continue
		}
		if err := Clear(ctx, store, keysOf(run)); err != nil {
			return fmt.Errorf("sweep self-test: %w", err)
		}
	}
	return nil
}
