package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

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
	into, do := any(nil), doBackfill
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
	if d.Name != "" && d.Name != name {
		why = cmp.Or(why, fmt.Errorf("it is that of backfill %s", d.Name))
	}
	if into == any(&l) {
		why = cmp.Or(why, v.compareLedger(&l, name))
	}
	if why != nil {
		v.problem(Finding{Where: key, What: fmt.Sprintf("cannot be read: %v", why), Do: do})
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
