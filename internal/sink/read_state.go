package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// cursorState finds cursors: those of a bucket of users stand in its newest
// checkpoint and in the cursor objects of later commits, where newer ones win.
type cursorState struct {
	store bucket.Objects
	keys  jobKeys
	// checkpoints are the numbers up to which each bucket has one, ascending.
	checkpoints map[int][]uint64
	sizes       map[int]int64 // of the newest of each bucket
	commits     []*Record     // in order; newer than the checkpoints of the shard
	spool       *cursors.Spool
	// progress keeps what marks say of their backfill: see backfill_ledger.go.
	progress bool
	// voided are the records that the voids among commits take back, once they were
	// looked for; see findVoided.
	voided map[uint64]takenBack
}

// locate lists the checkpoints. commits are for the caller to fill in.
func locate(ctx context.Context, store bucket.Objects, keys jobKeys, scratch string) (*cursorState, error) {
	s := &cursorState{store: store, keys: keys, spool: cursors.NewSpool(store, scratch)}
	var err error
	s.checkpoints, s.sizes, err = listCheckpoints(ctx, store, keys)
	return s, err
}

// listCheckpoints returns the numbers up to which each bucket has checkpoints,
// ascending, and the size of its newest.
func listCheckpoints(ctx context.Context, store bucket.Objects, keys jobKeys) (found map[int][]uint64, sizes map[int]int64, err error) {
	found, sizes = map[int][]uint64{}, map[int]int64{}
	for info, err := range store.List(ctx, keys.checkpoints(), "") {
		if err != nil {
			return nil, nil, fmt.Errorf("list checkpoints: %w", err)
		}
		if b, seq, ok := keys.parseCheckpoint(info.Key); ok {
			found[b] = append(found[b], seq)
			sizes[b] = info.Size
		}
	}
	return found, sizes, nil
}

// floor returns the number behind which the log is needed for a shard: the
// oldest of its buckets' newest checkpoints.
func (s *cursorState) floor(shard cursors.Shard) uint64 {
	var newest []uint64
	for _, b := range shard.Buckets() {
		newest = append(newest, s.newest(b))
	}
	return slices.Min(newest)
}

// newest is the number of a bucket's newest checkpoint, 0 if it has none.
func (s *cursorState) newest(b int) uint64 {
	if c := s.checkpoints[b]; len(c) > 0 {
		return c[len(c)-1]
	}
	return 0
}

// effect is what becomes of a cursor in the object of a record, over the one that
// stands of its stream, if any.
type effect func(c, standing cursors.Cursor) cursors.Cursor

// sumOf is the sum of a record, "" where it is not known.
func (s *cursorState) sumOf(seq uint64) string {
	i, found := slices.BinarySearchFunc(s.commits, seq, func(c *Record, seq uint64) int { return cmp.Compare(c.Seq, seq) })
	if !found {
		return ""
	}
	return s.commits[i].SHA256
}

func itself(c, _ cursors.Cursor) cursors.Cursor { return c }

// hashedAs is a cursor of a record that is taken back by a later one: how the rows are
// hashed that stand is told by what stood before it.
func hashedAs(c, standing cursors.Cursor) cursors.Cursor {
	if !standing.PulledAt.IsZero() {
		c.HashVersion = standing.HashVersion
	}
	return c
}

// erased is what stays of a cursor that a void takes back: the user is known, and
// since when; what was pulled is not, so that the next pull is full and writes
// everything again, later than the last one did whatever its clock says. What the
// cursor remembers beside stays, for those to judge who know what it means.
func erased(c cursors.Cursor) cursors.Cursor {
	return cursors.Cursor{
		UserID: c.UserID, Stream: c.Stream, ExtractedAt: c.ExtractedAt, PulledAt: c.PulledAt, FirstSeenAt: c.FirstSeenAt,
		State: c.State, HashVersion: c.HashVersion, Erased: true,
	}
}

// erasedOver does so with a cursor of the record that was taken back, on top of which
// another one may stand by then.
func erasedOver(c, standing cursors.Cursor) cursors.Cursor {
	if standing.Stream == "" {
		return erased(c)
	}
	e := erased(standing)
	if c.ExtractedAt.After(e.ExtractedAt) {
		e.ExtractedAt = c.ExtractedAt
	}
	if e.FirstSeenAt.IsZero() {
		e.FirstSeenAt = c.FirstSeenAt
	}
	return e
}

// takenBack is a record that a void takes back, as far as it can be found.
type takenBack struct {
	record  *Record // nil where it cannot be read
	objects bool    // its cursor object stands, or it has none
}

// findVoided looks for the records that the voids among the commits take back: they may
// be older than the checkpoints, by a program that let these cover what was not settled
// yet, and their cursors swept.
func (s *cursorState) findVoided(ctx context.Context) error {
	s.voided = map[uint64]takenBack{}
	for _, r := range s.commits {
		if r.Kind != KindVoid {
			continue
		}
		of := takenBack{}
		if i, found := slices.BinarySearchFunc(s.commits, r.Voids, func(c *Record, seq uint64) int { return cmp.Compare(c.Seq, seq) }); found {
			of.record = s.commits[i]
		} else {
			body, _, err := getSmall(ctx, s.store, s.keys.record(r.Voids))
			if err != nil && !errors.Is(err, bucket.ErrNotExist) {
				return fmt.Errorf("read record %d, which is taken back: %w", r.Voids, err)
			}
			if of.record, err = readRecord(s.keys, body, r.Voids); err != nil {
				of.record = nil // as if it were gone: all of its users start anew
			}
		}
		if of.record != nil {
			of.objects = of.record.Cursors.Path == ""
			if !of.objects {
				_, err := s.store.Stat(ctx, of.record.Cursors.Path)
				if err != nil && !errors.Is(err, bucket.ErrNotExist) {
					return fmt.Errorf("look for the cursors of record %d, which is taken back: %w", r.Voids, err)
				}
				of.objects = err == nil
			}
		}
		s.voided[r.Voids] = of
	}
	return nil
}

// erasesAll says that a record is a void of which nobody can tell any more what it
// erases: then it is everything that stands of its buckets. Of a backfill that is
// nothing: its marks went with the object.
func (s *cursorState) erasesAll(r *Record) bool {
	return r.Kind == KindVoid && r.Backfill == "" && !s.voided[r.Voids].objects
}

// effect says which cursor object a record makes one look at, if any, and
// what becomes of the cursors in it.
func (s *cursorState) effect(r *Record) (object CursorObject, f effect) {
	of, isTakenBack := s.voided[r.Seq]
	switch {
	case isTakenBack && !of.objects: // its void erases all
		return CursorObject{}, nil
	case r.Kind == KindBackfill:
		return r.Cursors, func(c, _ cursors.Cursor) cursors.Cursor { return s.marked(c, r.Seq) }
	case isTakenBack:
		return r.Cursors, hashedAs
	case r.Kind != KindVoid:
		return r.Cursors, itself
	}
	// Of the record that was taken back, every user and stream starts anew,
	// whatever was committed on top of it meanwhile.
	switch of := s.voided[r.Voids]; {
	case !of.objects:
		return CursorObject{}, nil
	case of.record.Kind == KindBackfill:
		return of.record.Cursors, func(c, _ cursors.Cursor) cursors.Cursor { return erasedMark(c, r.Seq) }
	default:
		return of.record.Cursors, erasedOver
	}
}

// Users yields the ids of the users that the shard knows, as of Open: in order
// of buckets, and sorted within each.
func (w *Writer) Users(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := w.state.fetchAll(ctx, w.o.Shard, w.opened); err != nil {
			yield("", fmt.Errorf("read users: %w", err))
			return
		}
		for _, b := range w.o.Shard.Buckets() {
			for u, err := range w.state.each(ctx, b, w.opened, false) {
				if err != nil {
					yield("", fmt.Errorf("read users: %w", err))
					return
				}
				known := slices.ContainsFunc(u.Cursors, func(c cursors.Cursor) bool { return !c.Ended && !isMark(c.Stream) })
				if known && !yield(u.UserID, nil) {
					return
				}
			}
		}
	}
}

// EachUser yields the users of one of the shard's buckets who have cursors, with
// these, as of Open and sorted by id. The marks of backfills are in the cursors.
// What this run adds or commits is not among them. One user is held at a time.
func (w *Writer) EachUser(ctx context.Context, b int) iter.Seq2[UserCursors, error] {
	return w.state.eachUser(ctx, w.o.Shard, b, w.opened)
}

func (s *cursorState) eachUser(ctx context.Context, shard cursors.Shard, b int, upTo uint64) iter.Seq2[UserCursors, error] {
	return func(yield func(UserCursors, error) bool) {
		if !shard.Owns(b) || b < 0 || b >= cursors.Buckets {
			yield(UserCursors{}, fmt.Errorf("read cursors: bucket %d is not of shard %d of %d", b, shard.Index, shard.Count))
			return
		}
		for u, err := range s.each(ctx, b, upTo, true) {
			u.Cursors = slices.DeleteFunc(foldMarks(u.Cursors), func(c cursors.Cursor) bool { return c.Ended })
			if (err != nil || len(u.Cursors) > 0) && !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// Cursors returns what [Writer.EachUser] yields of some users of a bucket, by
// user, and reads no further than these.
func (w *Writer) Cursors(ctx context.Context, b int, users ...string) (map[string][]cursors.Cursor, error) {
	return w.state.cursorsOf(ctx, w.o.Shard, b, w.opened, users)
}

func (s *cursorState) cursorsOf(ctx context.Context, shard cursors.Shard, b int, upTo uint64, users []string) (map[string][]cursors.Cursor, error) {
	byUser := map[string][]cursors.Cursor{}
	if len(users) == 0 {
		return byUser, nil
	}
	left := slices.Sorted(slices.Values(users))
	for u, err := range s.eachUser(ctx, shard, b, upTo) {
		if err != nil {
			return nil, err
		}
		at, found := slices.BinarySearch(left, u.UserID)
		if left = left[at:]; found {
			byUser[u.UserID] = u.Cursors
		}
		if len(left) == 0 || found && left[len(left)-1] == u.UserID {
			break
		}
	}
	return byUser, nil
}
