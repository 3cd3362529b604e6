package sink

import (
	"context"
	"fmt"
	"slices"

	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/selftest"
)

// takeover is what a run does about those before it, once it holds the lease:
// the same steps that these runs would have done next, in the same order.
type takeover struct {
	w       *Writer
	staged  []stagingRecord   // of all runs, alive or not
	records []*Record         // in order
	voids   map[uint64]uint64 // record -> the one that takes it back
	dealt   map[uint64]bool   // taken back or left to others, as far as this run has to do with it
	keep    map[string]*named // run id -> what its commits name
}

// takeOver reads the log, finishes what was committed, and sweeps up what was
// not. It returns the records that cursors are read from, in order.
func (w *Writer) takeOver(ctx context.Context) ([]*Record, error) {
	t := &takeover{w: w, voids: map[uint64]uint64{}, dealt: map[uint64]bool{}, keep: map[string]*named{}}
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	if err := t.checkSource(); err != nil {
		return nil, err
	}
	if err := t.publish(ctx); err != nil {
		return nil, err
	}
	if err := t.sweep(ctx); err != nil {
		return nil, err
	}
	// Fences have numbers of their own, and a sleeper's last commit may have
	// turned up just before one.
	if err := t.publish(ctx); err != nil {
		return nil, err
	}
	for i, r := range t.records {
		if !r.Published {
			w.unpublished = append(w.unpublished, r)
		}
		t.records[i] = r.trimmed()
	}
	return t.records, nil
}

// read lists what was staged and reads the log behind the checkpoints, or
// further back where the commits of a dead run begin.
func (t *takeover) read(ctx context.Context) (err error) {
	// Before the leases are looked at: whoever is found to have staged
	// something has had a lease by then.
	fresh, err := freshCursors(ctx, t.w.store, t.w.keys, t.w.state.floor(t.w.o.Shard))
	if err != nil {
		return err
	}
	if t.staged, err = listStagings(ctx, t.w.store, t.w.keys); err != nil {
		return err
	}
	after := t.w.state.floor(t.w.o.Shard)
	for _, st := range t.staged {
		if t.w.answersFor(st.Backfill, st.shard()) {
			t.keep[st.RunID] = &named{}
			from, err := st.readFrom(ctx, t.w.store, t.w.keys)
			if err != nil {
				return err
			}
			after = min(after, from)
		}
	}
	// One more, so that there is a record to compare the source with.
	if err := t.w.log.scan(ctx, max(after, 1)-1, t.adopt); err != nil {
		return err
	}
	return t.checkTail(ctx, fresh)
}

// adopt takes in a record that stands in the log.
func (t *takeover) adopt(r *Record) error {
	if err := r.check(); err != nil {
		return err
	}
	if keep := t.keep[r.RunID]; keep != nil {
		keep.add(r)
	}
	if r.Kind == KindVoid {
		t.voids[r.Voids] = r.Seq
	}
	if r.Published {
		r = r.trimmed()
	}
	t.records = append(t.records, r)
	return nil
}

// append writes a record of the takeover itself. It stops whoever works on the
// same users, so it takes a lease that has not been slept away.
func (t *takeover) append(ctx context.Context, r *Record, meet func(*Record) error) error {
	if err := t.w.lease.confirm(ctx); err != nil {
		return err
	}
	r.BaseSeq = t.w.log.tail
	if err := t.w.log.append(ctx, r, meet); err != nil {
		return err
	}
	return t.adopt(r)
}

func (t *takeover) checkSource() error {
	if len(t.records) == 0 {
		return nil
	}
	return sameSource(t.w.o.Job, t.records[len(t.records)-1], t.w.o.Source)
}

// sameSource compares where the last record's rows came from with where the
// next ones would.
func sameSource(job string, last *Record, want Source) error {
	if last.Source == want {
		return nil
	}
	return fmt.Errorf("%w: job %s has exported base_url %q, tenant %q up to record %d, and is configured for base_url %q, tenant %q; give the new source a job of its own",
		ErrSource, job, last.Source.BaseURL, last.Source.Tenant, last.Seq, want.BaseURL, want.Tenant)
}

// publish finishes every record that is not published, or takes it back.
func (t *takeover) publish(ctx context.Context) error {
	for i := 0; i < len(t.records); i++ { // voids are appended on the way
		r := t.records[i]
		if t.dealt[r.Seq] {
			continue
		}
		var err error
		if by := t.voids[r.Seq]; by != 0 {
			err = t.takeBack(ctx, r, by)
		} else if !r.Published {
			if _, err = t.w.log.publish(ctx, t.w.store, r, t.w.o.RunID); isLost(err) {
				err = t.lost(ctx, r, err)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what dead runs staged and did not commit. Each is fenced off
// before: if it only slept, it meets the fence when it wants to commit, and
// what it commits before the fence is seen here and kept.
func (t *takeover) sweep(ctx context.Context) error {
	alive, err := t.w.leases.living(ctx)
	if err != nil {
		return err
	}
	isAlive := func(runID string) bool {
		return slices.ContainsFunc(alive, func(l *leaseInfo) bool { return l.RunID == runID })
	}
	for _, st := range t.staged {
		if isAlive(st.RunID) || !t.w.answersFor(st.Backfill, st.shard()) {
			continue
		}
		if err := t.checkNothingVisible(ctx, &st); err != nil {
			return err
		}
		if err := t.append(ctx, t.fence(&st), t.adopt); err != nil {
			return fmt.Errorf("fence run %s: %w", st.RunID, err)
		}
		if err := sweep(ctx, t.w.store, t.w.keys, &st, t.keep[st.RunID]); err != nil {
			return err
		}
		t.w.o.Logger.InfoContext(ctx, "swept up after a run that has ended", "dead_run_id", st.RunID, "staged", len(st.Uploads))
	}
	return selftest.Sweep(ctx, t.w.store, t.w.keys.selfTests(), t.w.keys.selfTestRun, t.w.keys.selfTest, t.w.leases.whoLives)
}

func (t *takeover) fence(st *stagingRecord) *Record {
	dead := st.shard()
	r := t.w.newRecord(KindFence, slices.DeleteFunc(t.w.o.Shard.Buckets(), func(b int) bool { return !dead.Owns(b) }))
	r.Fences, r.Backfill = st.RunID, st.Backfill
	return r
}

func (st *stagingRecord) shard() cursors.Shard {
	return cursors.Shard{Index: st.Shard, Count: st.Shards}
}

// answersFor says whether what a dead run left is this one's to clear up: it
// has some of the users, or the backfill's name. A backfill that nobody
// resumes is the first shard's.
func (w *Writer) answersFor(backfill string, dead cursors.Shard) bool {
	switch {
	case w.o.Kind == KindBackfill:
		return backfill == w.o.Backfill
	case backfill != "":
		return w.o.Shard.Index == 0
	default:
		return slices.ContainsFunc(w.o.Shard.Buckets(), dead.Owns)
	}
}
