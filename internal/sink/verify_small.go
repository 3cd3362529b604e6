package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
)

// checkSmall reads the small objects beside the log. What a run cannot go on with is a
// problem, what it does without a note.
func (v *verifier) checkSmall(ctx context.Context) error {
	for _, kind := range []struct {
		prefix string
		check  func(ctx context.Context, key string) error
	}{
		{v.keys.leases(), v.checkLease},
		{v.keys.stagings(), v.checkStaging},
		{v.keys.states(), v.checkState},
		{v.keys.handovers(), v.checkHandover},
		{v.keys.reports(), v.checkReport},
		{v.keys.backfills(), v.checkBackfill},
	} {
		for info, err := range v.store.List(ctx, kind.prefix, "") {
			if err != nil {
				return err
			}
			if err := kind.check(ctx, info.Key); err != nil {
				return err
			}
		}
	}
	return v.findUndefined(ctx)
}

// stranger notes an object that no run has written.
func (v *verifier) stranger(key, kind string) {
	v.note(Finding{Where: key, What: "is no " + kind, Do: doStranger})
}

// getSealed reads an object of JSON that says itself whether it is whole. What is wrong
// with it is in why; stands is false where it is gone.
func (v *verifier) getSealed(ctx context.Context, key string, into any) (stands bool, why, err error) {
	body, _, err := getSmall(ctx, v.store, key)
	switch {
	case errors.Is(err, bucket.ErrNotExist):
		return false, nil, nil
	case errors.Is(err, ErrForged):
		return true, err, nil
	case err != nil:
		return false, nil, err
	}
	if why = decode(body, into); why == nil {
		_, why = seal.Check(key, body)
	}
	return true, why, nil
}

func (v *verifier) checkLease(ctx context.Context, key string) error {
	if !strings.HasSuffix(key, ".json") {
		v.stranger(key, "lease")
		return nil
	}
	var l leaseBody
	stands, why, err := v.getSealed(ctx, key, &l)
	if !stands || err != nil {
		return err
	}
	if why == nil {
		why = l.ours(key, v.keys)
	}
	if why != nil {
		v.problem(Finding{Where: key, What: fmt.Sprintf("is a lease that cannot be read: %v", reasonOf(why)), Do: doLease})
	}
	return nil
}

// readStaged reads who has announced what, and then whose leases live: whoever is found
// to have staged something has had a lease by then.
func (v *verifier) readStaged(ctx context.Context) error {
	for info, err := range v.store.List(ctx, v.keys.stagings(), "") {
		if err != nil {
			return err
		}
		st, err := v.staging(ctx, info.Key)
		if err != nil {
			return err
		}
		if st != nil {
			v.staged = append(v.staged, *st)
		}
	}
	return v.readLiving(ctx)
}

// readLiving reads the leases that live. One that cannot be read is reported elsewhere.
func (v *verifier) readLiving(ctx context.Context) error {
	v.alive = map[string]bool{}
	ls := &leases{store: v.store, keys: v.keys, ttl: defaultLeaseTTL}
	for info, err := range v.store.List(ctx, v.keys.leases(), "") {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(info.Key, ".json") {
			continue
		}
		standing, err := ls.get(ctx, info.Key)
		if errors.Is(err, bucket.ErrNotExist) || errors.Is(err, ErrForged) {
			continue // given back meanwhile, or reported elsewhere
		}
		if err != nil {
			return err
		}
		if standing.alive {
			v.alive[standing.RunID] = true
		}
	}
	return nil
}

// staging reads a staging record; nil where it is gone or cannot be read.
func (v *verifier) staging(ctx context.Context, key string) (*stagingRecord, error) {
	st, err := readStaging(ctx, v.store, v.keys, key)
	if errors.Is(err, bucket.ErrNotExist) || errors.Is(err, ErrForged) {
		return nil, nil //nolint:nilnil // its run has ended meanwhile, or it is reported elsewhere
	}
	return &st, err
}

func (v *verifier) checkStaging(ctx context.Context, key string) error {
	if !strings.HasSuffix(key, ".json") {
		v.stranger(key, "staging record")
		return nil
	}
	st, err := readStaging(ctx, v.store, v.keys, key)
	switch {
	case errors.Is(err, bucket.ErrNotExist):
		return nil
	case errors.Is(err, ErrForged):
		v.problem(Finding{Where: key, What: fmt.Sprintf("is a staging record that cannot be read: %v", reasonOf(err)), Do: doStaging})
		return nil
	case err != nil:
		return err
	}
	return v.checkClue(ctx, clue{key: key, seq: st.BaseSeq, what: fmt.Sprintf("is of a run that knew record %d", st.BaseSeq)})
}

// checkClue reports an object that tells of a record behind the end of the log.
func (v *verifier) checkClue(ctx context.Context, c clue) error {
	if c.seq <= v.found.LastSeq || v.told[c.key] {
		return nil
	}
	lost, err := c.holds(ctx, v.store, v.keys, v.found.LastSeq)
	if lost && err == nil {
		v.blind, v.longer = true, true // what is visible is named by records that are lost
		v.problem(Finding{Where: c.key, What: c.what + ", and the log does not: it was longer", Do: doTail(v.keys)})
	}
	return err
}

// findLongerLog reports checkpoints of records behind the end of the log, once for each
// record.
func (v *verifier) findLongerLog(ctx context.Context) error {
	var told []uint64
	for b := range cursors.Buckets {
		of := v.checkpoints[b]
		if len(of) == 0 || slices.Contains(told, of[len(of)-1]) {
			continue
		}
		seq := of[len(of)-1]
		if key := v.keys.checkpoint(b, seq); seq > v.found.LastSeq && !v.told[key] {
			told = append(told, seq)
			if err := v.checkClue(ctx, clue{key: key, seq: seq, what: fmt.Sprintf("is a checkpoint, which tells of record %d", seq)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkState reads a state object. Nothing that was committed depends on it, so that
// what is wrong with it is a note.
func (v *verifier) checkState(ctx context.Context, key string) error {
	name := strings.TrimSuffix(strings.TrimPrefix(key, v.keys.states()), ".json")
	if !validState.MatchString(name) || key != v.keys.state(name) {
		v.stranger(key, "object of a job's state")
		return nil
	}
	o, _, err := getState(ctx, v.store, key)
	switch {
	case errors.Is(err, errNewerState):
		v.note(Finding{Where: key, What: err.Error(), Do: "run the job with the newer program"})
	case errors.Is(err, ErrState):
		v.note(Finding{Where: key, What: err.Error(), Do: "nothing: runs go on without it, and the next one that has something to remember writes it anew"})
	case err != nil:
		return err
	default:
		return v.checkStatePlace(ctx, key, o)
	}
	return nil
}

// checkStatePlace compares a state object with the log that it was written beside.
func (v *verifier) checkStatePlace(ctx context.Context, key string, o stateObject) error {
	if o.Record != "" && o.Seq <= v.found.LastSeq && !v.accused[o.Seq] {
		r, _, err := v.get(ctx, o.Seq)
		if err != nil {
			return err
		}
		if r != nil && r.SHA256 != o.Record {
			v.note(Finding{
				Where: key, What: fmt.Sprintf("was written beside another log, whose record %d is not the one that stands here", o.Seq),
				Do: "delete it: runs go on without it",
			})
		}
	}
	return v.checkClue(ctx, clue{key: key, seq: o.Seq, what: fmt.Sprintf("knows record %d", o.Seq)})
}

// chunkName is what the key of a chunk ends with.
var chunkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}-\d+-\d+-\d+$`)

// checkHandover reads what shards hand over to each other, and its chunks.
func (v *verifier) checkHandover(ctx context.Context, key string) error {
	const do = "nothing: the shards read the list of users themselves, and it is swept after a day"
	if !strings.HasSuffix(key, ".json") {
		if !chunkName.MatchString(path.Base(key)) {
			v.stranger(key, "part of a handover")
		}
		return nil // a chunk, which counts if an object names it
	}
	var h handed
	stands, why, err := v.getSealed(ctx, key, &h)
	if !stands || err != nil {
		return err
	}
	if why == nil {
		why = h.ours()
	}
	if why == nil && h.Sums != nil && len(h.Sums) != h.Chunks {
		why = fmt.Errorf("it tells of %d chunks, and the sums of %d", h.Chunks, len(h.Sums))
	}
	group, file, _ := strings.Cut(strings.TrimPrefix(key, v.keys.handovers()), "/")
	for n := 0; why == nil && n < len(h.Sums); n++ {
		chunk := v.keys.handoverGroup(group) + h.RunID + "-" + strings.TrimSuffix(file, ".json") + fmt.Sprintf("-%d", n)
		body, _, err := getSmall(ctx, v.store, chunk)
		switch {
		case errors.Is(err, bucket.ErrNotExist):
			why = fmt.Errorf("%s is gone", chunk)
		case errors.Is(err, ErrForged):
			why = err
		case err != nil:
			return err
		case sumOf(body) != h.Sums[n]:
			why = fmt.Errorf("%s is not what was handed over", chunk)
		}
	}
	if why == nil {
		return nil
	}
	stands, err = exists(ctx, v.store, key) // else it was swept meanwhile
	if stands && err == nil {
		v.note(Finding{Where: key, What: fmt.Sprintf("cannot be handed over: %v", reasonOf(why)), Do: do})
	}
	return err
}

func (v *verifier) checkReport(ctx context.Context, key string) error {
	name := strings.TrimPrefix(key, v.keys.reports())
	if page, ok := strings.CutSuffix(name, ".html"); ok && validName.MatchString(page) {
		return nil // the same as a page, which demo puts beside it, and people may
	}
	run, ok := strings.CutSuffix(name, reportSuffix)
	if !ok || !validName.MatchString(run) {
		v.stranger(key, "run report")
		return nil
	}
	var r struct {
		RunID string `json:"run_id"`
		Job   string `json:"job"`
	}
	stands, why, err := v.getSealed(ctx, key, &r)
	if !stands || err != nil {
		return err
	}
	if why == nil && (r.RunID != "" && r.RunID != run || r.Job != "" && r.Job != v.o.Job) {
		why = fmt.Errorf("it is that of run %s of job %s", r.RunID, r.Job)
	}
	if why != nil {
		v.note(Finding{Where: key, What: fmt.Sprintf("is a run report that cannot be read: %v", reasonOf(why)), Do: "nothing: the lake does not depend on it; delete it if status and report stumble over it"})
	}
	return nil
}

const (
	doBackfill = "bring it back from a backup or an older version of the object, or give the backfill another name"
	doLedger   = "delete it: the log says the same, and the next run writes it again"
)

// checkBackfill reads one of the objects of a backfill. What it has done stands in the
// log, whose cursor objects are checked with their records.
func (v *verifier) checkBackfill(ctx context.Context, key string) error {
	name, _, _ := strings.Cut(strings.TrimPrefix(key, v.keys.backfills()), "/")
	var d BackfillDefinition
	var done BackfillDone
	var l backfillLedger
	var into any
	do := doBackfill
	switch key {
	case v.keys.definition(name):
		into = &d
	case v.keys.finished(name):
		into = &done
	case v.keys.backfillLedger(name):
		into, do = &l, doLedger
	default:
		v.stranger(key, "object of a backfill")
		return nil
	}
	stands, why, err := v.getSealed(ctx, key, into)
	if !stands || err != nil {
		return err
	}
	switch into {
	case any(&d):
		why = cmp.Or(why, d.ours(name))
	case any(&l):
		why = cmp.Or(why, l.ours(v.keys), v.compareLedger(&l, name))
	}
	if why != nil {
		v.problem(Finding{Where: key, What: fmt.Sprintf("cannot be read: %v", reasonOf(why)), Do: do})
		return nil
	}
	if into != any(&done) {
		v.defined[name] = v.defined[name] || into == any(&d)
		seq := max(d.BaseSeq, l.Through)
		if err := v.checkClue(ctx, clue{key: key, seq: seq, what: fmt.Sprintf("knows record %d", seq)}); err != nil {
			return err
		}
	}
	if _, known := v.defined[name]; !known {
		v.defined[name] = false
	}
	if l.Finished {
		v.ended[name] = true
	}
	return nil
}

// compareLedger compares what a ledger says with the log, up to where it goes.
func (v *verifier) compareLedger(l *backfillLedger, name string) error {
	var log []ledgerEntry
	if of := v.ledgers[name]; of != nil {
		log = of.Commits
	}
	log = slices.DeleteFunc(slices.Clone(log), func(e ledgerEntry) bool { return e.Seq > l.Through })
	if !v.blind && !slices.Equal(log, l.Commits) {
		return errors.New("it does not name the records that the log has of the backfill")
	}
	return nil
}

// findUndefined looks for what is missing beside that of a backfill which stands.
func (v *verifier) findUndefined(ctx context.Context) error {
	for name := range v.ledgers {
		if _, known := v.defined[name]; !known {
			v.defined[name] = false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.defined)) {
		key := v.keys.definition(name)
		stands, err := exists(ctx, v.store, key)
		if err != nil {
			return err
		}
		if !stands && !v.told[key] {
			v.problem(Finding{Where: key, What: fmt.Sprintf("is gone: nobody knows what backfill %s is to bring, of which there is more", name), Do: doBackfill})
		}
		if !v.ended[name] {
			continue
		}
		stands, err = exists(ctx, v.store, v.keys.finished(name))
		if err != nil {
			return err
		}
		if !stands {
			v.note(Finding{
				Where: v.keys.finished(name), What: fmt.Sprintf("is gone: backfill %s had come to its end", name),
				Do: "nothing: if it is started again it finds nothing left to do, and writes it",
			})
		}
	}
	return nil
}
