package sink

import (
	"fmt"
	"io"
	"iter"

	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// cursorReaderAt is an open cursor file.
type cursorReaderAt interface {
	io.ReaderAt
	Size() int64
}

// readCursors yields the cursors of one bucket of users in order, ended ones
// included. It reads only the row groups that can hold them. The first error
// ends it.
func readCursors(r cursorReaderAt, bucket int) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		f, err := openCursorFile(r)
		if err != nil {
			yield(Cursor{}, err)
			return
		}
		f.bucket(bucket)(yield)
	}
}

// readCursorUsers yields the keys of the cursors in the buckets that owns
// accepts, in order, and fetches nothing else of them.
func readCursorUsers(r cursorReaderAt, owns func(bucket int) bool) iter.Seq2[cursorKey, error] {
	return func(yield func(cursorKey, error) bool) {
		f, err := openCursorFile(r)
		if err != nil {
			yield(cursorKey{}, err)
			return
		}
		f.keys(owns)(yield)
	}
}

// cursorFile is a cursor file whose footer was read: whoever reads several
// buckets of a file reads that once. It is not safe for concurrent use.
type cursorFile struct {
	source *windowReader
	reader *file.Reader

	// The row group that was read last, if it is small: buckets are asked for in
	// order, and many small ones stand in one group.
	group    []Cursor
	at       int // its place
	groupAll bool
}

// openCursorFile reads the footer. The file remains the caller's to close.
func openCursorFile(r cursorReaderAt) (f *cursorFile, err error) {
	defer recoverCorrupt(&err)
	source := &windowReader{source: r, size: r.Size()}
	if err := source.fetch(max(0, r.Size()-footerGuess), r.Size()); err != nil {
		return nil, fmt.Errorf("read footer of cursor file: %w", err)
	}
	reader, err := file.NewParquetReader(io.NewSectionReader(source, 0, r.Size()))
	if err != nil {
		return nil, fmt.Errorf("open cursor file: %w", err)
	}
	return &cursorFile{source: source, reader: reader}, nil
}

// bucket yields the cursors of one bucket: see readCursors.
func (f *cursorFile) bucket(bucket int) iter.Seq2[Cursor, error] {
	return f.cursors(func(b int) bool { return b == bucket }, true)
}

// keys yields the keys of some buckets: see readCursorUsers.
func (f *cursorFile) keys(owns func(bucket int) bool) iter.Seq2[cursorKey, error] {
	return func(yield func(cursorKey, error) bool) {
		for c, err := range f.cursors(owns, false) {
			if !yield(c.key(), err) {
				return
			}
		}
	}
}

// cursors yields the cursors of the wanted buckets, with all that they hold or
// only with their keys.
func (f *cursorFile) cursors(wanted func(bucket int) bool, all bool) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		for i := range f.reader.NumRowGroups() {
			if !f.mayHold(i, wanted) {
				continue
			}
			group, err := f.readOnce(i, all)
			if err != nil {
				yield(Cursor{}, fmt.Errorf("read row group %d of cursor file: %w", i, err))
				return
			}
			for _, c := range group {
				if wanted(BucketOf(c.UserID)) && !yield(c, nil) {
					return
				}
			}
		}
	}
}

// mayHold reports whether a row group can hold a bucket that is wanted. Where
// its statistics do not say, reading it will.
func (f *cursorFile) mayHold(i int, wanted func(bucket int) bool) bool {
	place := f.reader.MetaData().Schema.ColumnIndexByName(cursorBucketColumn)
	if place < 0 {
		return true
	}
	chunk, err := f.reader.RowGroup(i).MetaData().ColumnChunk(place)
	if err != nil {
		return true
	}
	stats, err := chunk.Statistics()
	if err != nil {
		return true
	}
	bounds, ok := stats.(*metadata.Int32Statistics)
	if !ok || !bounds.HasMinMax() {
		return true
	}
	for b := bounds.Min(); b <= bounds.Max(); b++ {
		if wanted(int(b)) {
			return true
		}
	}
	return false
}

// keptGroup is up to how many cursors a row group is kept, and keptState how many
// bytes they may remember: hundreds of files may be open.
const (
	keptGroup = 256
	keptState = 64 << 10
)

// readOnce reads a row group unless it is the one that was kept.
func (f *cursorFile) readOnce(i int, all bool) ([]Cursor, error) {
	if f.group != nil && f.at == i && f.groupAll == all {
		return f.group, nil
	}
	group, err := f.readGroup(i, all)
	if err == nil && len(group) <= keptGroup && stateBytes(group) <= keptState {
		f.group, f.at, f.groupAll = group, i, all
	}
	return group, err
}

func stateBytes(group []Cursor) (n int) {
	for i := range group {
		n += len(group[i].State)
	}
	return n
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
