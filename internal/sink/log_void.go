package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// errVoided says that somebody else has taken the same record back.
var errVoided = errors.New("taken back already")

// isLost says that an upload of a committed record will never be completed: it is gone,
// with no object in its place, or it is not what was acknowledged. A lifecycle rule, a
// person, a disk.
func isLost(err error) bool {
	return errors.Is(err, bucket.ErrNoUpload) || errors.Is(err, bucket.ErrBadUpload)
}

// lost deals with a committed record of which an upload is lost. It is not passed
// over: the record is taken back, so that its users are pulled again.
//
//	look again, twice ──► its run lives? ──► void in the log ──► mark claimed ──► files deleted
//	      │                     │                                     │
//	      └─ published          └─ its own to deal with               └─ published meanwhile: nothing
func (t *takeover) lost(ctx context.Context, r *Record, why error) error {
	w := t.w
	if !w.answersFor(r.Backfill, cursors.Shard{Index: r.Shard, Count: r.Shards}) {
		t.dealt[r.Seq] = true
		w.o.Logger.WarnContext(ctx, "record of another shard cannot be published, an upload is lost", "seq", r.Seq, "error", why)
		return nil
	}
	// Its owner may be completing it at this moment: look again, twice.
	for n := range 2 {
		if err := w.o.patience.pause(ctx, n); err != nil {
			return err
		}
		if _, why = w.log.publish(ctx, w.store, r, w.o.RunID); !isLost(why) {
			return why
		}
	}
	alive, err := w.leases.living(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(alive, func(l *leaseInfo) bool { return l.RunID == r.RunID && l.RunID != w.o.RunID }) {
		t.dealt[r.Seq] = true
		w.o.Logger.WarnContext(ctx, "record of a run that is at work cannot be published, an upload is lost: it is taken back once the run has ended",
			"seq", r.Seq, "run_id_unpublished", r.RunID, "error", why)
		return nil
	}
	if err := t.void(ctx, r); err != nil {
		return fmt.Errorf("take back record %d: %w", r.Seq, err)
	}
	w.o.Logger.ErrorContext(ctx, "an upload of a committed record is lost: the record is taken back, its users will be pulled in full",
		"seq", r.Seq, "voided_by", t.voids[r.Seq], "run_id_voided", r.RunID, "error", why)
	return t.takeBack(ctx, r, t.voids[r.Seq])
}

// void writes into the log that a record is taken back, unless somebody has. What
// becomes of the record is for its mark to say.
func (t *takeover) void(ctx context.Context, r *Record) error {
	void := t.w.newRecord(KindVoid, r.Buckets)
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
	if errors.Is(err, errVoided) {
		return nil
	}
	return err
}

// takeBack marks the number of a record that a void takes back as dealt with, so that
// loaders go on, and removes what stands of the record, once a run. It may be
// repeated, and is by the runs after this one: whoever was completing an upload when
// the mark was claimed may have died over it. A record that was published before
// stays.
func (t *takeover) takeBack(ctx context.Context, r *Record, by uint64) error {
	w, marked := t.w, r.Published
	m, err := w.log.mark(ctx, r.Seq)
	if err == nil && m == nil {
		m, err = w.log.settle(ctx, r, publishedMark{RunID: w.o.RunID, VoidedBy: by})
	}
	switch {
	case err != nil:
	case m.VoidedBy != 0 && m.VoidedBy != by:
		err = w.log.confirmVoid(ctx, r.Seq, m.VoidedBy)
	case m.VoidedBy == 0 && !marked:
		w.o.Logger.WarnContext(ctx, "a void has come too late, the record is published: its users are pulled in full all the same", "seq", r.Seq, "voided_by", by)
	case m.VoidedBy == 0:
	case marked && !w.answersFor(r.Backfill, cursors.Shard{Index: r.Shard, Count: r.Shards}):
		// Whoever answers for it does so again.
	case marked:
		var whole *Record
		if whole, err = w.log.read(ctx, r.Seq); err == nil {
			err = erase(ctx, w.store, whole)
		}
	default:
		err = erase(ctx, w.store, r)
	}
	if err != nil {
		return fmt.Errorf("take back record %d: %w", r.Seq, err)
	}
	r.Published, t.dealt[r.Seq] = true, true
	return nil
}
