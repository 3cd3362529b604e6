package sink

import (
	"context"
	"errors"
	"fmt"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// errVoided says that somebody else has taken the same record back.
var errVoided = errors.New("taken back already")

// lost deals with a committed record of which an upload is gone, with no
// object in its place: a lifecycle rule, a person. It is not passed over: the
// record is taken back, so that its users are pulled again.
func (t *takeover) lost(ctx context.Context, r *Record) error {
	w := t.w
	if !w.answersFor(r.Backfill, cursors.Shard{Index: r.Shard, Count: r.Shards}) {
		w.o.Logger.WarnContext(ctx, "record of another shard cannot be published, an upload is gone", "seq", r.Seq)
		return nil
	}
	// Its owner may be completing it at this moment: look again, twice.
	for n := range 2 {
		if err := w.o.patience.pause(ctx, n); err != nil {
			return err
		}
		err := w.log.publish(ctx, w.store, r, w.o.RunID)
		if !errors.Is(err, bucket.ErrNoUpload) {
			return err
		}
	}
	void := w.newRecord(KindVoid, r.Buckets)
	void.Voids, void.Backfill = r.Seq, r.Backfill
	err := t.append(ctx, void, func(met *Record) error {
		if err := t.adopt(met); err != nil {
			return err
		}
		if met.Kind == KindVoid && met.Voids == r.Seq {
			return errVoided
		}
		return nil
	})
	if err != nil && !errors.Is(err, errVoided) {
		return fmt.Errorf("take back record %d: %w", r.Seq, err)
	}
	w.o.Logger.ErrorContext(ctx, "an upload of a committed record is gone: the record is taken back, its users will be pulled in full",
		"seq", r.Seq, "voided_by", t.voids[r.Seq], "run_id_voided", r.RunID)
	return t.takeBack(ctx, r, t.voids[r.Seq])
}

// takeBack removes what stands of a record that was voided, and marks its
// number as dealt with so that loaders go on. It may be repeated.
func (t *takeover) takeBack(ctx context.Context, r *Record, by uint64) error {
	for _, f := range r.Files {
		if err := t.w.store.AbortUpload(ctx, f.Upload.Upload); err != nil {
			return fmt.Errorf("take back record %d: %w", r.Seq, err)
		}
		if err := t.w.store.Delete(ctx, f.Path); err != nil {
			return fmt.Errorf("take back record %d: %w", r.Seq, err)
		}
	}
	return t.w.log.markPublished(ctx, r, publishedMark{RunID: t.w.o.RunID, VoidedBy: by})
}
