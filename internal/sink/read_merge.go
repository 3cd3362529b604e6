package sink

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"finoos-syncer/internal/sink/cursors"
)

// Cursors are read by merging: the newest checkpoint of a bucket of users and
// the objects of later commits are all sorted by user, so that one user is held
// at a time, and of each object one row group, however many users there are.
//
//	checkpoint 40   anna 1   bert 1           dora 1
//	record 41                bert 2   carl 2            order: later wins,
//	record 43                bert 3           dora -    stream by stream
//	                ───────────────────────────────
//	each            anna 1 · bert 3 · carl 2 · dora -

// UserCursors are the cursors of one user, sorted by stream.
type UserCursors struct {
	UserID  string
	Cursors []cursors.Cursor
}

// cursorSource is an object of cursors on its way through one bucket of users.
type cursorSource struct {
	order  int // among the sources: of two cursors of one stream, the later wins
	next   func() (cs []cursors.Cursor, more bool, err error)
	effect effect
	ready  []cursors.Cursor // read and not taken; never empty in a heap
}

// advance drops n cursors, and reads on where none is left. It reports whether
// there is one: a source without any must leave the heap, which looks at its first.
func (s *cursorSource) advance(n int) (bool, error) {
	for s.ready = s.ready[n:]; len(s.ready) == 0; {
		cs, more, err := s.next()
		if err != nil || !more {
			return false, err
		}
		s.ready = cs
	}
	return true, nil
}

// cursorSources implements heap.Interface: by user, then the oldest first.
type cursorSources []*cursorSource

func (s cursorSources) Len() int { return len(s) }

func (s cursorSources) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(s[i].ready[0].UserID, s[j].ready[0].UserID), cmp.Compare(s[i].order, s[j].order)) < 0
}

func (s cursorSources) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

func (s *cursorSources) Push(x any) {
	if e, ok := x.(*cursorSource); ok {
		*s = append(*s, e)
	}
}

func (s *cursorSources) Pop() any {
	last := len(*s) - 1
	e := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return e
}

// take adds the cursors of the user who comes first, in the oldest source that
// has any, to those that older ones had. It must be called source by source, oldest
// first, as the heap has them: each replaces what stood there.
func (s *cursorSources) take(cs []cursors.Cursor) ([]cursors.Cursor, error) {
	from := (*s)[0]
	user, n := from.ready[0].UserID, 0
	for n < len(from.ready) && from.ready[n].UserID == user {
		n++
	}
	cs = slices.Grow(cs, n)
	for _, c := range from.ready[:n] {
		at := slices.IndexFunc(cs, func(o cursors.Cursor) bool { return o.Stream == c.Stream })
		if at < 0 {
			cs = append(cs, from.effect(c, cursors.Cursor{}))
		} else {
			cs[at] = from.effect(c, cs[at])
		}
	}
	more, err := from.advance(n)
	switch {
	case err != nil:
		return nil, err
	case more:
		heap.Fix(s, 0)
	default:
		heap.Pop(s)
	}
	return cs, nil
}

// each yields the cursors of the users of a bucket as of record upTo, marks and
// ended ones included, by user. Unless all is set it is only what they are found
// by, and then they must not be kept.
func (s *cursorState) each(ctx context.Context, b int, upTo uint64, all bool) iter.Seq2[UserCursors, error] {
	return func(yield func(UserCursors, error) bool) {
		merged, wipes, done, err := s.sources(ctx, b, upTo, all)
		defer done()
		if err != nil {
			yield(UserCursors{}, err)
			return
		}
		heap.Init(&merged)
		var again []cursors.Cursor
		for len(merged) > 0 {
			user, left := UserCursors{UserID: merged[0].ready[0].UserID, Cursors: again[:0]}, wipes
			for len(merged) > 0 && merged[0].ready[0].UserID == user.UserID {
				left = wipe(user.Cursors, left, merged[0].order)
				if user.Cursors, err = merged.take(user.Cursors); err != nil {
					yield(UserCursors{}, fmt.Errorf("read cursors of bucket %d: %w", b, err))
					return
				}
			}
			wipe(user.Cursors, left, math.MaxInt)
			if !all {
				again = user.Cursors
			}
			slices.SortFunc(user.Cursors, func(a, b cursors.Cursor) int { return cmp.Compare(a.Stream, b.Stream) })
			if !yield(user, nil) {
				return
			}
		}
	}
}

// wipe erases cursors of older sources for all voids of which it is not known what they
// erase, up to a place among the sources, and returns the voids behind it. Marks stay.
func wipe(cs []cursors.Cursor, wipes []int, upTo int) (left []int) {
	for len(wipes) > 0 && wipes[0] < upTo {
		for i, c := range cs {
			if !isMark(c.Stream) {
				cs[i] = erased(c)
			}
		}
		wipes = wipes[1:]
	}
	return wipes
}

// sources opens what the cursors of a bucket stand in, oldest first, and tells in front
// of which of them all is wiped. done closes it, also after an error.
func (s *cursorState) sources(ctx context.Context, b int, upTo uint64, all bool) (merged cursorSources, wipes []int, done func(), err error) {
	done = func() {}
	order := 0
	add := func(from *cursorSource) error {
		from.order = order
		order++
		more, err := from.advance(0)
		if more {
			merged = append(merged, from)
		}
		return err
	}
	from := s.newest(b)
	if from > 0 {
		var checkpoint *cursorSource
		if checkpoint, done, err = s.checkpointSource(ctx, b, from, all); err == nil {
			err = add(checkpoint)
		}
		if err != nil {
			return nil, nil, done, fmt.Errorf("read checkpoint %d of bucket %d: %w", from, b, err)
		}
	}
	for _, r := range s.commits {
		if !s.counts(r, b, upTo) {
			continue
		}
		if s.erasesAll(r) {
			wipes = append(wipes, order)
			order++
		}
		object, effect := s.effect(r)
		if object.Path == "" {
			continue
		}
		source, err := s.objectSource(ctx, object, b, all)
		if err == nil {
			source.effect = effect
			err = add(source)
		}
		if errors.Is(err, cursors.ErrDamaged) {
			err = fmt.Errorf("%w; %s", err, doCursors)
		}
		if err != nil {
			return nil, nil, done, fmt.Errorf("read cursors of record %d: %w", r.Seq, err)
		}
	}
	return merged, wipes, done, nil
}

// checkpointSource reads a checkpoint where it lies: nobody else looks at it.
func (s *cursorState) checkpointSource(ctx context.Context, b int, seq uint64, all bool) (_ *cursorSource, done func(), err error) {
	done = func() {}
	object, err := s.store.Open(ctx, s.keys.checkpoint(b, seq))
	if err != nil {
		return nil, done, err
	}
	done = func() { _ = object.Close() } // only read
	f, err := cursors.Open(object, all)
	if err == nil {
		err = s.checkPlace(f, b, seq)
	}
	if err != nil {
		return nil, done, fmt.Errorf("%s: %w; %s", s.keys.checkpoint(b, seq), err, doCheckpoint)
	}
	next := f.Bucket(b, all)
	return &cursorSource{effect: itself, next: func() ([]cursors.Cursor, bool, error) {
		cs, more, err := next()
		if err != nil {
			err = fmt.Errorf("read %s: %w; %s", s.keys.checkpoint(b, seq), err, doCheckpoint)
		}
		return cs, more, err
	}}, done, nil
}

// errNotOfItsPlace says that a checkpoint was not written to its key, or not by this log.
var errNotOfItsPlace = errors.New("is no checkpoint of this place")

// checkPlace makes sure that a file is the checkpoint that its key says, of this log.
// Files of earlier versions say nothing but whose cursors they hold.
func (s *cursorState) checkPlace(f *cursors.File, b int, seq uint64) error {
	key, a := s.keys.checkpoint(b, seq), f.About()
	switch {
	case a != nil && (a.Key != key || a.Seq != seq):
		return fmt.Errorf("it %w: it was written as %s, up to record %d", errNotOfItsPlace, a.Key, a.Seq)
	case !f.HoldsOnly(b):
		return fmt.Errorf("it %w: it holds users of other buckets", errNotOfItsPlace)
	case a != nil && a.Record != "" && s.sumOf(seq) != "" && a.Record != s.sumOf(seq):
		return fmt.Errorf("it %w: it was made of another log, whose record %d is not the one that stands here", errNotOfItsPlace, seq)
	}
	return nil
}

// objectSource reads an object that many buckets are looked up in: it is fetched
// once.
func (s *cursorState) objectSource(ctx context.Context, object CursorObject, b int, all bool) (*cursorSource, error) {
	next, err := s.spool.Bucket(ctx, object, b, all)
	if err != nil {
		return nil, err
	}
	return &cursorSource{next: next}, nil
}

// counts says whether a bucket's cursors as of record upTo stand in a record, and
// not in a checkpoint already: then its object may have been swept.
func (s *cursorState) counts(r *Record, b int, upTo uint64) bool {
	return r.Seq > s.newest(b) && r.Seq <= upTo && slices.Contains(r.Buckets, b)
}

// fetchAll fetches the objects of all commits that the cursors of a shard's
// buckets stand in, several at once: one after the other they would be what a
// start waits for.
func (s *cursorState) fetchAll(ctx context.Context, shard cursors.Shard, upTo uint64) error {
	var objects []CursorObject
	for _, r := range s.commits {
		object, _ := s.effect(r)
		if object.Path == "" {
			continue
		}
		if slices.ContainsFunc(r.Buckets, func(b int) bool { return shard.Owns(b) && s.counts(r, b, upTo) }) {
			objects = append(objects, object)
		}
	}
	return s.spool.FetchAll(ctx, objects)
}
