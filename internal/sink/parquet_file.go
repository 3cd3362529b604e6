package sink

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/parquet/file"
)

// parquetFile writes row groups from buffers.
//
// The columns of a row group are written one after the other: a column's
// pages are compressed and gone before the next column is begun, so that next
// to the buffered rows only one column is held in its encoded form.
type parquetFile struct {
	name    string
	out     *fileOutput
	writer  *file.Writer
	columns []buffer
	scratch scratch

	buffered int   // rows in the buffers
	flushed  int64 // bytes that all rows before them held
}

// newParquetFile begins a file whose columns are buffered in the given ones.
func newParquetFile(name string, columns []Column, buffers []buffer, w io.Writer, compression string) (*parquetFile, error) {
	codec, level, err := parseCompression(compression)
	if err != nil {
		return nil, err
	}
	root, err := parquetSchema(name, columns)
	if err != nil {
		return nil, err
	}
	out := &fileOutput{w: w}
	writer := file.NewParquetWriter(out, root, file.WithWriterProps(writerProperties(columns, codec, level)))
	return &parquetFile{name: name, out: out, writer: writer, columns: buffers}, out.err
}

// flush writes the buffered rows, which held so many bytes, as a row group.
func (f *parquetFile) flush(held int64) error {
	if f.buffered > 0 {
		if err := f.writeRowGroup(); err != nil {
			return fmt.Errorf("write row group of %s: %w", f.name, err)
		}
		for _, c := range f.columns {
			c.reset()
		}
		f.buffered = 0
		f.flushed += held
	}
	if f.out.err != nil {
		return fmt.Errorf("write %s: %w", f.name, f.out.err)
	}
	return nil
}

func (f *parquetFile) writeRowGroup() error {
	group := f.writer.AppendRowGroup()
	for _, c := range f.columns {
		w, err := group.NextColumn()
		if err != nil {
			return err
		}
		// Otherwise the first page would claim to have no distinct values.
		if stats := w.PageStatistics(); stats != nil {
			stats.Reset()
		}
		if err := c.write(w, &f.scratch); err != nil {
			return fmt.Errorf("column %s: %w", w.Descr().Path(), err)
		}
	}
	return group.Close()
}

// size estimates the file's size if what is buffered were written: by the
// ratio of what was, or by a third as long as there is none.
func (f *parquetFile) size(held int64) int64 {
	if f.flushed == 0 {
		return f.out.n + held/3
	}
	return f.out.n + int64(float64(held)*float64(f.out.n)/float64(f.flushed))
}

// finish writes the footer.
func (f *parquetFile) finish() error {
	// The writer's Close would hide an error.
	f.out.beginFooter()
	if err := f.writer.FlushWithFooter(); err != nil {
		return fmt.Errorf("write footer of %s: %w", f.name, err)
	}
	if err := f.out.endFooter(); err != nil {
		return fmt.Errorf("write footer of %s: %w", f.name, err)
	}
	return nil
}
