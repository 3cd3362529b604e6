package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/seal"
	"finoos-syncer/internal/sink/table"
)

// publishedMark is the body of a .published object. It is written once, and says
// for ever what has become of a record: whoever would publish it and whoever would
// take it back claim the same object, and one of them gets it.
type publishedMark struct {
	RunID string `json:"run_id"` // who published it
	// VoidedBy is the record that took this one back: its files are gone and
	// are not to be loaded.
	VoidedBy uint64 `json:"voided_by,omitempty"`
	// Record is the sum of the record; marks of earlier versions do not tell.
	Record string `json:"record_sha256,omitempty"`
}

// mark reads what has become of a record; nil where that is open.
func (l *ledger) mark(ctx context.Context, seq uint64) (*publishedMark, error) {
	key := l.keys.published(seq)
	body, _, err := getSmall(ctx, l.store, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, nil //nolint:nilnil // that it is absent is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	m, err := parseMark(body, seq)
	if err == nil {
		_, err = seal.Check(key, body)
	}
	if err != nil {
		return nil, forged(key, err)
	}
	return m, nil
}

// parseMark reads the mark of a record.
func parseMark(body []byte, seq uint64) (*publishedMark, error) {
	m := new(publishedMark)
	if err := decode(body, m); err != nil {
		return m, err
	}
	return m, m.ours(seq)
}

// settle claims the mark of a record, and returns what it says: m, or what somebody
// else has claimed it for. Until it has succeeded nothing is known.
func (l *ledger) settle(ctx context.Context, r *Record, m publishedMark) (*publishedMark, error) {
	m.Record = r.SHA256
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode mark: %w", err)
	}
	key := l.keys.published(r.Seq)
	body = seal.Add(key, body)
	for attempt := 0; ; attempt++ {
		_, putErr := bucket.Write(ctx, l.store, key, body, bucket.Condition{IfNoneMatch: true})
		if putErr == nil {
			return &m, nil
		}
		// Refused, or the answer was lost: what stands there tells.
		standing, err := l.mark(ctx, r.Seq)
		switch {
		case err == nil && standing != nil:
			return standing, nil
		case err != nil:
			putErr = errors.Join(putErr, err)
		}
		again := errors.Is(putErr, bucket.ErrConflict) || errors.Is(putErr, bucket.ErrPrecondition)
		if !again || attempt+1 >= l.patience.attempts || l.patience.pause(ctx, attempt) != nil {
			return nil, fmt.Errorf("mark record %d: %w", r.Seq, putErr)
		}
	}
}

// publish makes the files of a committed record visible and marks it so, unless it
// was taken back: the mark says which, and is returned also with an error, where it
// was read. Every step may be repeated, by anybody.
func (l *ledger) publish(ctx context.Context, store bucket.Store, r *Record, runID string) (*publishedMark, error) {
	m, err := l.mark(ctx, r.Seq)
	if err == nil && m == nil {
		m, err = l.complete(ctx, store, r, runID)
	}
	if err == nil && m.VoidedBy != 0 {
		// Files may have come to be while the mark was claimed for the void: who
		// completed them may be dead, who took the record back is done.
		if err = l.confirmVoid(ctx, r.Seq, m.VoidedBy); err != nil {
			return nil, fmt.Errorf("publish record %d: %w", r.Seq, err)
		}
		err = erase(ctx, store, r)
	}
	if err != nil {
		return m, fmt.Errorf("publish record %d: %w", r.Seq, err)
	}
	r.Published = true
	return m, nil
}

// inOrder yields the files of a record: those of pulls last, since they say what the
// others mean, or first.
func (r *Record) inOrder(pullsFirst bool) iter.Seq[File] {
	return func(yield func(File) bool) {
		for _, pulls := range []bool{pullsFirst, !pullsFirst} {
			for _, f := range r.Files {
				if (f.Table == table.PullsName) == pulls && !yield(f) {
					return
				}
			}
		}
	}
}

// complete completes the uploads of a record, those of pulls last, and claims its mark.
func (l *ledger) complete(ctx context.Context, store bucket.Uploads, r *Record, runID string) (*publishedMark, error) {
	for f := range r.inOrder(false) {
		err := store.CompleteUpload(ctx, f.Upload.Upload, f.Upload.Parts)
		if err == nil {
			continue
		}
		if m, markErr := l.mark(ctx, r.Seq); markErr == nil && m != nil {
			return m, nil // that is why
		}
		return nil, err
	}
	return l.settle(ctx, r, publishedMark{RunID: runID})
}

// confirmVoid makes sure that a record is taken back by the one that its mark names,
// which stands before the mark does: what a mark alone says is nothing to delete by.
func (l *ledger) confirmVoid(ctx context.Context, seq, by uint64) error {
	void, err := l.read(ctx, by)
	if errors.Is(err, bucket.ErrNotExist) || err == nil && (void.Kind != KindVoid || void.Voids != seq) {
		return fmt.Errorf("%s says that record %d takes it back, but that does not: find out who wrote it, and bring it back as it was", l.keys.published(seq), by)
	}
	return err
}

// erase removes what stands of a record, or would come to stand, pulls first. Only who
// has read in the record's mark that it was taken back may do so.
func erase(ctx context.Context, store bucket.Store, r *Record) error {
	for f := range r.inOrder(true) {
		if err := store.AbortUpload(ctx, f.Upload.Upload); err != nil {
			return fmt.Errorf("remove what was taken back: %w", err)
		}
		if err := store.Delete(ctx, f.Path); err != nil {
			return fmt.Errorf("remove what was taken back: %w", err)
		}
	}
	return nil
}

// publishAll publishes every record that this run knows to be unpublished, its
// own and those of others that it met. Who wrote one may be at work on it at
// the same time; a failure on somebody else's is left to its owner. That one of its
// own was taken back is ErrOvertaken.
func (w *Writer) publishAll(ctx context.Context) error {
	var failed error
	var left []*Record
	for _, r := range w.unpublished {
		done, err := w.publishOne(ctx, r)
		if done {
			continue
		}
		left = append(left, r)
		switch {
		case err == nil:
		case r.RunID == w.o.RunID:
			failed = errors.Join(failed, err)
		default:
			w.o.Logger.WarnContext(ctx, "record of another run not published", "seq", r.Seq, "error", err)
		}
	}
	w.unpublished = left
	return failed
}

// publishOne reports whether all that there is to be known of a record is: that it is
// published, or taken back by a record that this run has read.
func (w *Writer) publishOne(ctx context.Context, r *Record) (done bool, err error) {
	if w.voided[r.Seq] {
		if m, err := w.log.mark(ctx, r.Seq); m == nil || err != nil {
			return false, err // its voider is at it
		}
	}
	m, err := w.log.publish(ctx, w.store, r, w.o.RunID)
	switch {
	case m != nil && m.VoidedBy != 0 && r.RunID == w.o.RunID:
		return false, fmt.Errorf("%w: record %d was taken back by record %d", ErrOvertaken, r.Seq, m.VoidedBy)
	case err != nil:
		return false, err
	}
	return m.VoidedBy <= w.log.tail, nil
}
