package pull

import (
	"context"
	"maps"
	"slices"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// Collect goes through a list and lets visit emit the rows that are to be
// written. start is called before each pass.
//
// A list that was too large for memory is gone through twice: once here,
// without keeping a row, so that whatever is wrong with it is known before
// anything is written; and once more while it is written. visit must emit the
// same rows both times.
func Collect[T any](
	ctx context.Context, res *Result, list *finoos.List[T], start func(), visit func(rec *T, emit func(table.Row) error) error,
) error {
	res.turn.closers = append(res.turn.closers, list)
	if res.NullIsEmpty || res.isDiff() {
		list.NullIsEmpty()
		defer func() {
			if res.WasNull = list.WasNull(); res.WasNull {
				res.Issues.NullList = 1
			}
		}()
	}
	if list.Spilled() {
		if err := res.turn.beAlone(ctx); err != nil {
			return err
		}
	}
	if res.turn.slabs == nil {
		if err := res.turn.take(ctx); err != nil {
			return err
		}
		res.Rows = res.turn.slabs.rows
	}
	if res.Stamp != nil {
		// Later than the answer, as a backfill's instant is earlier than its
		// request: of two that read the same, the later reader has the later
		// instant, and no row of a backfill hides what was read after it.
		res.ExtractedAt = res.Stamp()
	}
	pass := func(emit func(table.Row) error) error {
		start()
		return list.Each(func(rec *T) error { return visit(rec, emit) })
	}
	if !list.Spilled() {
		return pass(func(row table.Row) error {
			res.Rows = append(res.Rows, row)
			res.Upserts++
			return nil
		})
	}
	if err := pass(func(table.Row) error { res.Upserts++; return nil }); err != nil {
		return err
	}
	issues := res.Issues
	res.More = func(yield func(table.Row) error) error {
		err := pass(yield)
		res.Issues = issues // counted once
		return err
	}
	return nil
}

// CollectKeyed collects records that have one key and one row each, leaves
// out those whose hash is the remembered one, and removes the keys that are
// not there any more. old is nil for a full pull.
func CollectKeyed[T any](
	ctx context.Context, res *Result, list *finoos.List[T], old keyed,
	key func(*T) (string, uint64), row func(*T) table.Row, tombstone func(key string) table.Row,
) error {
	var next keyed
	err := Collect(ctx, res, list, func() { next = make(keyed, len(old)) }, func(rec *T, emit func(table.Row) error) error {
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
