package parquet

import (
	"bytes"
	"unsafe"
)

// buffer holds one column of the rows of a row group that is not yet written.
type buffer interface {
	addNull()
	// encode hands everything to the column's chunk. Those of several columns
	// may be at work at the same time.
	encode(to *columnChunk, s *workspace) error
	// reset forgets everything and keeps the memory; release gives that back.
	reset()
	release()
	memory() int64 // bytes, used or not
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

// fixedBuffer holds values of one width.
type fixedBuffer[T Plain] struct {
	file   *binding
	width  int64 // of a row, in memory
	levels []byte
	values []T // without the nulls
	nulls  bool
}

func newFixedBuffer[T Plain](c Column, file *binding) *fixedBuffer[T] {
	const level = 1
	width := int64(unsafe.Sizeof(*new(T))) + level
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

func (b *fixedBuffer[T]) encode(to *columnChunk, s *workspace) error {
	values, levels := b.values, b.levels
	slots := len(values)
	if b.nulls {
		slots = len(levels)
	}
	most := PageBytes / int(unsafe.Sizeof(*new(T)))
	for slots > 0 {
		n := min(most, slots)
		slots -= n
		present := n
		if b.nulls {
			present = bytes.Count(levels[:n], []byte{levelValue})
			s.begin(levels[:n], false)
			levels = levels[n:]
		} else {
			s.begin(nil, false)
		}
		s.page = appendPlain(s.page, values[:present])
		least, greatest := boundsOf(values[:present])
		if err := to.add(s, n, present, false, least, greatest); err != nil {
			return err
		}
		values = values[present:]
	}
	to.finish(boundsOf(b.values))
	return nil
}
