package jobs

import (
	"context"
	"maps"
	"slices"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// collect goes through a list and lets visit emit the rows that are to be
// written. start is called before each pass.
//
// A list that was too large for memory is gone through twice: once here,
// without keeping a row, so that whatever is wrong with it is known before
// anything is written; and once more while it is written. visit must emit the
// same rows both times.
func collect[T any](
	ctx context.Context, res *result, list *finoos.List[T], start func(), visit func(rec *T, emit func(table.Row) error) error,
) error {
	res.closers = append(res.closers, list)
	if list.Spilled() {
		if err := res.runAlone(ctx); err != nil {
			return err
		}
	}
	if err := res.takeTurn(ctx); err != nil {
		return err
	}
	if res.stamp != nil {
		// Later than the answer, as a backfill's instant is earlier than its
		// request: of two that read the same, the later reader has the later
		// instant, and no row of a backfill hides what was read after it.
		res.extractedAt = res.stamp()
	}
	pass := func(emit func(table.Row) error) error {
		start()
		return list.Each(func(rec *T) error { return visit(rec, emit) })
	}
	if !list.Spilled() {
		return pass(func(row table.Row) error {
			res.rows = append(res.rows, row)
			res.upserts++
			return nil
		})
	}
	if err := pass(func(table.Row) error { res.upserts++; return nil }); err != nil {
		return err
	}
	inexact := res.inexact
	res.more = func(yield func(table.Row) error) error {
		err := pass(yield)
		res.inexact = inexact // counted once
		return err
	}
	return nil
}

// collectKeyed collects records that have one key and one row each, leaves
// out those whose hash is the remembered one, and removes the keys that are
// not there any more. old is nil for a full pull.
func collectKeyed[T any](
	ctx context.Context, res *result, list *finoos.List[T], old keyed,
	key func(*T) (string, uint64), row func(*T) table.Row, tombstone func(key string) table.Row,
) error {
	var next keyed
	err := collect(ctx, res, list, func() { next = make(keyed, len(old)) }, func(rec *T, emit func(table.Row) error) error {
		k, hash := key(rec)
		if _, twice := next[k]; twice {
			return nil
		}
		next[k] = hash
		if before, known := old[k]; known && before == hash {
			return nil
		}
		return emit(row(rec))
	})
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, there := next[k]; !there {
			res.remove(tombstone(k))
		}
	}
	res.state = next.encode()
	return nil
}

// remembered returns the fingerprints to compare with, or nil and a result
// that is set to read everything.
func (r *run) remembered(u *user, res *result) keyed {
	c := u.cursor(res.stream)
	if !r.wantsFull(c) {
		if old, err := decodeKeyed(c.State); err == nil {
			return old
		}
	}
	res.readAll()
	return nil
}
