package sink

import (
	"fmt"
	"reflect"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
)

// buffer holds one column of the rows of a row group that is not yet written.
type buffer interface {
	addNull()
	// write hands everything to the column's writer, which may keep
	// references until the row group is closed.
	write(w file.ColumnChunkWriter, s *scratch) error
	// reset forgets everything and keeps the memory; release gives that back.
	reset()
	release()
	memory() int64 // bytes, used or not
}

// boundFields are the buffers of the columns of rows of one type.
type boundFields[R any] struct {
	columns []buffer
	puts    []func([]*R)
}

func bindFields[R any](fields []field[R], file *binding) boundFields[R] {
	var b boundFields[R]
	for _, f := range fields {
		column, put := f.bind(f.Column, file)
		b.columns = append(b.columns, column)
		b.puts = append(b.puts, put)
	}
	return b
}

// add takes rows apart, a column at a time: its buffer then stays at hand.
func (b *boundFields[R]) add(rows []*R) {
	for _, put := range b.puts {
		put(rows)
	}
}

// A buffer keeps one level per slot: a row's value or its absence, or, in a
// list, each element, or one slot for a list without any. The levels are those
// of Parquet (0 is null; in lists 1 is empty and 2 an element), with a mark on
// the elements that go on with the row of the slot before. Columns that are
// never null have no levels.
const (
	levelNull    = 0
	levelValue   = 1
	levelEmpty   = 1
	levelElement = 2
	levelMask    = 0x0f
	levelSameRow = 0x10
)

const (
	// batchSlots and batchBytes bound what is handed over at a time. Only
	// between batches does the column writer look whether a page is full, so
	// they bound by how much a page exceeds its size. A batch ends with a row,
	// hence pages begin with one.
	batchSlots = 1024
	batchBytes = 64 << 10
)

// scratch is working memory that the columns of a file share while they are
// written one after the other.
type scratch struct {
	defs    []int16
	reps    []int16
	views   []parquet.ByteArray
	refs    []int32
	present []byte // bitmap
}

// widen turns levels into what the column writer takes, nil where there are
// none to write, and counts the values among them.
func (s *scratch) widen(levels []byte, full byte, lists bool) (defs, reps []int16, values int) {
	s.defs, s.reps = s.defs[:0], s.reps[:0]
	for _, l := range levels {
		def := l & levelMask
		if def == full {
			values++
		}
		s.defs = append(s.defs, int16(def))
	}
	if !lists {
		return s.defs, nil, values
	}
	for _, l := range levels {
		s.reps = append(s.reps, int16(l/levelSameRow))
	}
	return s.defs, s.reps, values
}

// fixedWriter is what the column writers of fixed-width types have in common.
type fixedWriter[T any] interface {
	WriteBatch(values []T, defs, reps []int16) (int64, error)
}

// fixedBuffer holds values of one width.
type fixedBuffer[T any] struct {
	file   *binding
	width  int64 // of a row, in memory
	levels []byte
	values []T // without the nulls
	nulls  bool
}

func newFixedBuffer[T any](c Column, file *binding) *fixedBuffer[T] {
	const level = 1
	width := int64(reflect.TypeFor[T]().Size()) + level //nolint:gosec // a few bytes
	return &fixedBuffer[T]{file: file, width: width, nulls: !c.Required}
}

func (b *fixedBuffer[T]) add(v T, valid bool) {
	if !valid {
		b.addNull()
		return
	}
	if b.nulls {
		b.levels = append(b.levels, levelValue)
	}
	b.values = append(b.values, v)
	b.file.held += b.width
}

func (b *fixedBuffer[T]) addNull() {
	b.levels = append(b.levels, levelNull)
	b.file.held++
}

func (b *fixedBuffer[T]) reset() {
	b.levels, b.values = b.levels[:0], b.values[:0]
}

func (b *fixedBuffer[T]) write(w file.ColumnChunkWriter, s *scratch) error {
	typed, ok := w.(fixedWriter[T])
	if !ok {
		return fmt.Errorf("column writer is a %T", w)
	}
	values, levels := b.values, b.levels
	for len(values) > 0 || len(levels) > 0 {
		var defs []int16
		n := min(batchSlots, len(values))
		if b.nulls {
			slots := min(batchSlots, len(levels))
			defs, _, n = s.widen(levels[:slots], levelValue, false)
			levels = levels[slots:]
		}
		if _, err := typed.WriteBatch(values[:n], defs, nil); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// moneyBuffer is a fixedBuffer that knows the sum of all that it ever held.
type moneyBuffer struct {
	*fixedBuffer[int64]
	name string
	sum  sum128
}

func (b *moneyBuffer) add(d Decimal) {
	b.fixedBuffer.add(d.Units, d.Valid)
	if d.Valid {
		b.sum.add(d.Units)
	}
}
