package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"finoos-syncer/internal/sink/attempts"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// findUnnamedCursors lists the cursor objects for what nothing names.
func (v *verifier) findUnnamedCursors(ctx context.Context) error {
	var unnamed []string
	for info, err := range v.store.List(ctx, v.keys.cursorObjects(), "") {
		if err != nil {
			return err
		}
		if !v.cursors.has(info.Key) && len(unnamed) < maxFindings {
			unnamed = append(unnamed, info.Key)
		}
	}
	if len(unnamed) == 0 {
		return nil
	}
	// Staged first: a run stages them before it writes them, and forgets them
	// when a record names them or they are gone.
	v.staged = nil
	if err := v.readStaged(ctx); err != nil {
		return err
	}
	known := nameSet{}
	for _, st := range v.staged {
		for _, key := range st.Cursors {
			known.add(key)
		}
	}
	for r, err := range ReadLog(ctx, v.store, v.o.Job, v.found.LastSeq) {
		if err != nil {
			break // what is wrong with the log was reported
		}
		known.add(r.Cursors.Path)
		if r.Fences != "" {
			v.fenced.add(r.Fences)
		}
	}
	for _, key := range unnamed {
		if known.has(key) {
			continue
		}
		if _, err := v.store.Stat(ctx, key); errors.Is(err, bucket.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		f := Finding{Where: key, What: "no commit names it, and no run has announced it", Do: "delete it: nobody reads it, and no run will clear it away"}
		lost, err := v.tellsOfLostRecord(ctx, key)
		if err != nil {
			return err
		}
		switch {
		case v.blind && !v.longer:
			f.Do = doLogFirst
		case lost:
			f.What, f.Do = "has cursors that a record must name, and the log has none: it was longer", doTail(v.keys)+doUnnamed
			v.problem(f)
			v.blind, v.longer = true, true // so are files
			continue
		}
		v.note(f)
	}
	return nil
}

// tellsOfLostRecord says whether a run has written a cursor object that no record names.
// That of a run which was taken for dead while it wrote may stay behind.
func (v *verifier) tellsOfLostRecord(ctx context.Context, key string) (bool, error) {
	object, err := v.store.Open(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	local, _, err := cursors.Fetch(object, v.o.ScratchDir)
	if err = errors.Join(err, object.Close()); err != nil {
		return false, err
	}
	defer func() { _ = local.Close() }() // a copy that was read
	f, err := cursors.Open(local, false)
	if err != nil || f.About() == nil || f.About().Key != key {
		return false, nil // no run has written it
	}
	return !v.fenced.has(f.About().RunID), nil
}

// findLeftovers looks for what runs have announced and not cleared away,
// though they have ended.
func (v *verifier) findLeftovers(ctx context.Context) error {
	// Before the leases are looked at, as a run does: whoever is found to
	// have staged something has had a lease by then.
	v.staged = nil
	if err := v.readStaged(ctx); err != nil {
		return err
	}
	var tests []string
	for info, err := range v.store.List(ctx, v.keys.selfTests(), "") {
		if err != nil {
			return err
		}
		tests = append(tests, info.Key)
	}
	noted := map[string][]string{} // of sessions that banks were about to be asked for: keys, by run
	for info, err := range v.store.List(ctx, v.keys.attempts(), "") {
		if err != nil {
			return err
		}
		if run := v.keys.attemptRun(info.Key); run == "" {
			v.stranger(info.Key, "object of attempts")
		} else if len(noted) < maxFindings {
			noted[run] = append(noted[run], info.Key)
		}
	}
	if err := v.readLiving(ctx); err != nil {
		return err
	}
	alive := v.alive
	for i := range v.staged {
		if !alive[v.staged[i].RunID] {
			if err := v.reportStaged(ctx, &v.staged[i]); err != nil {
				return err
			}
		}
	}
	for _, run := range slices.Sorted(maps.Keys(noted)) {
		if !alive[run] {
			if err := v.reportAttempts(ctx, run, noted[run]); err != nil {
				return err
			}
		}
	}
	for _, key := range tests {
		if run := v.keys.selfTestRun(key); run == "" {
			v.note(Finding{Where: key, What: "is no object of a self-test", Do: "find out who put it there, and delete it"})
		} else if !alive[run] {
			v.note(Finding{Where: key, What: fmt.Sprintf("run %s was testing the store and has ended", run), Do: doLeftovers})
		}
	}
	return nil
}

// reportAttempts reports what banks were asked for by a run that has ended.
func (v *verifier) reportAttempts(ctx context.Context, run string, keys []string) error {
	if _, err := v.store.Stat(ctx, keys[0]); errors.Is(err, bucket.ErrNotExist) {
		return nil // it ended well, just now
	} else if err != nil {
		return err
	}
	keys, err := v.readableAttempts(ctx, run, keys)
	if err != nil || len(keys) == 0 {
		return err
	}
	v.note(Finding{
		Where: keys[0], What: fmt.Sprintf("run %s has ended without saying what came of bank synchronisations; objects: %d", run, len(keys)), Do: doLeftovers,
	})
	return nil
}

// readableAttempts reports those that no run clears away, since it cannot read them, and
// returns the others. It looks at the first of them.
func (v *verifier) readableAttempts(ctx context.Context, run string, keys []string) (readable []string, err error) {
	for i, key := range keys {
		if i == maxFindings {
			return append(readable, keys[i:]...), nil
		}
		body, _, err := getSmall(ctx, v.store, key)
		switch {
		case errors.Is(err, bucket.ErrNotExist):
			continue
		case err == nil:
			err = attempts.Check(key, body, run)
		case !errors.Is(err, bucket.ErrDenied) && !errors.Is(err, ErrForged):
			return nil, err
		}
		if err != nil {
			v.note(Finding{
				Where: key, What: fmt.Sprintf("says what run %s was about to ask banks for, and cannot be read: %v", run, err),
				Do: "delete it: runs pass it over; a bank may be asked once more than it need be",
			})
			continue
		}
		readable = append(readable, key)
	}
	return readable, nil
}

func (v *verifier) reportStaged(ctx context.Context, st *stagingRecord) error {
	uploads := 0
	for _, key := range st.Uploads {
		pending, err := v.store.PendingUploads(ctx, key)
		if err != nil {
			return err
		}
		uploads += len(pending)
	}
	key := v.keys.staging(st.RunID, st.Shard)
	if _, err := v.store.Stat(ctx, key); errors.Is(err, bucket.ErrNotExist) {
		return nil // it ended well, just now
	} else if err != nil {
		return err
	}
	v.note(Finding{Where: key, What: fmt.Sprintf("run %s has ended without clearing up; uploads left pending: %d", st.RunID, uploads), Do: doLeftovers})
	return nil
}
