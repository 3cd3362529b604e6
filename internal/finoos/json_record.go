package finoos

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// recordDecoder holds the buffers of one pass over records.
type recordDecoder struct {
	hash  hasher
	extra extra
	texts arena
	late  []late                // of the objects at hand, the innermost last
	names []*names              // by level
	lists []string              // where lists of text come from
	seen  map[documented]uint64 // which fields any record had, if somebody wants to know

	repaired bool     // what is read was not in UTF-8
	repairs  []int    // where
	asked    int      // how many of these somebody has asked for
	size     int      // capacity of what is read, by which places in it are told
	odd      oddities // of the record at hand
}

// decoders are kept for the names that they know, and for their buffers.
var decoders sync.Pool // of *recordDecoder

func newDecoder() *recordDecoder {
	if d, ok := decoders.Get().(*recordDecoder); ok {
		return d
	}
	return new(recordDecoder)
}

// release gives d back, unless it has grown large; what is spent is not given
// back at all. What d made is not its own any more.
func (d *recordDecoder) release() {
	if cap(d.extra.buf)+cap(d.hash.path)+cap(d.hash.text) > maxKept {
		return
	}
	d.forget()
	decoders.Put(d)
}

// forget lets go of what d refers to beside its own buffers.
func (d *recordDecoder) forget() {
	d.repaired, d.repairs, d.extra.replaced = false, nil, false
	d.texts, d.lists, d.seen = arena{}, nil, nil // texts and lists are the records' own
	if cap(d.late) > maxNames {                  // it refers to the answer
		d.late = nil
	}
	clear(d.late[:cap(d.late)]) // beyond its length stands what earlier records left
	for _, n := range d.names {
		if n != nil {
			n.long = knownName{}
		}
	}
}

// mark is how far a decoder has come.
type mark struct {
	path, base, around, extra, late, asked int

	odd oddities
}

func (d *recordDecoder) mark() mark {
	return mark{len(d.hash.path), d.hash.base, d.hash.syntax.around, len(d.extra.buf), len(d.late), d.asked, d.odd}
}

// reset forgets what came behind m, where it ended in an error.
func (d *recordDecoder) reset(m mark) {
	d.hash.path, d.hash.base, d.hash.syntax.around = d.hash.path[:m.path], m.base, m.around
	d.extra.buf, d.late = d.extra.buf[:m.extra], d.late[:m.late]
	d.extra.replaced, d.asked, d.odd = false, m.asked, m.odd
}

var levels atomic.Int64

func newLevel() int { return int(levels.Add(1) - 1) }

// names are the names of an object's members in the order in which they came
// last. Those of the next record are the same as a rule: so a name is compared
// with one, and neither read, lower-cased nor looked up.
type names struct {
	known []knownName
	next  int
	long  knownName // one that is not remembered
}

// knownName is a name that was met.
type knownName struct {
	value        // as spelled, quotes included: no other name begins like that
	lower []byte // as it is hashed: after sepMember
	field int    // index into the level's fields, -1 if it has none
	skip  *fieldTree
}

// maxNames bounds the names that are remembered of one level, maxName how long
// they are.
const (
	maxNames = 64
	maxName  = 256 // bytes
)

// namesOf returns what is remembered of a level.
func (d *recordDecoder) namesOf(id int) *names {
	if id >= len(d.names) {
		d.names = append(d.names, make([]*names, id+1-len(d.names))...)
	}
	if d.names[id] == nil {
		d.names[id] = &names{}
	}
	return d.names[id]
}

// find returns the name that b[i] begins with, valid until the next call, and
// where its value begins.
func (l *level[T]) find(n *names, b []byte, i int) (k *knownName, at int, ok bool) {
	for range n.known {
		if n.next == len(n.known) {
			n.next = 0
		}
		k = &n.known[n.next]
		n.next++
		// The closing quote is compared as well: no name is taken for a longer one.
		if len(b)-i >= len(k.raw) && string(b[i:i+len(k.raw)]) == string(k.raw) {
			at, ok = colonEnd(b, i+len(k.raw))
			return k, at, ok
		}
	}
	name, at, ok := nameAt(b, i)
	if !ok {
		return nil, at, false
	}
	return l.learn(n, name), at, true
}

// learn adds a name to those that are remembered.
func (l *level[T]) learn(n *names, name value) *knownName {
	k := knownName{value: value{slices.Clone(name.raw), name.form}, lower: name.appendLower([]byte{sepMember}), field: -1}
	if i, ok := l.byName[string(k.lower[1:])]; ok {
		k.field = i
	}
	k.skip = l.skip.child(k.lower[1:])
	if len(name.raw) > maxName {
		n.long = k
		return &n.long
	}
	if len(n.known) == maxNames {
		n.known = n.known[:0] // what comes again is learnt again
	}
	n.known = append(n.known, k)
	n.next = len(n.known)
	return &n.known[n.next-1]
}

// decode makes a T of the record v, which has been checked. After an error d is
// spent.
func (s *schema[T]) decode(d *recordDecoder, v value) (T, error) {
	var to T
	if v.kind() != kindObject {
		return to, fmt.Errorf("%s: %w", s.model, errType)
	}
	_, err := s.decodeAt(d, &to, v.raw, 0)
	return to, err
}

// decodeAt makes a T of the record that should begin at b[i], and returns where
// it ends. to must be zero. That the record is no JSON is errNoJSON, also where
// it is not in UTF-8.
func (s *schema[T]) decodeAt(d *recordDecoder, to *T, b []byte, i int) (end int, err error) {
	if b[i] != kindObject {
		return i, fmt.Errorf("%s: %w", s.model, errType)
	}
	base := d.hash.base
	if s.hashed {
		d.hash.base = len(d.hash.path) // a path of its own
	}
	mark, odd := d.extra.open(nil), d.odd
	d.odd = oddities{}
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
		odd.unreadable += d.odd.unreadable // it is part of another
		odd.replaced += d.odd.replaced
	} else {
		s.keep(to, Record{Extra: d.extra.take(mark), Hash: sum, Unreadable: d.odd.unreadable, Replaced: d.odd.replaced})
	}
	d.odd = odd
	d.hash.base = base
	return end, nil
}

// pass goes through one record, once: it checks, stores and hashes what it
// meets.
type pass[T any] struct {
	schema *schema[T]
	d      *recordDecoder
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
	d := p.d
	d.hash.syntax.around++
	second := len(d.late)
	names := d.namesOf(l.id)
	names.next = 0 // the object before may have ended early
	for i = skipSpace(b, i+1); b[i] != '}'; {
		k, at, ok := l.find(names, b, i)
		if !ok {
			return 0, at, errNoJSON
		}
		name := value{b[i : i+len(k.raw)], k.form} // k may be forgotten meanwhile
		part, at, err := p.member(l, k, name, b, at, hash && !k.skip.isLeaf(), depth+1)
		if err != nil {
			return 0, at, err
		}
		sum += part
		if d.extra.replaced || d.repaired {
			d.countReplaced(b, at)
		}
		if i, ok = following(b, at, '}'); !ok {
			return 0, i, errNoJSON
		}
	}
	d.hash.syntax.around--
	return sum, i + 1, p.storeLate(l, second)
}

// member hashes and stores the member whose value begins at b[i].
func (p *pass[T]) member(l *level[T], k *knownName, name value, b []byte, i int, hash bool, depth int) (sum uint64, end int, err error) {
	if c := b[i]; c == kindObject || c == kindArray {
		return p.container(l, k, name, b, i, hash, depth)
	}
	v, end, ok := scalarAt(b, i)
	if !ok {
		return 0, end, errNoJSON
	}
	if hash {
		sum = p.d.hash.scalar(k.lower, v)
	}
	return sum, end, p.keep(l, k.field, name, v)
}

// container is member for an object or array.
func (p *pass[T]) container(l *level[T], k *knownName, name value, b []byte, i int, hash bool, depth int) (sum uint64, end int, err error) {
	h, id := &p.d.hash, k.field
	mark := len(h.path)
	if hash {
		h.path = append(h.path, k.lower...)
	}
	// A second value under the same name is an extra, and so is passed by as one. A
	// list whose reader cannot hash has to be gone through twice, if hashes are due.
	if f := l.field(id); f != nil && p.seen&f.bit == 0 && (f.within != nil && b[i] == kindObject ||
		f.read != nil && b[i] == kindArray && (!hash || f.hashes && k.skip == nil)) {
		skip, before := k.skip, p.d.mark() // k may be forgotten meanwhile
		sum, end, err = p.inPlace(f, name, b, i, hash, depth)
		if p.toleratesIn(f, err) {
			p.d.reset(before)
			if sum, end, err = p.d.whole(b, i, skip, hash, depth, true); err == nil {
				p.oddity(name, value{raw: b[i:end]})
			}
		}
		if err == nil {
			h.path = h.path[:mark]
		}
		return sum, end, err
	}
	if sum, end, err = p.d.whole(b, i, k.skip, hash, depth, !p.schema.strict); err != nil {
		return 0, end, err
	}
	h.path = h.path[:mark]
	return sum, end, p.keep(l, id, name, value{raw: b[i:end]})
}

// whole goes through a value as a whole, which is hashed as a text where it is
// nested too deeply for more and that is tolerated.
func (d *recordDecoder) whole(b []byte, i int, skip *fieldTree, hash bool, depth int, tolerant bool) (sum uint64, end int, err error) {
	h := &d.hash
	if !hash {
		end, err = h.syntax.valueEnd(b, i)
		return 0, end, err
	}
	before := d.mark()
	sum, end, err = h.value(b, i, skip, depth)
	if !tolerant || !errors.Is(err, errTooDeep) {
		return sum, end, err
	}
	d.reset(before)
	if end, err = h.syntax.valueEnd(b, i); err != nil {
		return 0, end, err
	}
	return h.asText(value{raw: b[i:end]}), end, nil
}

// toleratesIn reports whether a record goes on after the error of a field. That
// the answer is cut off or no JSON is never the field's.
func (p *pass[T]) toleratesIn(f *fieldOf[T], err error) bool {
	return err != nil && !p.schema.strict && !f.must && !f.firm && !errors.Is(err, errNoJSON)
}

// oddity keeps what could not be read.
func (p *pass[T]) oddity(name, v value) {
	p.d.odd.unreadable++
	p.d.extra.add(name, v)
}

func (l *level[T]) field(i int) *fieldOf[T] {
	if i < 0 {
		return nil
	}
	return l.fields[i]
}

// keep stores a member, if it says anything.
func (p *pass[T]) keep(l *level[T], id int, name, v value) error {
	f := l.field(id)
	if v.form != 0 && v.mendable() {
		p.d.extra.replaced = true
	}
	switch {
	case !v.says():
	case f == nil:
		p.d.extra.add(name, v)
	case f.second != nil: // comes last, whatever its place in the object
		p.d.late = append(p.d.late, late{id, name, v})
	default:
		return p.store(f, name, v)
	}
	return nil
}

// inPlace stores, and hashes, an object or a list that nobody has gone through
// yet.
func (p *pass[T]) inPlace(f *fieldOf[T], name value, b []byte, i int, hash bool, depth int) (sum uint64, end int, err error) {
	p.seen |= f.bit
	if f.read != nil {
		sum, end, err = f.read(p.d, p.to, b, i, hash, depth)
		return sum, end, p.stored(f, name, value{raw: b[i:end]}, err)
	}
	mark := p.d.extra.open(name.raw)
	sum, end, err = p.object(f.within, b, i, hash, depth)
	p.d.extra.close(mark)
	return sum, end, err
}

// late is a member under a second name.
type late struct {
	field       int
	name, value value
}

// storeLate stores the members of an object that came under second names.
func (p *pass[T]) storeLate(l *level[T], mark int) error {
	for i := mark; i < len(p.d.late); i++ {
		m := p.d.late[i]
		if err := p.store(l.fields[m.field].second, m.name, m.value); err != nil {
			return err
		}
		if p.d.extra.replaced && m.value.form == 0 { // a text was counted in its place
			p.d.odd.replaced++
		}
		p.d.extra.replaced = false
	}
	p.d.late = p.d.late[:mark]
	return nil
}

// store puts a member where it belongs. The first that says something counts;
// what comes under the same name again is kept as an extra.
func (p *pass[T]) store(f *fieldOf[T], name, v value) error {
	if p.seen&f.bit != 0 {
		p.d.extra.add(name, v)
		return nil
	}
	p.seen |= f.bit
	var err error
	switch {
	case f.within != nil: // an object would have been read in place
		err = errType
	case f.set == nil:
		_, _, err = f.read(p.d, p.to, v.raw, 0, false, 0)
	default:
		err = f.set(p.d, p.to, v)
	}
	if !errors.Is(err, errKeep) && p.toleratesIn(f, err) {
		p.oddity(name, v)
		return nil
	}
	return p.stored(f, name, v, err)
}

// stored tells what a member's error means, and keeps the member if that is it.
func (p *pass[T]) stored(f *fieldOf[T], name, v value, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errKeep):
		p.d.extra.add(name, v)
		return nil
	}
	return fmt.Errorf("%s: %w", f.name, err)
}
