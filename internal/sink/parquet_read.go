package sink

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

const (
	// footerGuess is how much of a file's end is fetched at once, in the hope that
	// the footer is within.
	footerGuess = 64 << 10
	// wholeGuess is the same where all of a file is read: most have no more.
	wholeGuess = 1 << 20
)

// windowReader is a view of an object of which one range is held in memory, so
// that the small reads of the Parquet library are not requests.
type windowReader struct {
	source io.ReaderAt
	size   int64
	window []byte
	from   int64
}

// fetch makes a range the window, with one read, unless the window holds it.
func (r *windowReader) fetch(from, to int64) error {
	if from >= r.from && to <= r.from+int64(len(r.window)) {
		return nil
	}
	if from < 0 || to < from || to > r.size {
		return fmt.Errorf("%w: no bytes %d to %d in %d", errCorrupt, from, to, r.size)
	}
	window := make([]byte, to-from)
	n, err := r.source.ReadAt(window, from)
	if n < len(window) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	r.window, r.from = window, from
	return nil
}

// ReadAt reads from the window, and past it only what is not in there.
func (r *windowReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= r.from && off+int64(len(p)) <= r.from+int64(len(r.window)) {
		return copy(p, r.window[off-r.from:]), nil
	}
	return r.source.ReadAt(p, off)
}

// errCorrupt says that a file that we wrote cannot be read.
var errCorrupt = errors.New("corrupt file")

// recoverCorrupt turns a panic of the Parquet library, its answer to many a
// broken file, into an error.
func recoverCorrupt(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errCorrupt, r)
	}
}

// groupReader reads columns of one row group. The first error is kept; after
// it nothing is read.
type groupReader struct {
	schema *schema.Schema
	group  *file.RowGroupReader
	from   int64 // the range of the columns that are wanted
	to     int64
	err    error
}

// want widens the range by a column, if the file has it.
func (g *groupReader) want(name string) {
	place := g.schema.ColumnIndexByName(name)
	if place < 0 || g.err != nil {
		return
	}
	chunk, err := g.group.MetaData().ColumnChunk(place)
	if err != nil {
		g.err = err
		return
	}
	from := chunk.DataPageOffset()
	if chunk.HasDictionaryPage() {
		from = min(from, chunk.DictionaryPageOffset())
	}
	to := from + chunk.TotalCompressedSize()
	if g.to == 0 || from < g.from {
		g.from = from
	}
	g.to = max(g.to, to)
}

// readColumn calls each for every value of a column that is not null. What it
// gets is valid during the call only.
func readColumn[T any](g *groupReader, name string, each func(row int, v T)) {
	place := g.schema.ColumnIndexByName(name)
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
		g.err = fmt.Errorf("%w: column %s is of type %s", errCorrupt, name, chunk.Type())
		return
	}
	full := chunk.Descriptor().MaxDefinitionLevel()
	values, defs := make([]T, batchSlots), make([]int16, batchSlots)
	for row := 0; row < int(g.group.NumRows()); {
		n, _, err := reader.ReadBatch(batchSlots, values, defs, nil)
		if err = errors.Join(err, chunk.Err()); err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			g.err = fmt.Errorf("%w: column %s after %d rows: %w", errCorrupt, name, row, err)
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
