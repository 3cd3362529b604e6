package sink

import (
	"cmp"
	"context"
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

// sumOf is the sum of a record, "" where it is not known.
func (s *cursorState) sumOf(seq uint64) string {
	i, found := slices.BinarySearchFunc(s.commits, seq, func(c *Record, seq uint64) int { return cmp.Compare(c.Seq, seq) })
	if !found {
		return ""
	}
	return s.commits[i].SHA256
}

func itself(c cursors.Cursor) cursors.Cursor { return c }

// erased is what stays of a cursor that a void takes back: the user is known,
// what was pulled is not.
func erased(c cursors.Cursor) cursors.Cursor {
	return cursors.Cursor{UserID: c.UserID, Stream: c.Stream}
}

// effect says which cursor object a record makes one look at, if any, and
// what becomes of the cursors in it.
func (s *cursorState) effect(r *Record) (object CursorObject, f func(cursors.Cursor) cursors.Cursor, err error) {
	switch r.Kind {
	case KindBackfill:
		return r.Cursors, func(c cursors.Cursor) cursors.Cursor { return s.marked(c, r.Seq) }, nil
	case KindVoid:
	default:
		return r.Cursors, itself, nil
	}
	// Of the record that was taken back, every user and stream starts anew,
	// whatever was committed on top of it meanwhile.
	i, found := slices.BinarySearchFunc(s.commits, r.Voids, func(c *Record, seq uint64) int { return cmp.Compare(c.Seq, seq) })
	if !found {
		return CursorObject{}, nil, fmt.Errorf("it takes back record %d, which is older than the checkpoint", r.Voids)
	}
	if s.commits[i].Kind == KindBackfill {
		return s.commits[i].Cursors, func(c cursors.Cursor) cursors.Cursor { return erasedMark(c, r.Seq) }, nil
	}
	return s.commits[i].Cursors, erased, nil
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
