package sink

import (
	"context"
	"errors"
	"fmt"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/table"
)

// publish makes the files of a committed record visible, those of pulls last
// since they say what the others mean, and marks it so. Every step may be
// repeated, by anybody.
func (l *ledger) publish(ctx context.Context, store bucket.Uploads, r *Record, runID string) error {
	for _, last := range []bool{false, true} {
		for _, f := range r.Files {
			if (f.Table == table.PullsName) != last {
				continue
			}
			if err := store.CompleteUpload(ctx, f.Upload.Upload, f.Upload.Parts); err != nil {
				return fmt.Errorf("publish record %d: %w", r.Seq, err)
			}
		}
	}
	return l.markPublished(ctx, r, publishedMark{RunID: runID})
}

// publishAll publishes every record that this run knows to be unpublished, its
// own and those of others that it met. Who wrote one may be at work on it at
// the same time; a failure on somebody else's is left to its owner.
func (w *Writer) publishAll(ctx context.Context) error {
	var failed error
	var left []*Record
	for _, r := range w.unpublished {
		if w.voided[r.Seq] {
			left = append(left, r) // its voider is at it
			continue
		}
		err := w.publishOne(ctx, r)
		if err == nil {
			continue
		}
		left = append(left, r)
		if r.RunID == w.o.RunID {
			failed = errors.Join(failed, err)
		} else {
			w.o.Logger.WarnContext(ctx, "record of another run not published", "seq", r.Seq, "error", err)
		}
	}
	w.unpublished = left
	return failed
}

func (w *Writer) publishOne(ctx context.Context, r *Record) error {
	if r.RunID != w.o.RunID {
		_, err := w.store.Stat(ctx, w.keys.published(r.Seq))
		if err == nil {
			return nil
		}
		if !errors.Is(err, bucket.ErrNotExist) {
			return fmt.Errorf("publish record %d: %w", r.Seq, err)
		}
	}
	return w.log.publish(ctx, w.store, r, w.o.RunID)
}
