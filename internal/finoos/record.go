package finoos

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// decoder holds the buffers of one pass over records.
type decoder struct {
	hash  hasher
	extra extra
	texts arena
	lower []byte                // the name at hand, where it is not known
	names []*names              // by level
	lists []string              // where lists of text come from
	seen  map[documented]uint64 // which fields any record had, if somebody wants to know
}

// decoders are kept for the names that they know, and for their buffers.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// release gives d back, unless it has grown large; what is spent is not given
// back at all. What d made is not its own any more.
func (d *decoder) release() {
	if cap(d.extra.buf)+cap(d.hash.path)+cap(d.lower) > maxKept {
		return
	}
	d.texts, d.lists, d.seen = arena{}, nil, nil
	decoders.Put(d)
}

var levels atomic.Int64

func newLevel() int { return int(levels.Add(1) - 1) }

// names are the names of an object's members in the order in which they came
// last. Those of the next record are the same as a rule: so a name is compared
// with one, and neither read, lower-cased nor looked up.
type names struct {
	known []knownName
	next  int
}

// knownName is a name that was met.
type knownName struct {
	raw   []byte // as spelled, quotes included: no other name begins like that
	lower []byte // as it is hashed: after sepMember
	field int    // index into the level's fields, -1 if it has none
	skip  *fieldTree
}

// maxNames bounds the names that are remembered of one level.
const maxNames = 64

// namesOf returns what is remembered of a level.
func (d *decoder) namesOf(id int) *names {
	if id >= len(d.names) {
		d.names = append(d.names, make([]*names, id+1-len(d.names))...)
	}
	if d.names[id] == nil {
		d.names[id] = &names{}
	}
	return d.names[id]
}

// find returns the name that b begins with, valid until the next call.
func (l *level[T]) find(n *names, b []byte) *knownName {
	for i := range n.known {
		at := i + n.next
		if at >= len(n.known) {
			at -= len(n.known)
		}
		if k := &n.known[at]; len(b) >= len(k.raw) && string(b[:len(k.raw)]) == string(k.raw) {
			n.next = at + 1
			return k
		}
	}
	raw := value(b[:stringEnd(b, 0)])
	k := knownName{raw: slices.Clone(raw), lower: raw.appendLower([]byte{sepMember}), field: -1}
	if i, ok := l.byName[string(k.lower[1:])]; ok {
		k.field = i
	}
	k.skip = l.skip.child(k.lower[1:])
	if len(n.known) == maxNames {
		n.known = n.known[:0]
	}
	n.known = append(n.known, k)
	n.next = len(n.known)
	return &n.known[n.next-1]
}

// decode makes a T of the record v. After an error d is spent.
func (s *schema[T]) decode(d *decoder, v value) (T, error) {
	to := new(T)
	err := s.decodeNext(d, to, func(*T) {}, v)
	return *to, err
}

// decodeNext makes a T of the record v, in the place of the one before.
func (s *schema[T]) decodeNext(d *decoder, to *T, empty func(*T), v value) error {
	if v.kind() != kindObject {
		return fmt.Errorf("%s: %w", s.model, errType)
	}
	empty(to)
	_, err := s.decodeAt(d, to, v, 0)
	return err
}

// decodeAt makes a T of the record that begins at b[i], and returns where it
// ends. to must be zero.
func (s *schema[T]) decodeAt(d *decoder, to *T, b []byte, i int) (end int, err error) {
	outer := d.hash
	if s.hashed {
		d.hash.path = d.hash.path[len(d.hash.path):] // a path of its own
	}
	mark := d.extra.open(nil)
	p := pass[T]{schema: s, d: d, to: to}
	sum, end, err := p.object(s.members, b, i, s.hashed, 0)
	if err != nil {
		return end, fmt.Errorf("%s: %w", s.model, err)
	}
	for _, f := range s.required {
		if p.seen&f.bit == 0 {
			return end, fmt.Errorf("%s: %s: %w", s.model, f.name, errMissing)
		}
	}
	if d.seen != nil {
		d.seen[s] |= p.seen
	}
	if s.keep == nil {
		d.extra.buf = d.extra.buf[:mark]
	} else {
		s.keep(to, Record{Extra: d.extra.take(mark), Hash: sum})
	}
	if len(outer.path) > 0 {
		d.hash = outer
	}
	return end, nil
}

// pass goes through one record, once: it stores and hashes what it meets.
type pass[T any] struct {
	schema *schema[T]
	d      *decoder
	to     *T
	seen   uint64
}

// object goes through the object that begins at b[i]: it stores the members
// that fields name, and the others as extras. It returns what the object
// contributes to the hash, if that is wanted, and where it ends.
func (p *pass[T]) object(l *level[T], b []byte, i int, hash bool, depth int) (sum uint64, end int, err error) {
	if hash && depth > maxDepth {
		return 0, i, errTooDeep
	}
	start, seconds := i, false
	names := p.d.namesOf(l.id)
	names.next = 0
	for i = skipBetween(b, i+1); b[i] != '}'; i = skipBetween(b, i) {
		k := l.find(names, b[i:])
		m := members{name: b[i : i+len(k.raw)]}
		i = skipBetween(b, i+len(k.raw))
		hash := hash && (k.skip == nil || !k.skip.leaf)
		mark := len(p.d.hash.path)
		if hash {
			p.d.hash.path = append(p.d.hash.path, k.lower...)
		}
		var part uint64
		f := l.field(k.field)
		if f != nil && p.seen&f.bit == 0 && (f.within != nil && b[i] == '{' || f.read != nil && b[i] == '[' && !hash) {
			part, i, err = p.inPlace(f, m.name, b, i, hash, depth+1)
		} else {
			end := valueEnd(b, i)
			m.value = b[i:end]
			i = end
			part, err = p.member(f, k.skip, m, hash, depth+1)
			seconds = seconds || f != nil && f.second != nil
		}
		if err != nil {
			return 0, i, err
		}
		sum += part
		p.d.hash.path = p.d.hash.path[:mark]
	}
	i++
	if seconds {
		err = p.seconds(l, b[start:i])
	}
	return sum, i, err
}

func (l *level[T]) field(i int) *field[T] {
	if i < 0 {
		return nil
	}
	return l.fields[i]
}

// inPlace stores an object or a list of records that nobody has gone through
// yet.
func (p *pass[T]) inPlace(f *field[T], name value, b []byte, i int, hash bool, depth int) (sum uint64, end int, err error) {
	p.seen |= f.bit
	if f.read != nil {
		if end, err = f.read(p.d, p.to, b, i); err != nil {
			err = fmt.Errorf("%s: %w", f.name, err)
		}
		return 0, end, err
	}
	mark := p.d.extra.open(name)
	sum, end, err = p.object(f.within, b, i, hash, depth)
	p.d.extra.close(mark)
	return sum, end, err
}

// member hashes and stores a member.
func (p *pass[T]) member(f *field[T], skip *fieldTree, m members, hash bool, depth int) (sum uint64, err error) {
	if hash {
		if sum, err = p.d.hash.sum(m.value, skip, depth); err != nil {
			return 0, err
		}
	}
	switch {
	case !m.value.says():
		return sum, nil
	case f == nil:
		p.d.extra.add(m.name, m.value)
		return sum, nil
	case f.second != nil: // comes last, whatever its place in the object
		return sum, nil
	}
	return sum, p.store(f, m)
}

// seconds goes through an object once more, for second names.
func (p *pass[T]) seconds(l *level[T], v value) error {
	for m := v.members(); m.next(); {
		i, ok := l.byName[string(m.name.appendLower(nil))]
		if ok && l.fields[i].second != nil && m.value.says() {
			if err := p.store(l.fields[i].second, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// store puts a member where it belongs. The first that says something counts;
// what comes under the same name again is kept as an extra.
func (p *pass[T]) store(f *field[T], m members) error {
	if p.seen&f.bit != 0 {
		p.d.extra.add(m.name, m.value)
		return nil
	}
	p.seen |= f.bit
	var err error
	switch {
	case f.within != nil: // an object would have been read in place
		err = errType
	case f.set == nil:
		_, err = f.read(p.d, p.to, m.value, 0)
	default:
		err = f.set(p.d, p.to, m.value)
	}
	switch {
	case err == nil:
	case errors.Is(err, errKeep):
		p.d.extra.add(m.name, m.value)
	default:
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}
