package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Close ends the run: it publishes what could not be published so far, writes
// checkpoints if they are due, removes what was not committed, and gives the
// lease back. It may be called after any error, and again. Cancelling ctx
// leaves it some seconds for what others would otherwise have to clear up.
func (w *Writer) Close(ctx context.Context) error {
	w.gate.Lock()
	defer w.gate.Unlock()
	if w.closed {
		return w.closeErr
	}
	w.closeErr = w.close(ctx)
	w.closed = true
	return w.closeErr
}

func (w *Writer) close(ctx context.Context) error {
	unhurried := w.Err() == nil && !hurried(ctx)
	last, cancel := outlive(ctx, w.o.patience.grace)
	defer cancel()
	var errs []error
	if err := w.publishAll(last); err != nil {
		if !errors.Is(err, ErrOvertaken) || w.Err() == nil { // else it was said
			errs = append(errs, err)
		}
	} else if unhurried && w.o.Kind == KindRun {
		errs = append(errs, w.checkpoint(ctx)) // of a shard's cursors; a backfill has no shard
	}
	if w.o.Kind == KindBackfill && w.Err() == nil {
		errs = append(errs, w.writeLedger(last))
	}
	w.abandon()
	w.closeAttempts(last)
	errs = append(errs, w.sweepOwn(last), w.lease.release(last))
	w.state.spool.Close()
	if w.past != nil {
		w.past.state.spool.Close()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close sink: %w", err)
	}
	return nil
}

// closeAttempts deletes the notes of what has been committed for good, and of what was
// not made.
func (w *Writer) closeAttempts(ctx context.Context) {
	if w.allPublished() {
		if err := w.attempts.Close(ctx); err != nil {
			w.o.Logger.WarnContext(ctx, "notes of what banks were asked for are left for the next run", "error", err)
		}
	}
}

// allPublished says that no record of this run can be taken back any more.
func (w *Writer) allPublished() bool {
	return !slices.ContainsFunc(w.unpublished, func(r *Record) bool { return r.RunID == w.o.RunID })
}

// abandon lets go of what was not committed. No upload is swept while a part of it
// is on its way: it might arrive later, and stay.
func (w *Writer) abandon() {
	for _, l := range w.lanes {
		l.abandon()
	}
}

// sweepOwn removes what this run staged and did not commit, as the next run
// would; unless it is unknown whether it was committed.
func (w *Writer) sweepOwn(ctx context.Context) error {
	st, written := w.staged.staged()
	if !written || w.unsettled {
		return nil
	}
	return sweep(ctx, w.store, w.keys, &st, &w.kept)
}

// hurried says whether the caller has no time for what can wait.
func hurried(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && time.Until(deadline) < checkpointTime
}
