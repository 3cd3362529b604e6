package pull

import (
	"context"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// Answer is the records of one or more listings, complete and spooled.
type Answer[T any] interface {
	// Each visits the records in their order; what visit sees is used again.
	Each(visit func(*T) error) error
	// Spilled reports whether any of the answer is on disk.
	Spilled() bool
	// NullIsEmpty and WasNull are those of a finoos.List.
	NullIsEmpty()
	WasNull() bool
	Close() error
}

// answers are several listings that are gone through as one.
type answers[T any] []Answer[T]

func (a answers[T]) Each(visit func(*T) error) error {
	for _, list := range a {
		if err := list.Each(visit); err != nil {
			return err
		}
	}
	return nil
}

func (a answers[T]) Spilled() bool {
	return slices.ContainsFunc(a, Answer[T].Spilled)
}

func (a answers[T]) NullIsEmpty() {
	for _, list := range a {
		list.NullIsEmpty()
	}
}

func (a answers[T]) WasNull() bool {
	return slices.ContainsFunc(a, Answer[T].WasNull)
}

func (a answers[T]) Close() error { return nil } // each is closed by who has read it

// Pass is what is done in one pass through an answer.
type Pass[T any] struct {
	// Start is called before each pass.
	Start func()
	// Visit emits the rows of a record that are to be written. It must emit the
	// same rows in every pass that is not made again.
	Visit func(rec *T, emit func(table.Row) error) error
	// Again says whether the pass that is over has to be made again, with what it
	// found out; nil where it never has.
	Again func() bool
}

// Collect goes through an answer and collects the rows that are to be written.
//
// An answer that was too large for memory is gone through once more while it is
// written: the passes here keep no row, so that whatever is wrong with it is
// known before anything is written.
func Collect[T any](ctx context.Context, res *Result, list Answer[T], p Pass[T]) error {
	res.turn.closers = append(res.turn.closers, list)
	return collect(ctx, res, list, p)
}

// collect is Collect of an answer that the pull closes without that.
func collect[T any](ctx context.Context, res *Result, list Answer[T], p Pass[T]) error {
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
	issues := res.Issues
	pass := func(emit func(table.Row) error) error {
		res.Issues = issues // counted once
		p.Start()
		return list.Each(func(rec *T) error {
			res.note(rec)
			return p.Visit(rec, emit)
		})
	}
	keep := func(row table.Row) error {
		res.Rows = append(res.Rows, row)
		res.Upserts++
		return nil
	}
	if list.Spilled() {
		keep = func(table.Row) error { res.Upserts++; return nil }
		res.More = func(yield func(table.Row) error) error {
			counted := res.Issues
			defer func() { res.Issues = counted }()
			return pass(yield)
		}
	}
	rows, upserts := len(res.Rows), res.Upserts
	for {
		if err := pass(keep); err != nil {
			return err
		}
		if p.Again == nil || !p.Again() {
			return nil
		}
		clear(res.Rows[rows:])
		res.Rows, res.Upserts = res.Rows[:rows], upserts
	}
}

// CollectPicked collects records of which several may stand under one key: visit
// asks whether a record stands, by its hash and the parts of its key. start is
// called before each pass, and may be nil.
func CollectPicked[T any](
	ctx context.Context, res *Result, list Answer[T], start func(),
	visit func(rec *T, stands func(hash uint64, key ...string) bool, emit func(table.Row) error) error,
) error {
	picks := &picks{res: res}
	var text []byte
	stands := func(hash uint64, key ...string) bool {
		text = text[:0]
		for _, part := range key {
			text = append(append(text, part...), 0)
		}
		return picks.stands(xxhash.Sum64(text), hash)
	}
	begin := func() {
		picks.start()
		if start != nil {
			start()
		}
	}
	return Collect(ctx, res, list, Pass[T]{Start: begin, Again: picks.again, Visit: func(rec *T, emit func(table.Row) error) error {
		return visit(rec, stands, emit)
	}})
}

// CollectKeyed collects records that have one key and one row each, leaves
// out those whose hash is the remembered one, and removes the keys that are
// not there any more. old is nil for a full pull.
func CollectKeyed[T any](
	ctx context.Context, res *Result, list *finoos.List[T], old keyed,
	key func(*T) (string, uint64), row func(*T) table.Row, tombstone func(key string) table.Row,
) error {
	var next keyed
	picks := &picks{res: res}
	start := func() {
		next = make(keyed, len(old))
		picks.start()
	}
	err := Collect(ctx, res, list, Pass[T]{Start: start, Again: picks.again, Visit: func(rec *T, emit func(table.Row) error) error {
		k, hash := key(rec)
		hash = res.fingerprint(hash, func() table.Row { return row(rec) })
		if !picks.stands(xxhash.Sum64String(k), hash) {
			return nil
		}
		next[k] = hash
		if before, known := old[k]; known && before == hash {
			return nil
		}
		return emit(row(rec))
	}})
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
