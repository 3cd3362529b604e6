package finoos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// List is the records of one listing, complete and spooled. Close it: until
// then it holds memory of the budget, or a scratch file.
type List[T any] struct {
	call   *apiCall
	schema *schema[T]
	names  []string // under which the list may stand in the answer
	parts  []*spool // one a page

	// aside, where it is set, is called with a record that is none, instead of an
	// error; item counts from 1.
	aside func(item int, why error)

	nullIsEmpty, wasNull bool
	totals               *totals // that what the answer tells is compared with; nil = it is not
	told                 Null[int]
	held                 int
	weighed              bool // it was, and is long enough
	lent                 bool // who has lent the parts closes them
}

// Total is how many records the answer tells of, and how many it holds, once it has
// been gone through.
func (l *List[T]) Total() (told Null[int], held int) { return l.told, l.held }

// NullIsEmpty takes what stands in the place of a list and is none, [IsNullList],
// for an empty list from now on.
func (l *List[T]) NullIsEmpty() { l.nullIsEmpty = true }

// WasNull reports whether that was needed, once the list has been gone through.
func (l *List[T]) WasNull() bool { return l.wasNull }

// IsNullList reports whether an answer was malformed in that null or nothing stood
// where a list is due. It may mean an empty one, or that the list is not to be had.
func IsNullList(err error) bool { return errors.Is(err, errNull) || errors.Is(err, errAbsent) }

// All decodes the records one by one. It may be ranged over again, also while
// another pass is under way. An error ends it: of class [Malformed] where the
// answer is not what the document says, whereupon none of its records should
// be believed.
func (l *List[T]) All() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := errors.New("stopped")
		var none T
		err := l.each(func(to *T) { *to = none }, func(to *T) error {
			if !yield(*to, nil) {
				return stopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(none, err)
		}
	}
}

// Each decodes the records one by one, as All does, and ends with the first
// error of its own or of visit. The record is visit's until it returns, then
// its memory is used again; its texts may be kept.
func (l *List[T]) Each(visit func(*T) error) error {
	empty := l.schema.empty
	if empty == nil {
		var none T
		empty = func(to *T) { *to = none }
	}
	return l.each(empty, visit)
}

func (l *List[T]) each(empty func(*T), visit func(*T) error) error {
	var told Null[int]
	records := 0
	for _, part := range l.parts {
		info, err := l.scan(part, empty, visit)
		if err != nil {
			return err
		}
		records += info.records
		if info.total.Valid && (!told.Valid || info.total.V < told.V) {
			told = info.total
		}
	}
	l.told, l.held = told, records
	if l.totals == nil || l.weighed || !told.Valid {
		return nil
	}
	// Once: what is right for others meanwhile is nothing to who has begun to write.
	err := l.totals.compare(l.call, told.V, records)
	l.weighed = err == nil
	return err
}

// Bytes is the size of the answer.
func (l *List[T]) Bytes() int64 {
	var n int64
	for _, part := range l.parts {
		n += part.size
	}
	return n
}

// Spilled reports whether any of the answer is on disk.
func (l *List[T]) Spilled() bool {
	for _, part := range l.parts {
		if part.file != nil {
			return true
		}
	}
	return false
}

// Close gives back what the list holds. It may be called again.
func (l *List[T]) Close() error {
	if l.lent {
		return nil
	}
	errs := make([]error, 0, len(l.parts))
	for _, part := range l.parts {
		errs = append(errs, part.Close())
	}
	return errors.Join(errs...)
}

// check decodes all of the list, and returns what its last part tells about
// pages. visit sees every record.
func (l *List[T]) check(visit func(T)) (info pageInfo, err error) {
	var none T
	for _, part := range l.parts {
		info, err = l.scan(part, func(to *T) { *to = none }, func(to *T) error { visit(*to); return nil })
		if err != nil {
			break
		}
	}
	return info, err
}

// pageInfo is what the first part tells about pages. No record is decoded, and
// none is even passed by where the answer ends in what is wanted: whether all
// that is JSON then shows when the records are read.
func (l *List[T]) pageInfo() (pageInfo, error) {
	if len(l.parts) == 0 {
		return pageInfo{}, nil
	}
	if tail, err := l.parts[0].tail(maxPageInfo); err == nil {
		if v, ok := lastMember(tail, "metaData"); ok {
			return pageInfoOf(v), nil
		}
	}
	return l.passOver()
}

// passOver is pageInfo of any answer.
func (l *List[T]) passOver() (pageInfo, error) {
	s := newStream(l.parts[0].reader, l.names)
	defer s.close()
	for {
		err := s.next(func(b []byte) (int, error) { return s.syntax.valueEnd(b, 0) })
		if errors.Is(err, io.EOF) {
			return pageInfoOf(s.about), nil
		}
		if err != nil {
			return pageInfo{}, l.call.unreadable(err)
		}
	}
}

// scan decodes one part into one T, which empty empties each time. It returns
// what the part tells about pages, which is known at its end.
func (l *List[T]) scan(part *spool, empty func(*T), visit func(*T) error) (pageInfo, error) {
	s := newStream(part.reader, l.names)
	defer s.close()
	return l.scanAll(s, empty, visit)
}

func (l *List[T]) scanAll(s *recordStream, empty func(*T), visit func(*T) error) (pageInfo, error) {
	d := newDecoder()
	to := new(T)
	var odd error // why the record is put aside
	read := func(b []byte) (end int, err error) {
		empty(to)
		d.reset(mark{around: s.around()})
		d.shown(b, s.repairs)
		odd = nil
		end, err = l.schema.decodeAt(d, to, b, 0)
		switch {
		case err == nil:
		case l.aside != nil && !s.again && !errors.Is(err, errNoJSON):
			odd = err
			return s.syntax.valueEnd(b, 0)
		default:
			err = fmt.Errorf("record %d: %w", s.items, err)
		}
		return end, err
	}
	for {
		err := s.next(read)
		if errors.Is(err, io.EOF) {
			d.release()
			info := pageInfoOf(s.about)
			info.records = s.items
			return info, nil
		}
		if l.nullIsEmpty && IsNullList(err) {
			if info := pageInfoOf(s.about); info.total.V == 0 {
				l.wasNull = true
				return info, nil
			}
		}
		if err != nil && l.aside != nil && (errors.Is(err, errRecordTooBig) || s.syntax.tooDeep) {
			odd = err
			if s.syntax.tooDeep {
				odd = errTooDeep
			}
			err = s.skipDeep()
		}
		if err != nil {
			return pageInfoOf(s.about), l.call.unreadable(err)
		}
		if odd != nil {
			l.aside(s.items, odd)
			continue
		}
		if err := visit(to); err != nil {
			return pageInfo{}, err
		}
	}
}

// newList is a listing without any pages yet, which is an empty one.
func newList[T any](call *apiCall, schema *schema[T], names ...string) *List[T] {
	return &List[T]{call: call, schema: schema, names: names}
}

// list makes a call and returns its answer as a list. A 204 is an empty list.
func list[T any](ctx context.Context, c *Client, call *apiCall, schema *schema[T], names ...string) (*List[T], error) {
	body, err := c.read(ctx, call)
	if err != nil {
		return nil, err
	}
	l := newList(call, schema, names...)
	if body != nil {
		l.parts = append(l.parts, body)
	}
	return l, nil
}

// listOf does all there is to a listing of a user's that has no query.
func listOf[T any](ctx context.Context, c *Client, op, userID string, schema *schema[T], names ...string) (*List[T], error) {
	call, err := c.newCall(op, userID, "", nil)
	if err != nil {
		return nil, err
	}
	l, err := list(ctx, c, call, schema, names...)
	return unfiltered(c, l, err)
}

// unfiltered is a listing without a filter: what it tells of itself is compared
// with what it holds.
func unfiltered[T any](c *Client, l *List[T], err error) (*List[T], error) {
	if err == nil {
		l.totals = &c.totals
	}
	return l, err
}
