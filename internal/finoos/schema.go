package finoos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// schema says how a record becomes a T: which fields it has, under which
// names. Whatever has no field goes to the record's Extra.
type schema[T any] struct {
	model    string // what a record is called in errors
	fields   map[string]*field[T]
	required []*field[T]
	skip     *fieldTree
	keep     func(*T, Record) // stores extra and hash; nil = T has no place for them
}

// field binds a name of the API to a place in T. It has a setter, or fields of
// its own if it is an object whose members are bound.
type field[T any] struct {
	name   string
	set    setter[T]
	nested []*field[T]

	must   bool
	second *field[T] // this is a second name of that field, used where that is missing

	within map[string]*field[T] // nested, by lower-cased name
	bit    uint64               // this field in the set of those seen
}

// setter stores a value that says something.
type setter[T any] func(d *decoder, to *T, v value) error

// errKeep is returned by a setter that wants the value in Extra as well.
var errKeep = errors.New("kept as an extra field")

var (
	errMissing = errors.New("missing")
	errType    = errors.New("of an impossible type")
)

func newSchema[T any](model string, keep func(*T, Record), fields ...*field[T]) *schema[T] {
	s := &schema[T]{model: model, keep: keep, skip: volatileOf(model)}
	next := uint64(1)
	s.fields = s.index(fields, "", &next)
	return s
}

// index maps fields by their lower-cased names, and gives each its bit.
func (s *schema[T]) index(fields []*field[T], path string, next *uint64) map[string]*field[T] {
	byName := make(map[string]*field[T], len(fields))
	for _, f := range fields {
		byName[strings.ToLower(f.name)] = f
		f.name = path + f.name
		f.bit = *next
		*next <<= 1
		if f.must {
			s.required = append(s.required, f)
		}
		if f.nested != nil {
			f.within = s.index(f.nested, f.name+".", next)
		}
	}
	return byName
}

// require makes a record without this field malformed.
func (f *field[T]) require() *field[T] {
	f.must = true
	return f
}

// object is a field whose members are bound to fields of the same T.
func object[T any](name string, fields ...*field[T]) *field[T] {
	return &field[T]{name: name, nested: fields}
}

// alias is a second name of f, used where f itself is missing.
func alias[T any](name string, f *field[T]) *field[T] {
	return &field[T]{name: name, second: f}
}

// decoder holds the buffers of one pass over records.
type decoder struct {
	hash  hasher
	extra extra
	lower []byte
	seen  map[documented]uint64 // which fields any record had, if somebody wants to know
}

// documented tells which fields a schema has.
type documented interface{ without(seen uint64) []string }

// without returns the fields that are not in a set of those seen, as paths.
func (s *schema[T]) without(seen uint64) []string {
	var names []string
	for _, f := range s.fields {
		names = append(names, f.without(seen)...)
	}
	slices.Sort(names)
	return names
}

func (f *field[T]) without(seen uint64) []string {
	if f.second != nil || seen&f.bit != 0 && f.within == nil {
		return nil
	}
	if f.within == nil || seen&f.bit == 0 {
		return []string{f.name}
	}
	var names []string
	for _, member := range f.within {
		names = append(names, member.without(seen)...)
	}
	return names
}

// decode makes a T of the record v. After an error d is spent.
func (s *schema[T]) decode(d *decoder, v value) (T, error) {
	var to T
	if v.kind() != kindObject {
		return to, fmt.Errorf("%s: %w", s.model, errType)
	}
	var rec Record
	var err error
	if s.keep != nil {
		if rec.Hash, err = d.hash.sum(v, s.skip, 0); err != nil {
			return to, fmt.Errorf("%s: %w", s.model, err)
		}
	}
	mark := d.extra.open(nil)
	var seen uint64
	if err := s.bind(d, &to, s.fields, v, &seen); err != nil {
		return to, fmt.Errorf("%s: %w", s.model, err)
	}
	for _, f := range s.required {
		if seen&f.bit == 0 {
			return to, fmt.Errorf("%s: %s: %w", s.model, f.name, errMissing)
		}
	}
	if d.seen != nil {
		d.seen[s] |= seen
	}
	rec.Extra = d.extra.take(mark)
	if s.keep != nil {
		s.keep(&to, rec)
	}
	return to, nil
}

// bind stores the members of v that fields name, and the others as extras.
func (s *schema[T]) bind(d *decoder, to *T, fields map[string]*field[T], v value, seen *uint64) error {
	seconds := false
	for m := v.members(); m.next(); {
		if !m.value.says() {
			continue
		}
		d.lower = m.name.appendLower(d.lower[:0])
		f := fields[string(d.lower)]
		switch {
		case f == nil:
			d.extra.add(m.name, m.value)
		case f.second != nil:
			seconds = true
		default:
			if err := s.store(d, to, f, m, seen); err != nil {
				return err
			}
		}
	}
	if !seconds {
		return nil
	}
	// Second names come last, whatever their place in the object.
	for m := v.members(); m.next(); {
		d.lower = m.name.appendLower(d.lower[:0])
		if f := fields[string(d.lower)]; f != nil && f.second != nil && m.value.says() {
			if err := s.store(d, to, f.second, m, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// store puts a member where it belongs. The first that says something counts;
// what comes under the same name again is kept as an extra.
func (s *schema[T]) store(d *decoder, to *T, f *field[T], m members, seen *uint64) error {
	if *seen&f.bit != 0 {
		d.extra.add(m.name, m.value)
		return nil
	}
	*seen |= f.bit
	if f.within != nil {
		if m.value.kind() != kindObject {
			return fmt.Errorf("%s: %w", f.name, errType)
		}
		mark := d.extra.open(m.name)
		err := s.bind(d, to, f.within, m.value, seen)
		d.extra.close(mark)
		return err
	}
	err := f.set(d, to, m.value)
	switch {
	case errors.Is(err, errKeep):
		d.extra.add(m.name, m.value)
	case err != nil:
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}
