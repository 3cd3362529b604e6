package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"finoos-syncer/internal/sink/bucket"
)

// checkBackfills reads the objects of all backfills. What they have done stands
// in the log, whose cursor objects are checked with their records.
func (v *verifier) checkBackfills(ctx context.Context) error {
	for info, err := range v.store.List(ctx, v.keys.backfills(), "") {
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(info.Key, v.keys.backfills()), "/")
		if err := v.checkBackfill(ctx, name, info.Key); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) checkBackfill(ctx context.Context, name, key string) error {
	var into any
	again := "bring it back from a backup or an older version of the object, or give the backfill another name"
	switch key {
	case v.keys.definition(name):
		into = new(BackfillDefinition)
	case v.keys.finished(name):
		into = new(BackfillDone)
	case v.keys.backfillLedger(name):
		into, again = new(backfillLedger), "nothing: the log says the same, and the next run writes it again"
	default:
		v.note(Finding{Where: key, What: "is no object of a backfill", Do: "find out who put it there, and delete it"})
		return nil
	}
	body, _, err := getSmall(ctx, v.store, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrForged) {
		return err
	}
	why := err
	if why == nil {
		why = decode(body, into)
	}
	switch into := into.(type) {
	case *BackfillDefinition:
		why = cmp.Or(why, into.ours(name))
	case *backfillLedger:
		why = cmp.Or(why, into.ours(v.keys))
	}
	if why != nil {
		v.problem(Finding{Where: key, What: fmt.Sprintf("cannot be read: %v", why), Do: again})
	}
	return nil
}
