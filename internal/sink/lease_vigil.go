package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"finoos-syncer/internal/sink/bucket"
)

// vigil makes sure that a run which slept past its lease begins nothing that
// nobody would clear up: who took it for dead has swept, and forgotten, the
// keys that it staged. Safe for concurrent use.
type vigil struct {
	lease  *leaseKeeper
	staged *stager

	mu     sync.Mutex
	lapses int // of the lease, that have been answered
}

// check is called before anything new is begun in the store.
func (v *vigil) check(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.lease.confirm(ctx); err != nil {
		return err
	}
	lapses := v.lease.lapsed()
	if lapses == v.lapses {
		return nil
	}
	if err := v.staged.restage(ctx); err != nil {
		return err
	}
	v.lapses = lapses
	return nil
}

// watchedUploads is a store in which uploads are begun under a vigil.
type watchedUploads struct {
	bucket.Uploads
	vigil *vigil
}

func (s watchedUploads) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	if err := s.vigil.check(ctx); err != nil {
		return bucket.Upload{}, err
	}
	return s.Uploads.CreateUpload(ctx, key)
}

// explain turns the loss of an upload that was not committed yet into what it
// means, if somebody else has cleared it away. Called with gate held.
func (w *Writer) explain(ctx context.Context, err error) error {
	if !errors.Is(err, bucket.ErrNoUpload) {
		return err
	}
	l := *w.log // its tail stays where it is
	found := l.follow(ctx, func(r *Record) error {
		if w.overtakes(r) {
			return w.overtakenBy(r)
		}
		return nil
	})
	return errors.Join(found, err)
}

func (w *Writer) overtakenBy(r *Record) error {
	return fmt.Errorf("%w: record %d (%s) of run %s is newer than what this run built on (%d)", ErrOvertaken, r.Seq, r.Kind, r.RunID, w.Seq())
}
