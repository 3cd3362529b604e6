package sink

import (
	"fmt"
	"io"
)

// fileOptions says how a table's file is written.
type fileOptions struct {
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
	// defaultRowGroupBytes is small, since every table has an open file and
	// all of them share one budget; as held here, it is two to three times as
	// much as JSON.
	defaultRowGroupBytes = 8 << 20
	// maxRowGroupRows keeps row groups of narrow tables at a size that readers
	// can share out among threads.
	maxRowGroupRows = 128 << 10
)

// tableFile writes one Parquet file of one table. It is not safe for
// concurrent use.
type tableFile struct {
	file    *parquetFile
	rows    rowBuffers
	binding *binding
	limit   int64
	tally   Tally
}

// newTableFile begins a file. It does not close w.
func newTableFile(t *Table, w io.Writer, opts fileOptions) (*tableFile, error) {
	if opts.RowGroupBytes <= 0 {
		opts.RowGroupBytes = defaultRowGroupBytes
	}
	b := &binding{runID: opts.RunID, mask: opts.Masking.of(t.Name)}
	rows := t.open(b)
	file, err := newParquetFile(t.Name, t.Columns, rows.columns, w, opts.Compression)
	if err != nil {
		return nil, fmt.Errorf("begin %s file: %w", t.Name, err)
	}
	return &tableFile{file: file, rows: rows, binding: b, limit: opts.RowGroupBytes}, nil
}

// appended is how many rows are taken apart at a time: many enough to work a
// column at a time, few enough to bound by how much a row group exceeds its
// size.
const appended = 64

// Append adds rows, of which it keeps nothing but copies. After ErrRow the
// file has the rows before the bad one, but for those less than 64 before it,
// and can be written on; any other error is final.
func (f *tableFile) Append(rows ...Row) error {
	for len(rows) > 0 {
		n := min(len(rows), appended, maxRowGroupRows-f.file.buffered)
		if err := f.add(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
		if f.binding.held >= f.limit || f.file.buffered >= maxRowGroupRows {
			if err := f.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *tableFile) add(rows []Row) error {
	for _, r := range rows {
		if err := f.rows.check(r); err != nil {
			return err
		}
	}
	f.rows.add(rows)
	f.file.buffered += len(rows)
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

// Size returns the bytes written so far plus an estimate of what is buffered.
func (f *tableFile) Size() int64 { return f.file.size(f.binding.held) }

// Held returns the memory that buffered rows take up.
func (f *tableFile) Held() int64 { return f.binding.held }

// Flush writes the buffered rows as a row group, so that Held becomes zero.
func (f *tableFile) Flush() error {
	held := f.binding.held
	f.binding.held = 0
	return f.file.flush(held)
}

// Close writes what is left and the footer.
func (f *tableFile) Close() error {
	if err := f.Flush(); err != nil {
		return err
	}
	return f.file.finish()
}

// Tally returns what was appended.
func (f *tableFile) Tally() Tally {
	t := f.tally
	t.Sums = map[string]string{}
	for _, c := range f.rows.columns {
		if money, ok := c.(*moneyBuffer); ok {
			t.Sums[money.name] = money.sum.String()
		}
	}
	return t
}
