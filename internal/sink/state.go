package sink

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"finoos-syncer/internal/sink/bucket"
)

// state finds cursors: those of a bucket of users stand in its newest
// checkpoint and in the cursor objects of later commits, where newer ones win.
type state struct {
	store bucket.Objects
	keys  jobKeys
	// checkpoints are the numbers up to which each bucket has one, ascending.
	checkpoints map[int][]uint64
	commits     []*Record // in order; newer than the checkpoints of the shard
	spool       *spool
	// progress keeps what marks say of their backfill: see backfill_ledger.go.
	progress bool
}

// locate lists the checkpoints. commits are for the caller to fill in.
func locate(ctx context.Context, store bucket.Objects, keys jobKeys, scratch string) (*state, error) {
	s := &state{store: store, keys: keys, spool: &spool{store: store, dir: scratch}}
	var err error
	s.checkpoints, err = listCheckpoints(ctx, store, keys)
	return s, err
}

func listCheckpoints(ctx context.Context, store bucket.Objects, keys jobKeys) (map[int][]uint64, error) {
	found := map[int][]uint64{}
	for info, err := range store.List(ctx, keys.checkpoints(), "") {
		if err != nil {
			return nil, fmt.Errorf("list checkpoints: %w", err)
		}
		if b, seq, ok := keys.parseCheckpoint(info.Key); ok {
			found[b] = append(found[b], seq)
		}
	}
	return found, nil
}

// floor returns the number behind which the log is needed for a shard: the
// oldest of its buckets' newest checkpoints.
func (s *state) floor(shard Shard) uint64 {
	var newest []uint64
	for _, b := range shard.buckets() {
		newest = append(newest, s.newest(b))
	}
	return slices.Min(newest)
}

// newest is the number of a bucket's newest checkpoint, 0 if it has none.
func (s *state) newest(b int) uint64 {
	if c := s.checkpoints[b]; len(c) > 0 {
		return c[len(c)-1]
	}
	return 0
}

// cursorID is what cursors are told apart by.
type cursorID struct{ user, stream string }

// readObject yields the cursors of one bucket that an object holds, in whole
// or their ids only.
type readObject func(ctx context.Context, path string, b int) iter.Seq2[Cursor, error]

// load returns the cursors of a bucket of users as of record upTo, ended ones
// included.
func (s *state) load(ctx context.Context, b int, upTo uint64, checkpoint, object readObject) (map[cursorID]Cursor, error) {
	cursors := map[cursorID]Cursor{}
	apply := func(all iter.Seq2[Cursor, error], f func(Cursor) Cursor) error {
		for c, err := range all {
			if err != nil {
				return err
			}
			cursors[cursorID{c.UserID, c.Stream}] = f(c)
		}
		return nil
	}
	from := s.newest(b)
	if from > 0 {
		if err := apply(checkpoint(ctx, s.keys.checkpoint(b, from), b), itself); err != nil {
			return nil, fmt.Errorf("read checkpoint %d of bucket %d: %w", from, b, err)
		}
	}
	for _, r := range s.commits {
		if r.Seq <= from || r.Seq > upTo || !slices.Contains(r.Buckets, b) {
			continue
		}
		path, f, err := s.effect(r)
		if err == nil && path != "" {
			err = apply(object(ctx, path, b), f)
		}
		if err != nil {
			return nil, fmt.Errorf("read cursors of record %d: %w", r.Seq, err)
		}
	}
	return cursors, nil
}

func itself(c Cursor) Cursor { return c }

// erased is what stays of a cursor that a void takes back: the user is known,
// what was pulled is not.
func erased(c Cursor) Cursor { return Cursor{UserID: c.UserID, Stream: c.Stream} }

// effect says which cursor object a record makes one look at, if any, and
// what becomes of the cursors in it.
func (s *state) effect(r *Record) (path string, f func(Cursor) Cursor, err error) {
	switch r.Kind {
	case KindBackfill:
		return r.Cursors.Path, func(c Cursor) Cursor { return s.marked(c, r.Seq) }, nil
	case KindVoid:
	default:
		return r.Cursors.Path, itself, nil
	}
	// Of the record that was taken back, every user and stream starts anew,
	// whatever was committed on top of it meanwhile.
	i, found := slices.BinarySearchFunc(s.commits, r.Voids, func(c *Record, seq uint64) int { return cmp.Compare(c.Seq, seq) })
	if !found {
		return "", nil, fmt.Errorf("it takes back record %d, which is older than the checkpoint", r.Voids)
	}
	if s.commits[i].Kind == KindBackfill {
		return s.commits[i].Cursors.Path, func(c Cursor) Cursor { return erasedMark(c, r.Seq) }, nil
	}
	return s.commits[i].Cursors.Path, erased, nil
}

// whole reads an object that many buckets are looked up in: it is fetched once.
func (s *state) whole(ctx context.Context, path string, b int) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		if err := s.spool.read(ctx, path, func(f *cursorFile) { f.bucket(b)(yield) }); err != nil {
			yield(Cursor{}, err)
		}
	}
}

// once reads an object that is looked at once.
func (s *state) once(ctx context.Context, path string, b int) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		f, err := s.spool.fetch(ctx, path)
		if err != nil {
			yield(Cursor{}, err)
			return
		}
		defer func() { _ = f.Close() }() // an unlinked scratch file that was read
		readCursors(f, b)(yield)
	}
}

// ids reads the ids in an object that many buckets are looked up in.
func (s *state) ids(ctx context.Context, path string, b int) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		err := s.spool.read(ctx, path, func(f *cursorFile) { idsOf(f.keys(func(other int) bool { return other == b }))(yield) })
		if err != nil {
			yield(Cursor{}, err)
		}
	}
}

// idsOnce reads the ids in an object and fetches nothing else of it.
func (s *state) idsOnce(ctx context.Context, path string, b int) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		f, err := s.store.Open(ctx, path)
		if err != nil {
			yield(Cursor{}, err)
			return
		}
		defer func() { _ = f.Close() }() // only read
		readIDs(f, b)(yield)
	}
}

func readIDs(f cursorReaderAt, b int) iter.Seq2[Cursor, error] {
	return idsOf(readCursorUsers(f, func(other int) bool { return other == b }))
}

// idsOf makes cursors of ids.
func idsOf(keys iter.Seq2[cursorKey, error]) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		for k, err := range keys {
			if !yield(Cursor{UserID: k.UserID, Stream: k.Stream, Ended: k.Ended}, err) || err != nil {
				return
			}
		}
	}
}

// Users yields the ids of the users that the shard knows, as of Open: in order
// of buckets, and sorted within each.
func (w *Writer) Users(ctx context.Context) iter.Seq2[string, error] {
	return w.state.users(ctx, w.o.Shard, w.opened)
}

func (s *state) users(ctx context.Context, shard Shard, upTo uint64) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, b := range shard.buckets() {
			cursors, err := s.load(ctx, b, upTo, s.idsOnce, s.ids)
			if err != nil {
				yield("", fmt.Errorf("read users: %w", err))
				return
			}
			users := map[string]struct{}{}
			for id, c := range cursors {
				if !c.Ended && !isMark(id.stream) {
					users[id.user] = struct{}{}
				}
			}
			for _, id := range slices.Sorted(maps.Keys(users)) {
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// Cursors returns the cursors of one of the shard's buckets of users as of
// Open, by user and sorted by stream, with the marks of backfills in them. What
// this run adds or commits is not among them.
func (w *Writer) Cursors(ctx context.Context, b int) (map[string][]Cursor, error) {
	return w.state.cursorsOf(ctx, w.o.Shard, b, w.opened)
}

func (s *state) cursorsOf(ctx context.Context, shard Shard, b int, upTo uint64) (map[string][]Cursor, error) {
	if !shard.Owns(b) || b < 0 || b >= Buckets {
		return nil, fmt.Errorf("read cursors: bucket %d is not of shard %d of %d", b, shard.Index, shard.Count)
	}
	cursors, err := s.load(ctx, b, upTo, s.once, s.whole)
	if err != nil {
		return nil, err
	}
	foldMarks(cursors)
	byUser := map[string][]Cursor{}
	for id, c := range cursors {
		if !c.Ended {
			byUser[id.user] = append(byUser[id.user], c)
		}
	}
	for _, cs := range byUser {
		slices.SortFunc(cs, func(a, b Cursor) int { return cmp.Compare(a.Stream, b.Stream) })
	}
	return byUser, nil
}
