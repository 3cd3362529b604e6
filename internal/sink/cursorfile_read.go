package sink

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"sort"

	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// cursorReaderAt is an open cursor file.
type cursorReaderAt interface {
	io.ReaderAt
	Size() int64
}

// cursorFile is a cursor file whose footer was read. It is not safe for concurrent
// use.
type cursorFile struct {
	source *windowReader
	reader *file.Reader
	bounds []groupBounds
}

// groupBounds are the least and the greatest bucket in a row group.
type groupBounds struct{ least, most int }

// holding returns the row groups that can hold a bucket.
func holding(bounds []groupBounds, bucket int) (groups []int) {
	for i, b := range bounds {
		if b.least <= bucket && bucket <= b.most {
			groups = append(groups, i)
		}
	}
	return groups
}

func (f *cursorFile) holding(bucket int) []int { return holding(f.bounds, bucket) }

// openCursorFile reads the footer, and with it the last bytes of the file, as
// many as guessed. The file remains the caller's to close.
func openCursorFile(r cursorReaderAt, guess int64) (f *cursorFile, err error) {
	defer recoverCorrupt(&err)
	source := &windowReader{source: r, size: r.Size()}
	if err := source.fetch(max(0, r.Size()-guess), r.Size()); err != nil {
		return nil, fmt.Errorf("read footer of cursor file: %w", err)
	}
	reader, err := file.NewParquetReader(io.NewSectionReader(source, 0, r.Size()))
	if err != nil {
		return nil, fmt.Errorf("open cursor file: %w", err)
	}
	f = &cursorFile{source: source, reader: reader, bounds: make([]groupBounds, reader.NumRowGroups())}
	for i := range f.bounds {
		f.bounds[i] = f.boundsOf(i)
	}
	return f, nil
}

// cursors yields all cursors, in their order.
func (f *cursorFile) cursors() iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		for i := range f.bounds {
			group, err := f.readGroup(i, true)
			if err != nil {
				yield(Cursor{}, fmt.Errorf("read row group %d of cursor file: %w", i, err))
				return
			}
			for _, c := range group {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// of returns the cursors of a bucket that a row group holds.
func (f *cursorFile) of(group, bucket int, all bool) ([]Cursor, error) {
	cursors, err := f.readGroup(group, all)
	if err != nil {
		return nil, fmt.Errorf("read row group %d of cursor file: %w", group, err)
	}
	begin := sort.Search(len(cursors), func(i int) bool { return BucketOf(cursors[i].UserID) >= bucket })
	end := begin + sort.Search(len(cursors)-begin, func(i int) bool { return BucketOf(cursors[begin+i].UserID) > bucket })
	if begin == 0 && end == len(cursors) {
		return cursors, nil
	}
	return slices.Clone(cursors[begin:end]), nil // not to keep the others
}

// boundsOf reads the bounds of a row group from its statistics. Where these do
// not say, reading it will.
func (f *cursorFile) boundsOf(i int) groupBounds {
	unknown := groupBounds{0, Buckets - 1}
	place := f.reader.MetaData().Schema.ColumnIndexByName(cursorBucketColumn)
	if place < 0 {
		return unknown
	}
	chunk, err := f.reader.RowGroup(i).MetaData().ColumnChunk(place)
	if err != nil {
		return unknown
	}
	stats, err := chunk.Statistics()
	if err != nil {
		return unknown
	}
	if s, ok := stats.(*metadata.Int32Statistics); ok && s.HasMinMax() {
		return groupBounds{int(s.Min()), int(s.Max())}
	}
	return unknown
}

// readGroup reads a row group with one request.
func (f *cursorFile) readGroup(i int, all bool) (cursors []Cursor, err error) {
	defer recoverCorrupt(&err)
	g := &groupReader{schema: f.reader.MetaData().Schema, group: f.reader.RowGroup(i)}
	var columns []cursorColumn
	for _, c := range cursorColumns {
		if all || c.key {
			columns = append(columns, c)
			g.want(c.Name)
		}
	}
	if err := f.source.fetch(g.from, g.to); g.err == nil && err != nil {
		return nil, err
	}
	cursors = make([]Cursor, g.group.NumRows())
	for _, c := range columns {
		c.read(g, cursors)
	}
	return cursors, g.err
}
