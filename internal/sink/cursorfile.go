package sink

import (
	"errors"
	"io"
	"iter"
	"slices"
)

// cursorReaderAt is an open cursor file.
type cursorReaderAt interface {
	io.ReaderAt
	Size() int64
}

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

// writeCursors writes a cursor file to w, which it does not close. The
// cursors must come in ascending order, each user and stream once: see
// sortedCursors. An error that the sequence yields is returned.
func writeCursors(w io.Writer, cursors iter.Seq2[Cursor, error]) (rows int64, err error) {
	return 0, errors.ErrUnsupported
}

// readCursors yields the cursors of one bucket of users in order, ended ones
// included. It reads only the row groups that can hold them. The first error
// ends it.
func readCursors(r cursorReaderAt, bucket int) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) { yield(Cursor{}, errors.ErrUnsupported) }
}

// readCursorUsers yields the keys of the cursors in the buckets that owns
// accepts, in order, and reads neither their state nor what else they hold.
func readCursorUsers(r cursorReaderAt, owns func(bucket int) bool) iter.Seq2[cursorKey, error] {
	return func(yield func(cursorKey, error) bool) { yield(cursorKey{}, errors.ErrUnsupported) }
}
