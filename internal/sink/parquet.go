package sink

import (
	"errors"
	"io"
)

// buffer holds one column of the rows that were not yet written.
type buffer interface{}

// fileOptions says how a table's file is written.
type fileOptions struct {
	RunID string
	// Compression is "zstd" (level 1), "zstd:1" to "zstd:22", "snappy" or
	// "none". Empty is "zstd".
	Compression string
	// RowGroupBytes bounds the memory of buffered rows: a row group is written
	// when it is reached. Zero is 8 MiB.
	RowGroupBytes int64
}

// tableFile writes one Parquet file of one table. It is not safe for
// concurrent use.
type tableFile struct{}

// newTableFile begins a file. It does not close w.
func newTableFile(t *Table, w io.Writer, opts fileOptions) (*tableFile, error) {
	return nil, errors.ErrUnsupported
}

// Append adds a row, which may be reused afterwards.
func (f *tableFile) Append(r Row) error { return errors.ErrUnsupported }

// Size returns the bytes written so far plus an estimate of what is buffered.
func (f *tableFile) Size() int64 { return 0 }

// Held returns the memory that buffered rows take up.
func (f *tableFile) Held() int64 { return 0 }

// Flush writes the buffered rows as a row group, so that Held becomes zero.
func (f *tableFile) Flush() error { return errors.ErrUnsupported }

// Close writes what is left and the footer.
func (f *tableFile) Close() error { return errors.ErrUnsupported }

// Tally returns what was appended.
func (f *tableFile) Tally() Tally { return Tally{} }
