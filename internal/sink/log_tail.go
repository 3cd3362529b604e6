package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// A log whose last records are lost looks like a shorter one: by the numbers alone
// nobody can tell, and a run would give these numbers to others, and pull again what is
// in the tables. So a run looks, before it writes, for what a longer log has left.

// clue is an object that tells of records behind the end of the log.
type clue struct {
	key  string
	seq  uint64 // the least number that the log must have had; 0 where only one more is known of
	what string // what the object tells
	do   string // beside what is to be done about any
}

// error says what the clue means.
func (c clue) error(keys jobKeys) error {
	return fmt.Errorf("%w: %s %s, and %s does not: %s", ErrLog, c.key, c.what, keys.log(), doTail(keys)+c.do)
}

// doTail is what to do about a log that was longer.
func doTail(keys jobKeys) string {
	return fmt.Sprintf("bring what is missing back from a backup or older versions of the objects, or remove all of %s to pull everything anew", keys.root())
}

// doUnnamed is what may be done about cursors that nobody names: their write may have
// reached the store when the run that gave it up had cleared up.
const doUnnamed = "; or, where verify finds no file that no commit names, delete this object alone: nothing was made visible with it"

// checkLog fails where a checkpoint tells of a record behind the end of the log:
// the cursors in it would be believed although nobody knows any more whose they are.
func (s *cursorState) checkLog(ctx context.Context, tail uint64) error {
	c, err := s.beyond(ctx, tail)
	if err != nil || c == nil {
		return err
	}
	return c.error(s.keys)
}

// beyond returns a checkpoint of a record behind the end of the log. One that is
// not of its place is told as that.
func (s *cursorState) beyond(ctx context.Context, tail uint64) (*clue, error) {
	for b := range cursors.Buckets {
		seq := s.newest(b)
		if seq <= tail {
			continue
		}
		key := s.keys.checkpoint(b, seq)
		if stands, err := exists(ctx, s.store, s.keys.record(seq)); err != nil || stands {
			if err != nil {
				return nil, err
			}
			continue // it was written since
		}
		source, done, err := s.checkpointSource(ctx, b, seq, false)
		done()
		if errors.Is(err, errNotOfItsPlace) {
			return nil, err
		}
		_ = source // whatever is in it: that it was written says enough
		return &clue{key: key, seq: seq, what: fmt.Sprintf("is a checkpoint, which tells of record %d", seq)}, nil
	}
	return nil, nil
}

// exists says whether an object stands at a key.
func exists(ctx context.Context, store bucket.Objects, key string) (bool, error) {
	_, err := store.Stat(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// maxFresh bounds how many cursor objects are looked at.
const maxFresh = 1000

// freshCursors lists the cursor objects that came after the newest record: of runs at
// work, of runs that have died, and of records that are lost. It is called before
// staging records and the log are read, in which all of the first two will be found.
func freshCursors(ctx context.Context, store bucket.Objects, keys jobKeys, after uint64) (fresh []string, err error) {
	var newest time.Time
	for info, err := range store.List(ctx, keys.log(), keys.afterSeq(max(after, 1)-1)) {
		if err != nil {
			return nil, fmt.Errorf("list the log: %w", err)
		}
		if _, mark, ok := keys.parseLog(info.Key); ok && !mark {
			newest = info.Modified
		}
	}
	for info, err := range store.List(ctx, keys.cursorObjects(), "") {
		if err != nil {
			return nil, fmt.Errorf("list cursors: %w", err)
		}
		if info.Modified.After(newest) && len(fresh) < maxFresh {
			fresh = append(fresh, info.Key)
		}
	}
	return fresh, nil
}

// checkTail fails where anything tells of records behind the end of the log.
func (t *takeover) checkTail(ctx context.Context, fresh []string) error {
	w := t.w
	if err := w.state.checkLog(ctx, w.log.tail); err != nil {
		return err
	}
	if err := t.checkNewest(ctx); err != nil {
		return err
	}
	clues, err := stateClues(ctx, w.store, w.keys, w.log.tail)
	if err != nil {
		return err
	}
	for _, st := range t.staged {
		if st.BaseSeq <= w.log.tail {
			continue
		}
		clues = append(clues, clue{
			key: w.keys.staging(st.RunID, st.Shard), seq: st.BaseSeq, what: fmt.Sprintf("is of a run that knew record %d", st.BaseSeq),
		})
	}
	unnamed, err := t.unnamed(ctx, fresh)
	if err != nil {
		return err
	}
	for _, c := range append(clues, unnamed...) {
		if lost, err := c.holds(ctx, w.store, w.keys, w.log.tail); err != nil || lost {
			if err == nil {
				err = c.error(w.keys)
			}
			return err
		}
	}
	return nil
}

// checkNewest compares the newest record with its mark: of all others the records that
// follow tell whether they are those that were committed.
func (t *takeover) checkNewest(ctx context.Context) error {
	if len(t.records) == 0 {
		return nil
	}
	r := t.records[len(t.records)-1]
	m, err := t.w.log.mark(ctx, r.Seq)
	if err != nil {
		return fmt.Errorf("read the newest mark: %w", err)
	}
	if m != nil && m.Record != "" && m.Record != r.SHA256 {
		return forged(t.w.keys.record(r.Seq), fmt.Errorf("it is not the record that %s was written for", t.w.keys.published(r.Seq)))
	}
	return nil
}

// holds says whether a log that ends with a record is too short for the clue. What was
// committed since the end was looked for is there.
func (c clue) holds(ctx context.Context, store bucket.Objects, keys jobKeys, tail uint64) (bool, error) {
	stands, err := exists(ctx, store, keys.record(max(c.seq, tail+1)))
	if err != nil {
		return false, fmt.Errorf("look for the end of the log: %w", err)
	}
	return !stands, nil
}

// stateClues are the state objects that tell of a record behind the end of the log.
func stateClues(ctx context.Context, store bucket.Objects, keys jobKeys, tail uint64) (clues []clue, err error) {
	for info, err := range store.List(ctx, keys.states(), "") {
		if err != nil {
			return nil, fmt.Errorf("list state: %w", err)
		}
		o, _, err := getState(ctx, store, info.Key)
		if errors.Is(err, ErrState) {
			continue // who reads it tells
		}
		if err != nil {
			return nil, err
		}
		if o.Seq > tail {
			clues = append(clues, clue{key: info.Key, seq: o.Seq, what: fmt.Sprintf("knows record %d", o.Seq)})
		}
	}
	return clues, nil
}

// unnamed are the cursor objects that were written for a record that is lost: neither
// are they named, nor has a run announced them that has not cleared up.
func (t *takeover) unnamed(ctx context.Context, fresh []string) (clues []clue, err error) {
	byOlder := t.w.log.tail // the first record that may name one, less one
	for _, key := range fresh {
		announced := func(st stagingRecord) bool { return slices.Contains(st.Cursors, key) }
		if slices.ContainsFunc(t.records, t.w.keys.naming(key)) || slices.ContainsFunc(t.staged, announced) {
			continue
		}
		c, err := cursorClue(ctx, t.w.store, key)
		if err != nil {
			return nil, err
		}
		if c != nil {
			clues, byOlder = append(clues, *c), min(byOlder, c.seq-1)
		}
	}
	if len(clues) == 0 || len(t.records) == 0 || byOlder+1 >= t.records[0].Seq {
		return clues, nil
	}
	// Of a lake that was copied, or encrypted anew, the times of objects tell nothing:
	// these may be as old as the log.
	for r, err := range ReadLog(ctx, t.w.store, t.w.o.Job, byOlder) {
		if errors.Is(err, ErrForged) {
			// Who named what is not known any more. Those that came last are.
			return slices.DeleteFunc(clues, func(c clue) bool { return c.seq < t.records[0].Seq }), nil
		}
		if err != nil {
			return nil, fmt.Errorf("look for who names cursors: %w", err)
		}
		clues = slices.DeleteFunc(clues, func(c clue) bool { return t.w.keys.naming(c.key)(r) })
		if r.Seq+1 >= t.records[0].Seq {
			break
		}
	}
	return clues, nil
}

// naming tells of records that name a cursor object, or fence the run that wrote it.
func (k jobKeys) naming(key string) func(*Record) bool {
	return func(r *Record) bool {
		return r.Cursors.Path == key || r.Fences != "" && strings.HasPrefix(key, k.cursorsOf(r.Fences))
	}
}

// cursorClue is what an object tells that nobody names, of a record that is newer than
// what its run knew; nil where it stands no more, or no run has written it there.
func cursorClue(ctx context.Context, store bucket.Objects, key string) (*clue, error) {
	object, err := store.Open(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at cursors that no record names: %w", err)
	}
	defer func() { _ = object.Close() }() // only read
	f, err := cursors.Open(object, false)
	if err != nil || f.About() == nil || f.About().Key != key {
		return nil, nil // what it is, is for verify to say
	}
	return &clue{key: key, seq: f.About().Seq + 1, what: "has cursors that a record must name", do: doUnnamed}, nil
}

// checkNothingVisible fails where a file is visible that a dead run staged and no record
// names: the record was there, and is lost.
func (t *takeover) checkNothingVisible(ctx context.Context, st *stagingRecord) error {
	if err := t.w.log.follow(ctx, t.adopt); err != nil {
		return err
	}
	for _, key := range st.Uploads {
		if _, named := t.keep[st.RunID].uploads[key]; named {
			continue
		}
		stands, err := exists(ctx, t.w.store, key)
		if err != nil {
			return fmt.Errorf("look for what run %s has made visible: %w", st.RunID, err)
		}
		if stands {
			return clue{key: key, what: "is visible, so that a record must name it"}.error(t.w.keys)
		}
	}
	return nil
}
