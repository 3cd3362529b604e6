package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// checkCursors checks the cursor object of a record. It may be absent once
// checkpoints stand in for it.
func (v *verifier) checkCursors(ctx context.Context, r *Record) error {
	key := r.Cursors.Path
	if key == "" {
		return nil
	}
	v.cursors.add(key)
	local, sum, err := v.fetch(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return v.checkCovered(ctx, r)
	}
	if err != nil {
		return err
	}
	defer func() { _ = local.Close() }() // a copy that was read
	n, why := cursors.Count(local)
	v.found.Cursors += n
	find := func(format string, args ...any) {
		v.problem(Finding{Where: key, Seq: r.Seq, What: fmt.Sprintf(format, args...), Do: doCursors})
	}
	switch o := r.Cursors; {
	case why != nil:
		find("cannot be read: %v", why)
	case n != o.Rows:
		find("holds %d cursors, record %d says %d", n, r.Seq, o.Rows)
	case o.Bytes > 0 && local.Size() != o.Bytes:
		find("holds %d bytes, record %d says %d", local.Size(), r.Seq, o.Bytes)
	case o.SHA256 == "":
		v.unchecked[0]++
	case o.SHA256 != sum:
		find("has the checksum %s, record %d says %s", sum, r.Seq, o.SHA256)
	}
	return nil
}

// checkCovered makes sure that a cursor object that is gone was swept.
func (v *verifier) checkCovered(ctx context.Context, r *Record) (err error) {
	covered, barely := r.standsIn(v.checkpoints)
	if !covered || barely {
		// The run beside us may have written checkpoints since.
		if v.checkpoints, _, err = listCheckpoints(ctx, v.store, v.keys); err != nil {
			return err
		}
		covered, barely = r.standsIn(v.checkpoints)
	}
	switch {
	case !covered:
		v.problem(Finding{
			Where: r.Cursors.Path, Seq: r.Seq, What: fmt.Sprintf("record %d names it and no checkpoints stand in for it, but it is not there", r.Seq), Do: doCursors,
		})
	case barely && v.barely == 0:
		v.barely = r.Seq
	}
	return nil
}

// standsIn says whether checkpoints stand in for the record's cursor object: two, as
// when it is swept. Where a bucket has but one left, that is enough for the job to go
// on, barely.
func (r *Record) standsIn(checkpoints map[int][]uint64) (covered, barely bool) {
	if r.Kind == KindBackfill {
		return false, false // it is the backfill's memory
	}
	for _, b := range r.Buckets {
		switch of := checkpoints[b]; {
		case len(of) == 1 && of[0] >= r.Seq:
			barely = true
		case kept(of) < r.Seq:
			return false, false
		}
	}
	return true, barely
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
		lost, err := v.hasLostItsMark(ctx, r)
		if err != nil {
			return err
		}
		if lost {
			v.problem(Finding{
				Where: v.keys.published(seq), Seq: seq, What: "is missing, though the record was published: loaders wait before it", Do: doMark,
			})
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

// hasLostItsMark says whether a record without a mark had one: a checkpoint covers it,
// which covers none but published ones, or all is visible and its run has ended and
// cleared up.
func (v *verifier) hasLostItsMark(ctx context.Context, r *Record) (bool, error) {
	if v.voids[r.Seq] != 0 {
		return false, nil // it is being taken back
	}
	for _, of := range v.checkpoints {
		if len(of) > 0 && of[len(of)-1] >= r.Seq {
			return true, nil
		}
	}
	ended := !v.alive[r.RunID] && !slices.ContainsFunc(v.staged, func(st stagingRecord) bool { return st.RunID == r.RunID })
	if !ended || len(r.Files) == 0 {
		return false, nil // a fence, or a void: whoever takes over a job stages nothing for it
	}
	for _, f := range r.Files {
		if stands, err := exists(ctx, v.store, f.Path); err != nil || !stands {
			return false, err
		}
	}
	return true, nil
}

// checkPending makes sure that what a record names can still be published.
func (v *verifier) checkPending(ctx context.Context, r *Record) error {
	key := v.keys.record(r.Seq)
	if by := v.voids[r.Seq]; by != 0 {
		v.note(Finding{Where: key, Seq: r.Seq, What: fmt.Sprintf("is being taken back by record %d", by), Do: doWait})
		return nil
	}
	for _, f := range r.Files {
		why, err := v.isLost(ctx, f)
		if err != nil {
			return err
		}
		if m, _, err := v.mark(ctx, r.Seq); why == "" || err != nil || m != nil {
			if err != nil {
				return err
			}
			continue
		}
		v.problem(Finding{
			Where: f.Path, Seq: r.Seq, What: fmt.Sprintf("record %d names it, but it is not there, and %s", r.Seq, why),
			Do: "run the job: it takes the record back and pulls its users in full",
		})
	}
	v.note(Finding{Where: key, Seq: r.Seq, What: "is not published yet: loaders wait before it", Do: doWait})
	return nil
}

// isLost says why a file is neither there nor going to be, "" where it is. Between two
// looks it may come to be.
func (v *verifier) isLost(ctx context.Context, f File) (why string, err error) {
	for range 2 {
		if stands, err := exists(ctx, v.store, f.Path); err != nil || stands {
			return "", err
		}
		pending, err := v.store.PendingUploads(ctx, f.Path)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(pending, func(up bucket.Upload) bool { return up.ID == f.Upload.ID }) {
			why = "neither is its pending upload"
			continue
		}
		err = bucket.CheckUpload(ctx, v.store, f.Upload.Upload, f.Upload.Parts)
		switch {
		case errors.Is(err, bucket.ErrBadUpload):
			why = fmt.Sprintf("its pending upload is damaged (%v)", err)
		case err == nil, errors.Is(err, bucket.ErrUnsupported), errors.Is(err, bucket.ErrDenied):
			return "", nil // or it cannot be told
		case !errors.Is(err, bucket.ErrNoUpload):
			return "", err
		}
	}
	return why, nil
}
