package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// listCheckpoints finds the checkpoints, and what else lies beside them.
func (v *verifier) listCheckpoints(ctx context.Context) (err error) {
	if v.checkpoints, _, err = listCheckpoints(ctx, v.store, v.keys); err != nil {
		return err
	}
	for info, err := range v.store.List(ctx, v.keys.checkpoints(), "") {
		if err != nil {
			return err
		}
		if b, seq, ok := v.keys.parseCheckpoint(info.Key); !ok || info.Key != v.keys.checkpoint(b, seq) {
			v.note(Finding{Where: info.Key, What: "is no checkpoint", Do: doStranger})
		}
	}
	return nil
}

// remember keeps of a record what checkpoints are compared with: those that the older
// of two covers are needed no more.
func (v *verifier) remember(r *Record) {
	oldest := r.Seq
	for _, b := range r.Buckets {
		oldest = min(oldest, kept(v.checkpoints[b]))
	}
	if r.Fences != "" {
		v.fenced.add(r.Fences)
	}
	if r.Backfill != "" {
		l := v.ledgers[r.Backfill]
		if l == nil {
			l = &backfillLedger{}
			v.ledgers[r.Backfill] = l
		}
		l.add(r, r.Backfill)
	}
	if r.Seq >= oldest {
		v.commits = append(v.commits, r.trimmed())
	}
}

// checkCheckpoints reads all checkpoints, and compares the newest of each bucket with
// what it was made of: the one before it, and the log's own objects.
func (v *verifier) checkCheckpoints(ctx context.Context) error {
	state := &cursorState{store: v.store, keys: v.keys, spool: cursors.NewSpool(v.store, v.o.ScratchDir), commits: v.commits}
	defer state.spool.Close()
	if err := v.addVoided(ctx, state); err != nil {
		return err
	}
	for b := range cursors.Buckets {
		of := v.checkpoints[b]
		for i, seq := range of {
			if err := v.checkCheckpoint(ctx, state, b, seq, i == len(of)-1); err != nil {
				return err
			}
		}
	}
	if v.barely > 0 {
		v.note(Finding{
			Where: v.keys.checkpoints(), What: fmt.Sprintf("holds but one checkpoint of some users, and the cursors of record %d, which it covers, are gone: another was lost", v.barely),
			Do: "nothing: the next one that a run writes stands beside it",
		})
	}
	return nil
}

// addVoided adds the records that are taken back, and looks for what they leave: the
// effect of a void is told by both.
func (v *verifier) addVoided(ctx context.Context, s *cursorState) error {
	for _, r := range slices.Clone(s.commits) {
		if r.Kind != KindVoid || s.sumOf(r.Voids) != "" {
			continue
		}
		voided, _, err := v.get(ctx, r.Voids)
		if err != nil {
			return err
		}
		if voided != nil {
			s.commits = append(s.commits, voided.trimmed())
		}
	}
	slices.SortFunc(s.commits, func(a, b *Record) int { return int(a.Seq) - int(b.Seq) }) // numbers of commits are small
	return s.findVoided(ctx)
}

func (v *verifier) checkCheckpoint(ctx context.Context, s *cursorState, b int, seq uint64, newest bool) error {
	key := v.keys.checkpoint(b, seq)
	local, _, err := v.fetch(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil // newer ones were written meanwhile
	}
	if err != nil {
		return err
	}
	defer func() { _ = local.Close() }() // a copy that was read
	f, why := cursors.Open(local, true)
	var n int64
	if why == nil {
		n, why = f.Count()
	}
	if why != nil {
		v.problem(Finding{Where: key, What: "cannot be read: " + why.Error(), Do: doCheckpoint})
		return nil
	}
	if newest {
		v.found.Cursors += n
	}
	if f.About() == nil {
		v.unchecked[1]++
	}
	place := *s
	if v.accused[seq] || slices.ContainsFunc(v.replaced, func(f Finding) bool { return f.Seq == seq }) {
		place.commits = nil // the record is another, and not the checkpoint
	}
	if err := place.checkPlace(f, b, seq); err != nil {
		v.problem(Finding{Where: key, What: "is not what its key says: " + err.Error(), Do: doCheckpoint})
		return nil
	}
	if !newest || v.blind || seq > v.found.LastSeq {
		return nil
	}
	differs, err := v.differs(ctx, s, f, b, seq)
	if err == nil && differs != "" {
		v.problem(Finding{Where: key, What: "does not hold what the log does: " + differs, Do: doCheckpoint})
	}
	return err
}

// differs makes the cursors of a checkpoint again, and compares. It says nothing where
// they can be made no more.
func (v *verifier) differs(ctx context.Context, s *cursorState, f *cursors.File, b int, seq uint64) (string, error) {
	before := kept(v.checkpoints[b])
	if f.About() == nil && slices.ContainsFunc(s.commits, func(r *Record) bool {
		return r.Kind == KindVoid && r.Seq > before && r.Seq <= seq && slices.Contains(r.Buckets, b)
	}) {
		return "", nil // earlier versions kept less of what a void takes back
	}
	again := *s
	again.checkpoints = map[int][]uint64{}
	if before > 0 {
		again.checkpoints[b] = []uint64{before}
	}
	if v.told[v.keys.checkpoint(b, before)] || slices.ContainsFunc(s.commits, func(r *Record) bool {
		return r.Seq > before && r.Seq <= seq && slices.Contains(r.Buckets, b) && v.told[r.Cursors.Path]
	}) {
		return "", nil // what is wrong was said
	}
	is, stopIs := iter.Pull2(all(f.Bucket(b, true)))
	defer stopIs()
	ought, stopOught := iter.Pull2(again.alive(ctx, b, seq))
	defer stopOught()
	for n := 0; ; n++ {
		want, wantErr, wantMore := ought()
		got, gotErr, gotMore := is()
		switch {
		case errors.Is(wantErr, bucket.ErrNotExist), errors.Is(wantErr, cursors.ErrDamaged), errors.Is(wantErr, errNotOfItsPlace):
			return "", nil // swept by the run beside, or told
		case wantErr != nil || gotErr != nil:
			return "", errors.Join(wantErr, gotErr)
		case wantMore != gotMore:
			return fmt.Sprintf("cursor %d is there, or is not", n+1), nil
		case !wantMore:
			return "", nil
		case !bytes.Equal(cursors.Append(nil, &want), cursors.Append(nil, &got)):
			return fmt.Sprintf("cursor %d is another", n+1), nil
		}
	}
}

// all yields what next returns.
func all(next func() ([]cursors.Cursor, bool, error)) iter.Seq2[cursors.Cursor, error] {
	return func(yield func(cursors.Cursor, error) bool) {
		for {
			cs, more, err := next()
			if err != nil {
				yield(cursors.Cursor{}, err)
				return
			}
			for _, c := range cs {
				if !yield(c, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}
