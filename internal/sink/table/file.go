package table

import (
	"fmt"
	"io"

	"finoos-syncer/internal/sink/parquet"
)

// FileOptions say how a table's file is written.
type FileOptions struct {
	RunID string
	// Compression is "zstd" (level 1), "zstd:1" to "zstd:22", "snappy" or
	// "none". Empty is "zstd".
	Compression string
	// RowGroupBytes bounds the memory of buffered rows: a row group is written
	// when it is reached. Zero is 8 MiB.
	RowGroupBytes int64
	// Masking is what is hidden; nil is nothing.
	Masking *Masking
}

const (
	// DefaultRowGroupBytes is small, since every table has an open file and
	// all of them share one budget; as held here, it is two to three times as
	// much as JSON.
	DefaultRowGroupBytes = 8 << 20
	// maxRowGroupRows keeps row groups of narrow tables at a size that readers
	// can share out among threads.
	maxRowGroupRows = 128 << 10
)

// File writes one Parquet file of one table. It holds rows until they fill a row
// group, and says what it was given. It is not safe for concurrent use.
type File struct {
	*parquet.File
	rows  tableRows
	limit int64
	tally Tally
}

// NewFile begins a file. It does not close w, and returns its first error.
func NewFile(t *Table, w io.Writer, opts FileOptions) (*File, error) {
	if opts.RowGroupBytes <= 0 {
		opts.RowGroupBytes = DefaultRowGroupBytes
	}
	rows, err := t.open(w, opts)
	if err != nil {
		return nil, fmt.Errorf("begin %s file: %w", t.Name, err)
	}
	return &File{File: rows.file, rows: rows, limit: opts.RowGroupBytes}, nil
}

// RowsAtOnce is how many rows are taken apart at a time: many enough to work a
// column at a time, few enough to bound by how much a row group exceeds its
// size.
const RowsAtOnce = 64

// Append adds rows, of which it keeps nothing but copies. After ErrRow the
// file has the rows before the bad one, but for those less than 64 before it,
// and can be written on; any other error is final.
func (f *File) Append(rows ...Row) error {
	for len(rows) > 0 {
		n := min(len(rows), RowsAtOnce, maxRowGroupRows-f.Buffered())
		if err := f.add(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
		if f.Held() >= f.limit || f.Buffered() >= maxRowGroupRows {
			if err := f.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) add(rows []Row) error {
	for _, r := range rows {
		if err := f.rows.check(r); err != nil {
			return err
		}
	}
	f.rows.add(rows)
	f.tally.Rows += int64(len(rows))
	for _, r := range rows {
		if r.meta().Op == Delete {
			f.tally.Deletes++
		} else {
			f.tally.Upserts++
		}
	}
	return nil
}

// Tally returns what was appended.
func (f *File) Tally() Tally {
	t := f.tally
	t.Sums = map[string]string{}
	for _, of := range f.rows.sums {
		t.Sums[of.column] = of.sum.String()
	}
	return t
}
