package parquet

import (
	"errors"
	"fmt"
	"io"

	arrow "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// ErrCorrupt says that a file that we wrote cannot be read.
var ErrCorrupt = errors.New("corrupt file")

// recoverCorrupt turns a panic of the Parquet library, its answer to many a
// broken file, into an error.
func recoverCorrupt(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrCorrupt, r)
	}
}

// Reader is a file whose footer was read. Whatever is wrong with the file, it
// answers with an error. It is not safe for concurrent use.
type Reader struct {
	source *Source
	file   *file.Reader
	seal   *sealed // nil where the file has none
}

// Open reads the footer. The source remains the caller's.
func Open(source *Source) (r *Reader, err error) {
	defer recoverCorrupt(&err)
	opened, err := file.NewParquetReader(io.NewSectionReader(source, 0, source.size))
	if err != nil {
		return nil, err
	}
	footer, err := source.footer()
	if err != nil {
		return nil, err
	}
	seal, err := readSeal(footer, opened.NumRowGroups(), opened.MetaData().Schema.NumColumns())
	if err != nil {
		return nil, err
	}
	return &Reader{source: source, file: opened, seal: seal}, nil
}

// Groups counts the row groups.
func (r *Reader) Groups() int { return r.file.NumRowGroups() }

// Rows counts the rows, as the footer has it.
func (r *Reader) Rows() int64 { return r.file.NumRows() }

// Has says whether the file has a column of that name that is no list.
func (r *Reader) Has(column string) bool {
	return r.file.MetaData().Schema.ColumnIndexByName(column) >= 0
}

// Bounds returns the least and the greatest value of a column of Int32 in a row
// group. They are known where its statistics can be read.
func (r *Reader) Bounds(group int, column string) (least, most int32, known bool) {
	stats, err := r.statistics(group, column)
	if s, ok := stats.(*metadata.Int32Statistics); ok && err == nil && s.HasMinMax() {
		return s.Min(), s.Max(), true
	}
	return 0, 0, false
}

func (r *Reader) statistics(group int, column string) (stats metadata.TypedStatistics, err error) {
	defer recoverCorrupt(&err)
	place := r.file.MetaData().Schema.ColumnIndexByName(column)
	if place < 0 {
		return nil, nil
	}
	chunk, err := r.file.RowGroup(group).MetaData().ColumnChunk(place)
	if err != nil {
		return nil, err
	}
	return chunk.Statistics()
}

// Group is a row group that is read column by column. The first error is kept;
// after it nothing is read.
type Group struct {
	reader *Reader
	group  *file.RowGroupReader
	index  int
	rows   int
	err    error
}

// mostRows is more than any row group has: what says that it has more is not ours,
// and nobody shall make room for that many.
const mostRows = 1 << 24

// Group begins to read a row group.
func (r *Reader) Group(i int) (g *Group, err error) {
	defer recoverCorrupt(&err)
	group := r.file.RowGroup(i)
	rows := group.NumRows()
	if rows < 0 || rows > mostRows {
		return nil, fmt.Errorf("%w: a row group of %d rows", ErrCorrupt, rows)
	}
	return &Group{reader: r, group: group, index: i, rows: int(rows)}, nil
}

// Rows counts the rows.
func (g *Group) Rows() int { return g.rows }

// Err is the first error of all that was read.
func (g *Group) Err() error { return g.err }

// Fetch makes the range of some columns the source's window, with one request;
// those that the file does not have are left out. An error of the source is
// returned, what is wrong with the file is kept.
func (g *Group) Fetch(columns ...string) error {
	var from, to int64
	for _, name := range columns {
		begin, end := g.rangeOf(name)
		if end == 0 {
			continue
		}
		if to == 0 || begin < from {
			from = begin
		}
		to = max(to, end)
	}
	if g.err != nil {
		return nil
	}
	if err := g.reader.source.Fetch(from, to); err != nil {
		return err
	}
	for _, name := range columns {
		place := g.reader.file.MetaData().Schema.ColumnIndexByName(name)
		if begin, end := g.rangeOf(name); end > 0 && g.err == nil {
			g.err = g.reader.seal.check(g.index, place, g.reader.source.held(begin, end))
		}
	}
	return nil
}

// rangeOf returns where a column lies; 0 and 0 if the file has it not.
func (g *Group) rangeOf(name string) (from, to int64) {
	defer recoverCorrupt(&g.err)
	place := g.reader.file.MetaData().Schema.ColumnIndexByName(name)
	if place < 0 || g.err != nil {
		return 0, 0
	}
	chunk, err := g.group.MetaData().ColumnChunk(place)
	if err != nil {
		g.err = err
		return 0, 0
	}
	from = chunk.DataPageOffset()
	if chunk.HasDictionaryPage() {
		from = min(from, chunk.DictionaryPageOffset())
	}
	return from, from + chunk.TotalCompressedSize()
}

// Read calls each for every value of a column that is not null. A column that the
// file does not have is null everywhere.
func Read[T Plain](g *Group, name string, each func(row int, v T)) { read(g, name, each) }

// ReadText is [Read] for String, JSON and Bytes. What each gets is valid during
// the call only.
func ReadText(g *Group, name string, each func(row int, v []byte)) {
	read(g, name, func(row int, v arrow.ByteArray) { each(row, v) })
}

func read[T any](g *Group, name string, each func(row int, v T)) {
	defer recoverCorrupt(&g.err)
	place := g.reader.file.MetaData().Schema.ColumnIndexByName(name)
	if place < 0 || g.err != nil {
		return
	}
	chunk, err := g.group.Column(place)
	if err != nil {
		g.err = err
		return
	}
	reader, ok := chunk.(interface {
		ReadBatch(size int64, values []T, defs, reps []int16) (int64, int, error)
	})
	if !ok {
		g.err = fmt.Errorf("%w: column %s is of type %s", ErrCorrupt, name, chunk.Type())
		return
	}
	full := chunk.Descriptor().MaxDefinitionLevel()
	values, defs := make([]T, batchSlots), make([]int16, batchSlots)
	for row := 0; row < g.rows; {
		n, _, err := reader.ReadBatch(batchSlots, values, defs, nil)
		if err = errors.Join(err, chunk.Err()); err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			g.err = fmt.Errorf("%w: column %s after %d rows: %w", ErrCorrupt, name, row, err)
			return
		}
		value := 0
		for slot := range int(n) {
			if full == 0 || defs[slot] == full {
				each(row+slot, values[value])
				value++
			}
		}
		row += int(n)
	}
}
