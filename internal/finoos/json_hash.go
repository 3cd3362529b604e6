package finoos

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// HashVersion is the version of the rule by which records are hashed. Hashes
// of different versions do not compare.
//
// Version 1: the sum of the xxhash64 of path and value, over all scalars of
// the record. The path is that of the lower-cased names, and of the places in
// lists; so the order of an object's members does not matter and that of a
// list does. A string counts as what it says, a number as it is spelled. A
// null, a "" and a missing field contribute nothing; a list contributes its
// length too, so that an empty one differs from a missing one. Fields in
// volatile are left out.
const HashVersion = 1

// volatile names the fields that the API is known to change at every
// synchronisation, by model and path: they say nothing new.
var volatile = []string{
	"account.standingOrders.id",
	"user.expiresIn",
}

// Volatile are the paths of these fields below their records, lower-cased.
func Volatile() [][]string {
	var paths [][]string
	for _, path := range volatile {
		paths = append(paths, strings.Split(strings.ToLower(path), ".")[1:])
	}
	return paths
}

// maxDepth is how deeply a record may be nested, or what of it has a path of its
// own where more is tolerated.
const maxDepth = 64

var errTooDeep = errors.New("nested too deeply")

// Bytes that no UTF-8 text contains keep paths and values apart.
const (
	sepMember = 0xff
	sepItem   = 0xfe
	sepValue  = 0xfd
)

// kindDeep is the kind of a value that is nested too deeply.
const kindDeep = '#'

// fieldTree is a set of paths, lower-cased. Lists are no step of a path.
type fieldTree struct {
	leaf     bool
	children map[string]*fieldTree
}

// volatileOf returns the volatile fields of a model.
func volatileOf(model string) *fieldTree {
	root := &fieldTree{}
	for _, path := range volatile {
		steps := strings.Split(strings.ToLower(path), ".")
		if steps[0] != model {
			continue
		}
		node := root
		for _, step := range steps[1:] {
			if node.children == nil {
				node.children = map[string]*fieldTree{}
			}
			if node.children[step] == nil {
				node.children[step] = &fieldTree{}
			}
			node = node.children[step]
		}
		node.leaf = true
	}
	return root
}

func (t *fieldTree) child(name []byte) *fieldTree {
	if t == nil {
		return nil
	}
	return t.children[string(name)]
}

// isLeaf reports whether what has this path is left out.
func (t *fieldTree) isLeaf() bool { return t != nil && t.leaf }

// hasher computes the hash of records, and checks what it goes through. It only
// holds buffers; the path being walked is a stack, so a hash may be computed
// while another is.
type hasher struct {
	path   []byte
	base   int    // of path that is the record's own
	text   []byte // what a string says that holds escapes
	syntax syntax // of what is not hashed
}

// value returns what the value that begins at b[i] contributes below the
// current path, and where it ends.
func (h *hasher) value(b []byte, i int, skip *fieldTree, depth int) (sum uint64, end int, err error) {
	if depth > maxDepth {
		return 0, i, errTooDeep
	}
	switch b[i] {
	case kindObject:
		return h.object(b, i, skip, depth)
	case kindArray:
		return h.array(b, i, skip, depth)
	}
	v, end, ok := scalarAt(b, i)
	if !ok {
		return 0, end, errNoJSON
	}
	return h.scalar(nil, v), end, nil
}

// valueAt returns the value that begins at b[i], where it ends and, if that is
// wanted, what it contributes under a name, nil if it has none.
func (h *hasher) valueAt(name, b []byte, i int, hash bool, depth int) (v value, sum uint64, end int, err error) {
	if c := b[i]; hash && (c == kindObject || c == kindArray) {
		mark := len(h.path)
		h.path = append(h.path, name...)
		sum, end, err = h.value(b, i, nil, depth)
		h.path = h.path[:mark]
		return value{raw: b[i:end]}, sum, end, err
	}
	v, end, err = h.syntax.valueAt(b, i)
	if err == nil && hash {
		sum = h.scalar(name, v)
	}
	return v, sum, end, err
}

// scalar returns what a scalar contributes under a name, nil if it has none.
// The path stays as it is: this is done for every value there is.
func (h *hasher) scalar(name []byte, v value) uint64 {
	if !v.says() {
		return 0
	}
	kind := v.kind()
	if kind == 'f' {
		kind = 't' // the two booleans are of one kind
	}
	text := v.plain()
	if v.form != 0 {
		h.text = v.appendText(h.text[:0])
		text = h.text
	}
	mark := len(h.path)
	size := mark + len(name) + 2 + len(text)
	if size > cap(h.path) {
		h.path = slices.Grow(h.path, size-mark)
	}
	rest := h.path[mark:size]
	rest = rest[copy(rest, name):]
	rest[0], rest[1] = sepValue, kind
	copy(rest[2:], text)
	return xxhash.Sum64(h.path[h.base:size])
}

// asText returns what a value contributes that is nested too deeply for a path to
// each of its scalars: its text, without the space between tokens.
func (h *hasher) asText(v value) uint64 {
	mark := len(h.path)
	h.path = v.appendCompact(append(h.path, sepValue, kindDeep))
	sum := xxhash.Sum64(h.path[h.base:])
	h.path = h.path[:mark]
	return sum
}

func (h *hasher) object(b []byte, i int, skip *fieldTree, depth int) (sum uint64, end int, err error) {
	h.syntax.around++
	mark := len(h.path)
	for i = skipSpace(b, i+1); b[i] != '}'; {
		name, at, ok := nameAt(b, i)
		if !ok {
			return 0, at, errNoJSON
		}
		h.path = name.appendLower(append(h.path, sepMember))
		var part uint64
		if below := skip.child(h.path[mark+1:]); below.isLeaf() {
			i, err = h.syntax.valueEnd(b, at)
		} else {
			part, i, err = h.value(b, at, below, depth+1)
		}
		if err != nil {
			return 0, i, err
		}
		sum += part
		h.path = h.path[:mark]
		if i, ok = following(b, i, '}'); !ok {
			return 0, i, errNoJSON
		}
	}
	h.syntax.around--
	return sum, i + 1, nil
}

func (h *hasher) array(b []byte, i int, skip *fieldTree, depth int) (sum uint64, end int, err error) {
	h.syntax.around++
	mark := len(h.path)
	n := 0
	for i = skipSpace(b, i+1); b[i] != ']'; n++ {
		h.enterItem(n)
		part, at, err := h.value(b, i, skip, depth+1)
		if err != nil {
			return 0, at, err
		}
		sum += part
		h.path = h.path[:mark]
		var ok bool
		if i, ok = following(b, at, ']'); !ok {
			return 0, i, errNoJSON
		}
	}
	h.syntax.around--
	return sum + h.length(n), i + 1, nil
}

// enterItem makes the path that of an item of the list at hand.
func (h *hasher) enterItem(n int) {
	h.path = strconv.AppendInt(append(h.path, sepItem), int64(n), 10)
}

// length returns what the length of the list at hand contributes.
func (h *hasher) length(n int) uint64 {
	mark := len(h.path)
	h.path = strconv.AppendInt(append(h.path, sepValue, kindArray), int64(n), 10)
	sum := xxhash.Sum64(h.path[h.base:])
	h.path = h.path[:mark]
	return sum
}
