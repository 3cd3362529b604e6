package cursors

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/parquet"
)

// File is a cursor file whose footer was read. It is not safe for concurrent
// use.
type File struct {
	reader *parquet.Reader
	bounds []groupBounds
	about  *About // nil where the file has no seal
}

// groupBounds are the least and the greatest bucket in a row group.
type groupBounds struct{ least, most int }

// Rows counts the cursors, as the footer has it.
func (f *File) Rows() int64 { return f.reader.Rows() }

// HoldsOnly says whether all cursors are of one bucket, as far as statistics tell.
func (f *File) HoldsOnly(bucket int) bool {
	return !slices.ContainsFunc(f.bounds, func(b groupBounds) bool { return b.least > bucket || b.most < bucket })
}

// holding returns the row groups that can hold a bucket.
func (f *File) holding(bucket int) (groups []int) {
	for i, b := range f.bounds {
		if b.least <= bucket && bucket <= b.most {
			groups = append(groups, i)
		}
	}
	return groups
}

// Open reads the footer, and with it the last bytes of the file: more of
// them where the whole file will be read. It remains the caller's to close.
func Open(r parquet.Stored, whole bool) (*File, error) {
	guess := int64(parquet.FooterGuess)
	if whole {
		guess = parquet.WholeGuess
	}
	source := parquet.NewSource(r)
	if err := source.FetchEnd(guess); err != nil {
		return nil, fmt.Errorf("read footer of cursor file: %w", err)
	}
	reader, err := parquet.Open(source, groupLimits)
	if err != nil {
		return nil, fmt.Errorf("open cursor file: %w", err)
	}
	f := &File{reader: reader, bounds: make([]groupBounds, reader.Groups())}
	if f.about, err = readAbout(reader); err != nil {
		return nil, fmt.Errorf("open cursor file: %w", err)
	}
	for i := range f.bounds {
		f.bounds[i] = groupBounds{0, Buckets - 1} // where nothing is known, reading it will say
		if least, most, known := reader.Bounds(i, cursorBucketColumn); known {
			f.bounds[i] = groupBounds{int(least), int(most)}
		}
	}
	return f, nil
}

// cursors yields all cursors, in their order.
func (f *File) cursors() iter.Seq2[Cursor, error] {
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

// Bucket yields the cursors of a bucket as next, a row group at a time, until more
// is false: only what they are found by unless all is set.
func (f *File) Bucket(b int, all bool) (next func() (cursors []Cursor, more bool, err error)) {
	groups := f.holding(b)
	return func() ([]Cursor, bool, error) {
		if len(groups) == 0 {
			return nil, false, nil
		}
		cursors, err := f.of(groups[0], b, all)
		groups = groups[1:]
		return cursors, true, err
	}
}

// of returns the cursors of a bucket that a row group holds.
func (f *File) of(group, bucket int, all bool) ([]Cursor, error) {
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

// readGroup reads a row group with one request.
func (f *File) readGroup(i int, all bool) ([]Cursor, error) {
	g, err := f.reader.Group(i)
	if err != nil {
		return nil, err
	}
	var columns []cursorColumn
	var names []string
	for _, c := range cursorColumns {
		if all || c.key {
			columns, names = append(columns, c), append(names, c.Name)
		}
	}
	if err := g.Fetch(names...); err != nil {
		return nil, err
	}
	cursors := make([]Cursor, g.Rows())
	for _, c := range columns {
		c.read(g, cursors)
	}
	if err := g.Err(); err != nil {
		return nil, err
	}
	return cursors, checkUsers(cursors)
}

// ErrUserID says that a cursor is of no user: its id is none ([id.Valid]).
var ErrUserID = errors.New("a user's id is empty, longer than 1 KiB, no UTF-8, or holds control characters")

// checkUsers makes sure that an id which a damaged file holds goes no further: into
// requests, keys and rows; and that no user is hidden from who looks for him.
func checkUsers(cursors []Cursor) error {
	var last cursorKey
	for i := range cursors {
		key := cursorKey{Bucket: last.Bucket, UserID: cursors[i].UserID, Stream: cursors[i].Stream}
		if i == 0 || key.UserID != last.UserID {
			if !id.Valid(key.UserID) {
				return ErrUserID
			}
			key.Bucket = BucketOf(key.UserID)
		}
		if i > 0 && last.compare(key) >= 0 {
			return fmt.Errorf("%w: %w", parquet.ErrCorrupt, errUnsorted)
		}
		last = key
	}
	return nil
}

// Count reads a whole cursor file, and counts what it holds.
func Count(r parquet.Stored) (n int64, err error) {
	f, err := Open(r, false)
	if err != nil {
		return 0, err
	}
	return f.Count()
}

// Count reads the whole file, and counts what it holds.
func (f *File) Count() (n int64, err error) {
	if err := f.reader.CheckWhole(); err != nil {
		return 0, err
	}
	for _, err := range f.cursors() {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
