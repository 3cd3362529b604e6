package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
)

// backfillLedger is an index of a backfill's own records, up to a number of
// the log. It is written at the end of each run and says nothing that the log
// does not say.
type backfillLedger struct {
	Version int    `json:"version"`
	Through uint64 `json:"through"`
	// Users is how many the last run found.
	Users int64 `json:"users,omitempty"`
	// Finished says that it came to its end.
	Finished bool          `json:"finished,omitempty"`
	Commits  []ledgerEntry `json:"commits"`
}

// ledgerEntry is what finding progress needs of a record.
type ledgerEntry struct {
	Seq     uint64       `json:"seq"`
	Kind    string       `json:"kind"`
	Voids   uint64       `json:"voids,omitempty"`
	Cursors CursorObject `json:"cursors,omitzero"`
}

// add notes a record, if it says anything about the progress of the backfill.
func (l *backfillLedger) add(r *Record, name string) {
	l.Through = max(l.Through, r.Seq)
	if r.Backfill == name && (r.Kind == KindBackfill && r.Cursors.Path != "" || r.Kind == KindVoid) {
		l.Commits = append(l.Commits, ledgerEntry{Seq: r.Seq, Kind: r.Kind, Voids: r.Voids, Cursors: r.Cursors})
	}
}

// isTrue says whether the log has all that the ledger has. Who forged it could else have
// other cursors taken for progress, so that users would be left out without a word.
func (l *backfillLedger) isTrue(ctx context.Context, store bucket.Objects, keys jobKeys, name string) bool {
	if l.ours(keys) != nil {
		return false
	}
	log := &ledger{store: store, keys: keys}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readersAtOnce)
	for _, e := range l.Commits {
		g.Go(func() error {
			r, err := log.read(ctx, e.Seq)
			if err == nil && (r.Backfill != name || r.Kind != e.Kind || r.Voids != e.Voids || r.Cursors != e.Cursors) {
				err = ErrForged
			}
			return err
		})
	}
	return g.Wait() == nil
}

// past is what a backfill has committed so far: its progress by bucket of
// users, read as cursors are, from the objects that its records name.
type past struct {
	ledger backfillLedger
	state  *cursorState
}

// readPast finds the progress of a backfill in the log, which is read from
// where the ledger ends.
func readPast(ctx context.Context, store bucket.Objects, keys jobKeys, name, scratch string) (*past, error) {
	p := &past{state: &cursorState{store: store, keys: keys, spool: cursors.NewSpool(store, scratch), progress: true}}
	d, err := readDefinition(ctx, store, keys, name)
	if err != nil || d == nil {
		return p, err // it has not begun
	}
	tail := d.BaseSeq
	p.ledger = backfillLedger{Version: backfillVersion, Through: d.BaseSeq}
	written, err := readJSON[backfillLedger](ctx, store, keys.backfillLedger(name))
	if err == nil && written != nil && written.Version == backfillVersion && written.isTrue(ctx, store, keys, name) {
		p.ledger = *written // else it is of no use: the log says the same
		tail = max(tail, written.Through)
	}
	c := clue{key: keys.backfill(name), seq: tail, what: fmt.Sprintf("knows record %d", tail)}
	if lost, err := c.holds(ctx, store, keys, 0); err != nil || lost && tail > 0 {
		if err == nil {
			err = c.error(keys)
		}
		return nil, err
	}
	for r, err := range ReadLog(ctx, store, string(keys), p.ledger.Through) {
		if err != nil {
			return nil, fmt.Errorf("read progress: %w", err)
		}
		p.ledger.add(r, name)
	}
	every := cursors.Shard{Count: 1}.Buckets()
	for _, e := range p.ledger.Commits {
		p.state.commits = append(p.state.commits, &Record{Seq: e.Seq, Kind: e.Kind, Voids: e.Voids, Cursors: e.Cursors, Buckets: every})
	}
	if err := p.state.findVoided(ctx); err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	return p, nil
}

// UserProgress is how far a backfill is with one user, by stream.
type UserProgress struct {
	UserID  string
	Streams map[string]Progress
}

// each yields the progress with one bucket of users, by user.
func (p *past) each(ctx context.Context, b int) iter.Seq2[UserProgress, error] {
	return func(yield func(UserProgress, error) bool) {
		for u, err := range p.state.each(ctx, b, p.ledger.Through, true) {
			if err != nil {
				yield(UserProgress{}, fmt.Errorf("read progress: %w", err))
				return
			}
			of := UserProgress{UserID: u.UserID, Streams: make(map[string]Progress, len(u.Cursors))}
			for _, mark := range u.Cursors {
				progress := progressOf(mark)
				of.Streams[progress.Stream] = progress
			}
			if !yield(of, nil) {
				return
			}
		}
	}
}

// EachProgress yields how far the writer's backfill is with the users of one
// bucket, as of Open and sorted by id. One user is held at a time.
func (w *Writer) EachProgress(ctx context.Context, b int) iter.Seq2[UserProgress, error] {
	if w.past == nil {
		return func(yield func(UserProgress, error) bool) {
			yield(UserProgress{}, fmt.Errorf("a %s has no progress of a backfill", w.o.Kind))
		}
	}
	return w.past.each(ctx, b)
}

// SetUsers notes how many users the writer's backfill has found.
func (w *Writer) SetUsers(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users = n
}

// writeLedger writes down which records are the backfill's own, where there is
// anything new to say. Before it is defined there is nothing.
func (w *Writer) writeLedger(ctx context.Context) error {
	l := w.past.ledger
	before := len(l.Commits)
	for _, r := range w.since {
		l.add(r, w.o.Backfill)
	}
	w.mu.Lock()
	users := w.users
	w.mu.Unlock()
	if len(l.Commits) == before && (users == 0 || users == l.Users) && (l.Finished || !w.finished) {
		return nil
	}
	l.Finished = l.Finished || w.finished
	l.Version, l.Through = backfillVersion, w.log.tail
	if users > 0 {
		l.Users = users
	}
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode ledger: %w", err)
	}
	key := w.keys.backfillLedger(w.o.Backfill)
	body = seal.Add(key, body)
	if int64(len(body)) > MostBytes(key) {
		return nil // the log says the same
	}
	if _, err := bucket.Write(ctx, w.store, key, body, bucket.Condition{}); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}
