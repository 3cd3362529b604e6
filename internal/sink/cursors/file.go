package cursors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"finoos-syncer/internal/sink/parquet"
)

// A cursor file holds cursors sorted by bucket, user and stream. Its row
// groups are cut at the end of a bucket once they are worth a request, and
// anywhere when they get large, so that by the statistics of the column bucket
// a reader finds the few that it needs.
const (
	cursorGroupLeast = 1 << 20
	cursorGroupMost  = 2 << 20
	// cursorLeast is less than any cursor takes in a row group that is being written.
	cursorLeast = 32
)

// groupLimits are what a row group holds at most: it is cut at a size, and then it has
// one cursor more, of whatever size.
var groupLimits = parquet.Limits{Rows: cursorGroupMost / cursorLeast, Bytes: 2*cursorGroupMost + MaxState}

// sortedCursors yields cursors in the order of a cursor file. It sorts the
// slice in place; of several cursors of one user and stream the last wins.
func sortedCursors(cursors []Cursor) iter.Seq2[Cursor, error] {
	slices.SortStableFunc(cursors, func(a, b Cursor) int { return a.key().compare(b.key()) })
	return func(yield func(Cursor, error) bool) {
		for i, c := range cursors {
			if i+1 < len(cursors) && c.key().compare(cursors[i+1].key()) == 0 {
				continue
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Write writes a cursor file to w, which it does not close. The cursors must come in
// ascending order, by bucket, user and stream, each user and stream once. An error
// that the sequence yields is returned as it is.
func Write(w io.Writer, cursors iter.Seq2[Cursor, error]) (rows int64, err error) {
	return write(w, cursors, nil)
}

// write seals the file where about is set, which is told how many cursors it holds.
func write(w io.Writer, cursors iter.Seq2[Cursor, error], about func(rows int64) string) (rows int64, err error) {
	var o parquet.Options
	if about != nil {
		o.About = func() string { return about(rows) }
	}
	f, err := newCursorWriter(w, o)
	if err != nil {
		return 0, fmt.Errorf("begin cursor file: %w", err)
	}
	for c, err := range cursors {
		if err != nil {
			return rows, err
		}
		if err := f.add(&c); err != nil {
			return rows, fmt.Errorf("write cursor file: %w", err)
		}
		rows++
	}
	if err := f.file.Close(); err != nil {
		return rows, fmt.Errorf("write cursor file: %w", err)
	}
	return rows, nil
}

// cursorWriter cuts cursors into row groups.
type cursorWriter struct {
	file  *parquet.Rows[Cursor]
	one   [1]*Cursor // at hand
	last  cursorKey
	begun bool
}

func newCursorWriter(w io.Writer, o parquet.Options) (*cursorWriter, error) {
	var fields []parquet.Field[Cursor]
	for _, c := range cursorColumns {
		fields = append(fields, c.Field)
	}
	file, err := parquet.New("cursors", fields, w, o)
	if err != nil {
		return nil, err
	}
	return &cursorWriter{file: file}, nil
}

var errUnsorted = errors.New("cursors out of order")

func (f *cursorWriter) add(c *Cursor) error {
	key := c.key()
	if f.begun && f.last.compare(key) >= 0 {
		return errUnsorted
	}
	if held := f.file.Held(); held >= cursorGroupMost || held >= cursorGroupLeast && key.Bucket != f.last.Bucket {
		if err := f.file.Flush(); err != nil {
			return err
		}
	}
	f.one[0] = c
	f.file.Add(f.one[:], nil)
	f.last, f.begun = key, true
	return nil
}

// Encode makes a cursor file in memory. It sorts the slice; of several cursors of one
// user and stream the last is kept.
func Encode(cursors []Cursor) (body []byte, rows int64, err error) {
	var buf bytes.Buffer
	if rows, err = Write(&buf, sortedCursors(cursors)); err != nil {
		return nil, 0, fmt.Errorf("encode cursors: %w", err)
	}
	return buf.Bytes(), rows, nil
}
