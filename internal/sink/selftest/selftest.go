// Package selftest finds out whether a store keeps what a commit is built on,
// before anything is written that matters.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"finoos-syncer/internal/sink/bucket"
)

// ErrLying says that a store does not keep what the commit protocol is built on.
var ErrLying = errors.New("the store does not do what a safe commit needs")

// Run tests a store at one key, named after the run; the object there stands from
// the first to the last step, so that what a crash leaves behind is found by it.
func Run(ctx context.Context, store bucket.Store, key, runID string) error {
	err := probeStore(ctx, store, key, runID)
	if err != nil && !errors.Is(err, ErrLying) {
		return fmt.Errorf("self-test: %w", err)
	}
	return errors.Join(err, store.Delete(ctx, key))
}

// Lying says what a store does wrong, and what to do about it.
func Lying(store bucket.Store, format string, args ...any) error {
	return fmt.Errorf("%w: %s %s; use a store (or a newer version of it, or a setting) that supports conditional writes and multipart uploads as Amazon S3 does",
		ErrLying, store, fmt.Sprintf(format, args...))
}

func probeStore(ctx context.Context, store bucket.Store, key, runID string) error {
	if err := probeConditions(ctx, store, key, runID); err != nil {
		return err
	}
	return probeUploads(ctx, store, key)
}

// probeConditions looks whether conditions hold, and leaves an object at key.
func probeConditions(ctx context.Context, store bucket.Store, key, runID string) error {
	probe := []byte("self-test of run " + runID + "\n")
	lie := func(format string, args ...any) error { return Lying(store, format, args...) }
	for attempt := range 2 {
		_, err := store.Put(ctx, key, probe, bucket.Condition{IfNoneMatch: true})
		switch {
		case errors.Is(err, bucket.ErrUnsupported):
			return lie("refuses conditional writes (%v)", err)
		case attempt == 0 && (err == nil || errors.Is(err, bucket.ErrPrecondition)):
			// The answer to a first request may have been lost.
		case attempt == 1 && err == nil:
			return lie("wrote an object over another although told not to (If-None-Match is ignored)")
		case !errors.Is(err, bucket.ErrPrecondition):
			return err
		}
	}
	_, err := store.Put(ctx, key, probe, bucket.Condition{IfMatch: `"00000000000000000000000000000000"`})
	switch {
	case err == nil:
		return lie("wrote an object over one with another ETag (If-Match is ignored)")
	case errors.Is(err, bucket.ErrUnsupported):
		return lie("refuses conditional writes (%v)", err)
	case !errors.Is(err, bucket.ErrPrecondition):
		return err
	}
	return nil
}

// probeUploads looks whether a pending upload can be found by its exact key
// and is gone when aborted.
func probeUploads(ctx context.Context, store bucket.Store, key string) error {
	lie := func(format string, args ...any) error { return Lying(store, format, args...) }
	up, err := store.CreateUpload(ctx, key)
	if errors.Is(err, bucket.ErrUnsupported) {
		return lie("refuses multipart uploads (%v)", err)
	}
	if err != nil {
		return err
	}
	for _, aborted := range []bool{false, true} {
		pending, err := store.PendingUploads(ctx, key)
		if errors.Is(err, bucket.ErrUnsupported) {
			return errors.Join(lie("does not list multipart uploads (%v)", err), store.AbortUpload(ctx, up))
		}
		if err != nil {
			return err
		}
		switch listed := slices.ContainsFunc(pending, func(p bucket.Upload) bool { return p.ID == up.ID }); {
		case !aborted && !listed:
			return errors.Join(lie("does not list a multipart upload under its own key"), store.AbortUpload(ctx, up))
		case aborted && listed:
			return lie("lists a multipart upload that was aborted")
		}
		// Not only the one that is known: where the answer to its creation was
		// lost, the request was repeated and there are two.
		for _, p := range pending {
			if err := store.AbortUpload(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sweep removes what self-tests of dead runs left below a prefix; runOf takes
// their keys apart. A run holds its lease before it tests, so those without one
// are dead.
func Sweep(ctx context.Context, store bucket.Store, prefix string, runOf func(key string) string, isAlive func(runID string) bool) error {
	for info, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return fmt.Errorf("list self-tests: %w", err)
		}
		if isAlive(runOf(info.Key)) {
			continue
		}
		pending, err := store.PendingUploads(ctx, info.Key)
		if err != nil {
			return fmt.Errorf("sweep self-test: %w", err)
		}
		for _, up := range pending {
			if err := store.AbortUpload(ctx, up); err != nil {
				return fmt.Errorf("sweep self-test: %w", err)
			}
		}
		if err := store.Delete(ctx, info.Key); err != nil {
			return fmt.Errorf("sweep self-test: %w", err)
		}
	}
	return nil
}
