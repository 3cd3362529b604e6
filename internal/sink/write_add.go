package sink

import (
	"context"
	"fmt"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/attempts"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// Batch is what stands or falls together: the rows of whole pulls, and the
// cursors that they make true.
type Batch struct {
	Rows []table.Row
	// Stream yields more rows, for pulls too large to hold. Only the sink's
	// own errors may end it: the rows before an error are written already.
	Stream  func(yield func(table.Row) error) error
	Cursors []cursors.Cursor
	// Progress is what a backfill has in place of cursors.
	Progress []Progress
	// Attempts are what the rows and cursors tell the outcome of.
	Attempts []*attempts.Ticket
}

// Pending is what the next commit would make true.
type Pending struct {
	Rows  int64
	Bytes int64 // of memory, held by cursors
	Files int
}

// Add writes a batch; the next commit makes it true. An error once it has
// begun means that it was cut, so that nothing can be committed any more.
// Cancelling ctx does not do that: a batch that was begun is finished, within
// limits.
func (w *Writer) Add(ctx context.Context, b Batch) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	w.gate.RLock()
	defer w.gate.RUnlock()
	if err := w.usable(); err != nil {
		return err
	}
	if err := w.checkCursors(b); err != nil {
		return w.fail(fmt.Errorf("add: %w", err))
	}
	ctx, cancel := outlive(ctx, w.o.patience.grace)
	defer cancel()
	if err := w.addRows(ctx, b); err != nil {
		return w.fail(fmt.Errorf("add: %w", w.explain(ctx, err)))
	}
	w.addCursors(b.Cursors)
	for _, p := range b.Progress {
		w.addCursors([]cursors.Cursor{p.mark()})
	}
	w.attempts.Told(b.Attempts)
	return nil
}

// checkCursors refuses what would make state untrue: cursors are moved by the
// nightly run of the shard that has the user, and by nobody else.
func (w *Writer) checkCursors(b Batch) error {
	if w.o.Kind != KindRun && len(b.Cursors) > 0 {
		return fmt.Errorf("a %s moves no cursors", w.o.Kind)
	}
	if w.o.Kind != KindBackfill && len(b.Progress) > 0 {
		return fmt.Errorf("a %s has no progress of a backfill", w.o.Kind)
	}
	for _, p := range b.Progress {
		if !id.Valid(p.UserID) {
			return cursors.ErrUserID
		}
	}
	for _, c := range b.Cursors {
		if !id.Valid(c.UserID) {
			return cursors.ErrUserID // it could not be read again
		}
		if !w.o.Shard.Owns(cursors.BucketOf(c.UserID)) {
			return fmt.Errorf("a cursor of a user that shard %d of %d does not have", w.o.Shard.Index, w.o.Shard.Count)
		}
	}
	return nil
}

func (w *Writer) addRows(ctx context.Context, b Batch) error {
	touched := map[*lane]struct{}{}
	add := func(rows []table.Row) error {
		for len(rows) > 0 {
			n := 1
			for tab := table.Of(rows[0]); n < len(rows) && table.Of(rows[n]) == tab; n++ {
			}
			l := w.lanes[table.Of(rows[0]).Name]
			touched[l] = struct{}{}
			if err := l.append(ctx, rows[:n]); err != nil {
				return err
			}
			rows = rows[n:]
		}
		return nil
	}
	if err := add(b.Rows); err != nil {
		return err
	}
	if b.Stream != nil {
		one := make([]table.Row, 1) // such rows may be large
		err := b.Stream(func(r table.Row) error {
			one[0] = r
			return add(one)
		})
		if err != nil {
			return err
		}
	}
	for l := range touched {
		if err := l.roll(ctx); err != nil {
			return err
		}
	}
	return w.shed(ctx)
}

func (w *Writer) addCursors(cs []cursors.Cursor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range cs {
		if len(c.State) > cursors.MaxState { // it could not be read again
			w.o.Logger.Warn("too much to remember of a stream: its next pull is a full one", "stream", c.Stream, "bytes", len(c.State))
			c.State = nil
		}
		w.cursors = append(w.cursors, c)
		w.held += c.Size()
	}
}

// Pending returns what the next commit would make true, so that the caller
// can commit earlier than planned.
func (w *Writer) Pending() Pending {
	var p Pending
	for _, l := range w.lanes {
		files, rows := l.pending()
		p.Files += files
		p.Rows += rows
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p.Bytes = w.held
	return p
}
