package sink

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

const (
	// checkpointTime is what writing them may well take: a run that has been
	// given less to end does without.
	checkpointTime = time.Minute
	// keptCheckpoints of each bucket stay, the newest ones.
	keptCheckpoints = 2
	// checkpointShare of what the checkpoints hold has to have come since.
	checkpointShare = 8
	// mostCommits bounds the objects that a start has to read.
	mostCommits = 256
	// emptyCheckpoint is about what a file without cursors takes, cursorGuess a
	// cursor where a record does not say.
	emptyCheckpoint = 4 << 10
	cursorGuess     = 100
)

// checkpoint writes down all cursors of the shard, if enough has been
// committed since the last time, and deletes cursor objects that are needed no
// more. It covers records only of which it is settled for ever what they are.
func (w *Writer) checkpoint(ctx context.Context) error {
	if err := w.log.follow(ctx, w.meet); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := w.publishAll(ctx); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	through := w.log.tail
	for _, r := range w.unpublished {
		through = min(through, r.Seq-1)
	}
	now := *w.state
	now.commits = slices.Concat(w.state.commits, w.since)
	if err := now.findVoided(ctx); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if !now.checkpointDue(w.o.Shard, through, w.o.checkpointEvery) {
		return nil
	}
	through = w.settledThrough(ctx, &now, through)
	if !now.checkpointDue(w.o.Shard, through, w.o.checkpointEvery) {
		return nil
	}
	for _, b := range w.o.Shard.Buckets() {
		if err := now.writeCheckpoint(ctx, b, through); err != nil {
			return fmt.Errorf("checkpoint of bucket %d: %w", b, err)
		}
	}
	w.o.Logger.InfoContext(ctx, "cursors checkpointed", "seq", through)
	if err := w.sweepCursors(ctx); err != nil {
		return fmt.Errorf("sweep old cursors: %w", err)
	}
	return nil
}

// settledThrough returns up to where a checkpoint may reach: before the first record
// whose mark does not say that it is published, or taken back by a record that the
// checkpoint covers, too. That a mark is there is not enough: a void may have claimed
// it, of which this run knows nothing.
func (w *Writer) settledThrough(ctx context.Context, s *cursorState, through uint64) uint64 {
	floor := s.floor(w.o.Shard)
	marks := make([]*publishedMark, len(s.commits))
	var g errgroup.Group
	g.SetLimit(readersAtOnce)
	for i, r := range s.commits {
		if r.Seq > floor && r.Seq <= through {
			g.Go(func() (err error) {
				marks[i], err = w.log.mark(ctx, r.Seq)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		w.o.Logger.WarnContext(ctx, "a mark cannot be read: no checkpoint is written of what comes after it", "error", err)
	}
	for i, r := range slices.Backward(s.commits) { // what is left out may be what takes an older one back
		if r.Seq > floor && r.Seq <= through && (marks[i] == nil || marks[i].VoidedBy > through) {
			through = r.Seq - 1
		}
	}
	return through
}

// checkpointDue says whether checkpoints are worth their cost. Writing them
// reads and writes all cursors, so what has come since must be a fair share of
// these: then a commit costs what it holds, some times over, however many users
// there are. Until then a start reads that share more than it would have to, and
// as many objects as may be.
func (s *cursorState) checkpointDue(shard cursors.Shard, through uint64, every int) bool {
	commits, bytes := s.since(shard, through)
	if commits < every {
		return false
	}
	var all int64
	for _, b := range shard.Buckets() {
		all += max(0, s.sizes[b]-emptyCheckpoint)
	}
	return bytes >= all/checkpointShare || commits >= max(mostCommits, every)
}

// since counts the commits that changed cursors of the shard since the oldest of
// its buckets' checkpoints, and the bytes of these.
func (s *cursorState) since(shard cursors.Shard, through uint64) (commits int, bytes int64) {
	floor := s.floor(shard)
	for _, r := range s.commits {
		if r.Seq > floor && r.Seq <= through && r.touches(shard) && (r.Cursors.Path != "" || r.Kind == KindVoid) {
			commits++
			bytes += cmp.Or(r.Cursors.Bytes, r.Cursors.Rows*cursorGuess)
		}
	}
	return commits, bytes
}

func (s *cursorState) writeCheckpoint(ctx context.Context, b int, through uint64) error {
	if s.newest(b) >= through {
		return nil // written by a run that did not get to the end
	}
	var body bytes.Buffer
	key := s.keys.checkpoint(b, through)
	about := cursors.About{Key: key, Seq: through, Record: s.sumOf(through)}
	if _, err := about.Write(&body, s.alive(ctx, b, through)); err != nil {
		return err
	}
	_, err := bucket.Write(ctx, s.store, key, body.Bytes(), bucket.Condition{IfNoneMatch: true})
	if err != nil && !errors.Is(err, bucket.ErrPrecondition) {
		return err
	}
	return nil
}

// alive yields the cursors of a bucket that a checkpoint keeps, in its order.
func (s *cursorState) alive(ctx context.Context, b int, through uint64) iter.Seq2[cursors.Cursor, error] {
	return func(yield func(cursors.Cursor, error) bool) {
		for u, err := range s.each(ctx, b, through, true) {
			if err != nil {
				yield(cursors.Cursor{}, err)
				return
			}
			for _, c := range dropSettledMarks(u.Cursors) {
				if !c.Ended && !yield(c, nil) {
					return
				}
			}
		}
	}
}

// sweepCursors deletes the shard's checkpoints but the newest two, and before
// them the cursor objects of commits that the older of these two covers for
// every bucket that the commit speaks for. Whoever shares a bucket with
// another shard, from when there were fewer or more of them, deletes last.
func (w *Writer) sweepCursors(ctx context.Context) error {
	checkpoints, _, err := listCheckpoints(ctx, w.store, w.keys)
	if err != nil {
		return err
	}
	voided := map[uint64]uint64{}
	for _, r := range slices.Concat(w.state.commits, w.since) {
		if r.Kind == KindVoid {
			voided[r.Voids] = r.Seq
		}
	}
	from, to := sweepRange(checkpoints, w.o.Shard)
	if to == 0 {
		return nil
	}
	alive, err := w.leases.living(ctx)
	if err != nil {
		return err
	}
	for _, l := range alive {
		if l.RunID != w.o.RunID && l.BaseSeq <= to {
			return nil // it may still read them
		}
	}
	for first := from + 1; first <= to; first += readAhead {
		records, err := w.log.readRange(ctx, first, min(to, first+readAhead-1))
		if err != nil {
			return err
		}
		for _, r := range records {
			if r.Cursors.Path == "" || !r.isCovered(checkpoints) || !r.areCovered(voided[r.Seq], checkpoints) {
				continue
			}
			if err := w.store.Delete(ctx, r.Cursors.Path); err != nil {
				return err
			}
		}
	}
	for _, b := range w.o.Shard.Buckets() {
		for _, seq := range checkpoints[b] {
			if seq >= kept(checkpoints[b]) {
				break
			}
			if err := w.store.Delete(ctx, w.keys.checkpoint(b, seq)); err != nil {
				return err
			}
		}
	}
	return nil
}

// isCovered says whether checkpoints stand in for the record's cursor object.
// For that of a backfill nothing does: it is the backfill's memory.
func (r *Record) isCovered(checkpoints map[int][]uint64) bool {
	return r.Kind != KindBackfill && r.areCovered(r.Seq, checkpoints)
}

// areCovered says whether the checkpoints that stay cover the record's buckets up to a
// number: that of the record, or of the void that takes it back, which needs the
// cursor object as well.
func (r *Record) areCovered(seq uint64, checkpoints map[int][]uint64) bool {
	return !slices.ContainsFunc(r.Buckets, func(b int) bool { return kept(checkpoints[b]) < seq })
}

// kept is the oldest of a bucket's checkpoints that stay; 0 if there are fewer
// than stay.
func kept(checkpoints []uint64) uint64 {
	if len(checkpoints) < keptCheckpoints {
		return 0
	}
	return checkpoints[len(checkpoints)-keptCheckpoints]
}

// sweepRange returns the records, above from and up to to, whose cursor
// objects may have become useless to the shard since it last swept.
func sweepRange(checkpoints map[int][]uint64, shard cursors.Shard) (from, to uint64) {
	oldest := []uint64{}
	for _, b := range shard.Buckets() {
		c := checkpoints[b]
		to = max(to, kept(c))
		if len(c) > keptCheckpoints {
			oldest = append(oldest, c[0])
		} else {
			oldest = append(oldest, 0)
		}
	}
	return slices.Min(oldest), to
}
