package finoos

import (
	"errors"
	"slices"
	"strings"
)

// schema says how a record becomes a T: which fields it has, under which
// names. Whatever has no field goes to the record's Extra.
type schema[T any] struct {
	model    string // what a record is called in errors
	members  *level[T]
	required []*fieldOf[T]
	keep     func(*T, Record) // stores extra and hash; nil = T has no place for them
	hashed   bool             // somebody wants the hash
	empty    func(*T)         // empties a T for the next record; nil = nothing of it can be used again
	strict   bool             // a field that cannot be read makes the record malformed
}

// level is the members of one object.
type level[T any] struct {
	id     int // of the names that a decoder remembers
	fields []*fieldOf[T]
	byName map[string]int // index into fields, by lower-cased name
	skip   *fieldTree
}

// fieldOf binds a name of the API to a place in T. It has a setter, or fields of
// its own if it is an object whose members are bound.
type fieldOf[T any] struct {
	name   string
	set    fieldSetter[T]
	read   fieldReader[T] // in place of set, for lists
	hashes bool           // read can hash, too
	nested []*fieldOf[T]

	must   bool
	firm   bool        // it may be missing, but not unreadable: a key is not guessed
	second *fieldOf[T] // this is a second name of that field, used where that is missing

	within *level[T] // of nested
	bit    uint64    // this field in the set of those seen
}

// fieldSetter stores a value that says something.
type fieldSetter[T any] func(d *recordDecoder, to *T, v value) error

// fieldReader stores the value that begins at b[i], and returns where it ends and,
// if that is wanted and it can, what the value contributes to the hash.
type fieldReader[T any] func(d *recordDecoder, to *T, b []byte, i int, hash bool, depth int) (sum uint64, end int, err error)

// errKeep is returned by a setter that wants the value in Extra as well.
var errKeep = errors.New("kept as an extra field")

var (
	errMissing = errors.New("missing")
	errType    = errors.New("of an impossible type")
)

func newSchema[T any](model string, keep func(*T, Record), fields ...*fieldOf[T]) *schema[T] {
	s := &schema[T]{model: model, keep: keep, hashed: keep != nil}
	next := uint64(1)
	s.members = s.index(fields, "", volatileOf(model), &next)
	return s
}

// unhashed leaves the hash of records out, which then is 0.
func (s *schema[T]) unhashed() *schema[T] {
	s.hashed = false
	return s
}

// refuseOdd makes a field that cannot be read an error of its record. In any
// other schema such a field is null and an extra one, and the record goes on;
// only what is required, or firm, is not done without.
func (s *schema[T]) refuseOdd() *schema[T] {
	s.strict = true
	return s
}

// reuse lets a T that is used for many records keep memory.
func (s *schema[T]) reuse(empty func(*T)) *schema[T] {
	s.empty = empty
	return s
}

// index maps fields by their lower-cased names, and gives each its bit.
func (s *schema[T]) index(fields []*fieldOf[T], path string, skip *fieldTree, next *uint64) *level[T] {
	l := &level[T]{id: newLevel(), fields: fields, byName: make(map[string]int, len(fields)), skip: skip}
	for i, f := range fields {
		lower := strings.ToLower(f.name)
		l.byName[lower] = i
		f.name = path + f.name
		f.bit = *next
		*next <<= 1
		if f.must {
			s.required = append(s.required, f)
		}
		if f.nested != nil {
			f.within = s.index(f.nested, f.name+".", skip.child([]byte(lower)), next)
		}
	}
	return l
}

// require makes a record without this field malformed.
func (f *fieldOf[T]) require() *fieldOf[T] {
	f.must = true
	return f
}

// key makes a record malformed of which this field, which may be missing, cannot be
// read.
func (f *fieldOf[T]) key() *fieldOf[T] {
	f.firm = true
	return f
}

// object is a field whose members are bound to fields of the same T.
func object[T any](name string, fields ...*fieldOf[T]) *fieldOf[T] {
	return &fieldOf[T]{name: name, nested: fields}
}

// alias is a second name of f, used where f itself is missing.
func alias[T any](name string, f *fieldOf[T]) *fieldOf[T] {
	return &fieldOf[T]{name: name, second: f}
}

// documented tells which fields a schema has.
type documented interface{ without(seen uint64) []string }

// without returns the fields that are not in a set of those seen, as paths.
func (s *schema[T]) without(seen uint64) []string {
	var names []string
	for _, f := range s.members.fields {
		names = append(names, f.without(seen)...)
	}
	slices.Sort(names)
	return names
}

func (f *fieldOf[T]) without(seen uint64) []string {
	if f.second != nil || seen&f.bit != 0 && f.within == nil {
		return nil
	}
	if f.within == nil || seen&f.bit == 0 {
		return []string{f.name}
	}
	var names []string
	for _, member := range f.within.fields {
		names = append(names, member.without(seen)...)
	}
	return names
}
