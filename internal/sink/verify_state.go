package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// readCheckpoints reads the newest checkpoint of every bucket of users.
func (v *verifier) readCheckpoints(ctx context.Context) (err error) {
	if v.checkpoints, _, err = listCheckpoints(ctx, v.store, v.keys); err != nil {
		return err
	}
	for b := range cursors.Buckets {
		of := v.checkpoints[b]
		if len(of) == 0 {
			continue
		}
		key := v.keys.checkpoint(b, of[len(of)-1])
		n, why, err := v.countCursorsAt(ctx, key)
		if err != nil {
			return err
		}
		if why != nil && !errors.Is(why, bucket.ErrNotExist) { // absent: a newer one was written meanwhile
			v.problem(Finding{Where: key, What: "cannot be read: " + why.Error(), Do: doCursors})
		}
		v.found.Cursors += n
	}
	return nil
}

// countCursorsAt reads a cursor object. What is wrong with it is in why.
func (v *verifier) countCursorsAt(ctx context.Context, key string) (n int64, why, err error) {
	f, err := v.fetch(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return 0, err, nil
	}
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = f.Close() }() // an unlinked scratch file that was read
	n, why = cursors.Count(f)
	return n, why, nil
}

// checkCursors checks the cursor object of a record. It may be absent once
// checkpoints stand in for it.
func (v *verifier) checkCursors(ctx context.Context, r *Record) error {
	key := r.Cursors.Path
	if key == "" {
		return nil
	}
	v.cursors.add(key)
	n, why, err := v.countCursorsAt(ctx, key)
	v.found.Cursors += n
	switch {
	case err != nil:
		return err
	case errors.Is(why, bucket.ErrNotExist):
		return v.checkCovered(ctx, r)
	case why != nil:
		v.problem(Finding{Where: key, Seq: r.Seq, What: "cannot be read: " + why.Error(), Do: doCursors})
	case n != r.Cursors.Rows:
		v.problem(Finding{Where: key, Seq: r.Seq, What: fmt.Sprintf("holds %d cursors, record %d says %d", n, r.Seq, r.Cursors.Rows), Do: doCursors})
	}
	return nil
}

// checkCovered makes sure that a cursor object that is gone was swept.
func (v *verifier) checkCovered(ctx context.Context, r *Record) (err error) {
	covered := func() bool { return r.isCovered(v.checkpoints) }
	if covered() {
		return nil
	}
	// The run beside us may have written checkpoints since.
	if v.checkpoints, _, err = listCheckpoints(ctx, v.store, v.keys); err != nil || covered() {
		return err
	}
	v.problem(Finding{
		Where: r.Cursors.Path, Seq: r.Seq, What: fmt.Sprintf("record %d names it and no checkpoints stand in for it, but it is not there", r.Seq), Do: doCursors,
	})
	return nil
}

// readVoids looks at the records that were taken back. What is missing of
// those is as it should be.
func (v *verifier) readVoids(ctx context.Context) error {
	late := map[uint64]bool{} // the record's mark says that it is published: it stands
	for seq := range v.voids {
		m, _, err := v.mark(ctx, seq)
		if err != nil {
			return err
		}
		late[seq] = m != nil && m.VoidedBy == 0
	}
	v.forgive(func(f Finding) bool { return f.gone && v.voids[f.Seq] != 0 && !late[f.Seq] })
	for _, seq := range slices.Sorted(maps.Keys(v.marked)) {
		by := v.marked[seq]
		if v.voids[seq] != by {
			v.problem(Finding{
				Where: v.keys.published(seq), Seq: seq, What: fmt.Sprintf("says that record %d takes this one back, but it does not", by), Do: doRestore,
			})
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(v.voids)) {
		by := v.voids[seq]
		if late[seq] {
			continue
		}
		v.found.Voided++
		r, _, err := v.get(ctx, seq)
		if err != nil {
			return err
		}
		m, _, err := v.mark(ctx, seq)
		if err != nil {
			return err
		}
		if r == nil || m == nil {
			continue // it was reported; or it is being taken back at this moment
		}
		for _, f := range r.Files {
			_, err := v.store.Stat(ctx, f.Path)
			if err == nil {
				v.problem(Finding{Where: f.Path, Seq: seq, What: fmt.Sprintf("record %d took it back, but it is visible", by), Do: "delete it: its rows are in later commits"})
			} else if !errors.Is(err, bucket.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// readUnpublished looks again at the records that had no mark when they were
// listed.
func (v *verifier) readUnpublished(ctx context.Context) error {
	for _, seq := range v.unpublished {
		r, _, err := v.get(ctx, seq)
		if err != nil {
			return err
		}
		m, why, err := v.mark(ctx, seq)
		switch {
		case err != nil:
			return err
		case r == nil:
			continue // it was reported
		case m != nil || why != nil:
			if err := v.checkPublished(ctx, r); err != nil {
				return err
			}
			continue
		}
		v.found.Unpublished++
		if err := v.checkPending(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// checkPending makes sure that what a record names can still be published.
func (v *verifier) checkPending(ctx context.Context, r *Record) error {
	key := v.keys.record(r.Seq)
	if by := v.voids[r.Seq]; by != 0 {
		v.note(Finding{Where: key, Seq: r.Seq, What: fmt.Sprintf("is being taken back by record %d", by), Do: doWait})
		return nil
	}
	for _, f := range r.Files {
		lost, err := v.isLost(ctx, f)
		if err != nil {
			return err
		}
		if m, _, err := v.mark(ctx, r.Seq); !lost || err != nil || m != nil {
			if err != nil {
				return err
			}
			continue
		}
		v.problem(Finding{
			Where: f.Path, Seq: r.Seq, What: fmt.Sprintf("record %d names it, but it is not there, and neither is its pending upload", r.Seq),
			Do: "run the job: it takes the record back and pulls its users in full",
		})
	}
	v.note(Finding{Where: key, Seq: r.Seq, What: "is not published yet: loaders wait before it", Do: doWait})
	return nil
}

// isLost says whether a file is neither there nor going to be. Between two
// looks it may come to be.
func (v *verifier) isLost(ctx context.Context, f File) (bool, error) {
	for range 2 {
		_, err := v.store.Stat(ctx, f.Path)
		if !errors.Is(err, bucket.ErrNotExist) {
			return false, err
		}
		pending, err := v.store.PendingUploads(ctx, f.Path)
		if err != nil || slices.ContainsFunc(pending, func(up bucket.Upload) bool { return up.ID == f.Upload.ID }) {
			return false, err
		}
	}
	return true, nil
}

// checkStates reads the state objects of the job. Nothing that was committed
// depends on them, so that what is wrong with one is a note.
func (v *verifier) checkStates(ctx context.Context) error {
	for info, err := range v.store.List(ctx, v.keys.states(), "") {
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(info.Key, v.keys.states()), ".json")
		if !validState.MatchString(name) || info.Key != v.keys.state(name) {
			v.note(Finding{Where: info.Key, What: "is no object of a job's state", Do: "find out who put it there, and delete it"})
			continue
		}
		_, _, err := getState(ctx, v.store, info.Key)
		switch {
		case errors.Is(err, errNewerState):
			v.note(Finding{Where: info.Key, What: err.Error(), Do: "run the job with the newer program"})
		case errors.Is(err, ErrState):
			v.note(Finding{Where: info.Key, What: err.Error(), Do: "nothing: runs go on without it, and the next one that has something to remember writes it anew"})
		case err != nil:
			return err
		}
	}
	return nil
}
