package sink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// Commit makes true all that was added, and returns the record that says so;
// nil where there was nothing to commit. It waits for batches that are being
// added. Cancelling ctx does not cut it short at once: what was begun is given
// some seconds to end well.
//
// Once the record stands, Commit succeeds: publishing that fails is logged,
// tried again by the next commit and by Close, and done by the next run at the
// latest. That somebody has taken it back is [ErrOvertaken]. After any error nothing
// more can be committed.
func (w *Writer) Commit(ctx context.Context) (*Record, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	rec, published, err := w.commit(ctx)
	if published {
		ctx, cancel := outlive(ctx, w.o.patience.grace)
		defer cancel()
		w.clearAttempts(ctx) // batches may be added meanwhile
	}
	return rec, err
}

// commit is Commit; published says that all that stands of the run is.
func (w *Writer) commit(ctx context.Context) (rec *Record, published bool, err error) {
	w.gate.Lock()
	defer w.gate.Unlock()
	if err := w.usable(); err != nil {
		return nil, false, err
	}
	ctx, cancel := outlive(ctx, w.o.patience.grace)
	defer cancel()
	rec, err = w.seal(ctx)
	if err != nil {
		return nil, false, w.fail(fmt.Errorf("commit: %w", w.explain(ctx, err)))
	}
	if rec == nil {
		return nil, false, nil
	}
	if err := w.usable(); err != nil {
		return nil, false, err
	}
	told := w.attempts.Seal()
	if err := w.log.append(ctx, rec, w.meet); err != nil {
		w.unsettled = errors.Is(err, errUnsettled)
		return nil, false, w.fail(fmt.Errorf("commit: %w", err))
	}
	// From here on the commit is a fact.
	w.attempts.Committed(told)
	w.base = rec.Seq
	w.seq.Store(rec.Seq)
	w.kept.add(rec)
	w.since = append(w.since, rec.trimmed())
	w.unpublished = append(w.unpublished, rec)
	err = w.publishAll(ctx)
	if errors.Is(err, ErrOvertaken) {
		return nil, false, w.fail(fmt.Errorf("commit: %w", err))
	}
	if err != nil {
		w.o.Logger.WarnContext(ctx, "committed, but not published yet", "seq", rec.Seq, "error", err)
	}
	return rec, w.allPublished(), nil
}

// usable says why the writer cannot go on.
func (w *Writer) usable() error {
	if w.closed {
		return errClosed
	}
	return w.Err()
}

// seal closes the files, uploads the cursors and returns the record that names
// them; nil where there is nothing.
func (w *Writer) seal(ctx context.Context) (*Record, error) {
	rec := w.newRecord(w.o.Kind, w.o.Shard.Buckets())
	rec.Backfill = w.o.Backfill
	for _, t := range table.Tables() {
		files, tally, err := w.lanes[t.Name].seal(ctx)
		if err != nil {
			return nil, err
		}
		rec.Files = append(rec.Files, files...)
		if len(files) > 0 {
			rec.Tables[t.Name] = TableChanges{Upserts: tally.Upserts, Deletes: tally.Deletes, Sums: tally.Sums}
		}
	}
	cs := w.takeCursors()
	if len(cs) > 0 {
		var err error
		if rec.Cursors, err = w.uploadCursors(ctx, cs); err != nil {
			return nil, err
		}
	}
	if len(rec.Files) == 0 && len(cs) == 0 {
		return nil, nil
	}
	return rec, nil
}

func (w *Writer) newRecord(kind string, buckets []int) *Record {
	return &Record{
		Version: recordVersion, Schema: Schema, Job: w.o.Job, RunID: w.o.RunID, RunGroup: w.o.RunGroup, Nonce: rand.Text(),
		Shard: w.o.Shard.Index, Shards: w.o.Shard.Count, Kind: kind, CommittedAt: w.o.Now().UTC(), BaseSeq: w.base,
		Buckets: buckets, Source: w.o.Source, Files: []File{}, Tables: map[string]TableChanges{},
	}
}

func (w *Writer) takeCursors() []cursors.Cursor {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.cursors
	w.cursors, w.held = nil, 0
	return taken
}

// uploadCursors writes a cursor object. Until a commit names it, it means
// nothing.
func (w *Writer) uploadCursors(ctx context.Context, cs []cursors.Cursor) (CursorObject, error) {
	key, err := w.staged.cursorKey(ctx, w.o.Now())
	if err != nil {
		return CursorObject{}, err
	}
	about := cursors.About{Key: key, RunID: w.o.RunID, Seq: w.log.tail, Record: w.log.sum}
	body, object, err := about.Encode(cs)
	if err != nil {
		return CursorObject{}, err
	}
	if err := w.vigil.check(ctx); err != nil {
		return CursorObject{}, err
	}
	if _, err := bucket.WriteNew(ctx, w.store, key, body); err != nil { // the key is this process's alone
		return CursorObject{}, fmt.Errorf("upload cursors: %w", err)
	}
	return object, nil
}

// meet looks at a record of somebody else that was found on the way to ours.
func (w *Writer) meet(r *Record) error {
	if err := r.check(); err != nil {
		return err
	}
	if r.Kind == KindVoid {
		w.voided[r.Voids] = true
	}
	if w.overtakes(r) {
		return w.overtakenBy(r)
	}
	w.unpublished = append(w.unpublished, r)
	w.since = append(w.since, r.trimmed())
	return nil
}

// overtakes says whether a record takes the ground from under this run: one of
// another run that speaks for users that this one works on.
func (w *Writer) overtakes(r *Record) bool {
	if r.RunID == w.o.RunID {
		return false
	}
	if w.o.Kind == KindBackfill {
		// A fence only if it is for this very run: a nightly run may still be
		// sweeping up after the one that this one goes on from.
		return r.Backfill == w.o.Backfill && (r.Kind == KindBackfill || r.Kind == KindFence && r.Fences == w.o.RunID)
	}
	takes := []string{KindRun, KindFence, KindVoid}
	return slices.Contains(takes, r.Kind) && r.Backfill == "" && r.touches(w.o.Shard)
}
