package finoos

import (
	"errors"
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

// maxDepth is how deeply a record may be nested.
const maxDepth = 64

var errTooDeep = errors.New("nested too deeply")

// Bytes that no UTF-8 text contains keep paths and values apart.
const (
	sepMember = 0xff
	sepItem   = 0xfe
	sepValue  = 0xfd
)

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

// hasher computes the hash of records. It only holds a buffer; the path being
// walked is a stack, so a hash may be computed while another is.
type hasher struct {
	path []byte
}

// sum returns what v contributes below the current path.
func (h *hasher) sum(v value, skip *fieldTree, depth int) (uint64, error) {
	if depth > maxDepth {
		return 0, errTooDeep
	}
	switch v.kind() {
	case kindObject:
		return h.object(v, skip, depth)
	case kindArray:
		return h.array(v, skip, depth)
	}
	if !v.says() {
		return 0, nil
	}
	kind := v.kind()
	if kind == 'f' {
		kind = 't' // the two booleans are of one kind
	}
	mark := len(h.path)
	h.path = v.appendText(append(h.path, sepValue, kind))
	sum := xxhash.Sum64(h.path)
	h.path = h.path[:mark]
	return sum, nil
}

func (h *hasher) object(v value, skip *fieldTree, depth int) (uint64, error) {
	var sum uint64
	mark := len(h.path)
	for m := v.members(); m.next(); {
		h.path = m.name.appendLower(append(h.path, sepMember))
		below := skip.child(h.path[mark+1:])
		if below == nil || !below.leaf {
			part, err := h.sum(m.value, below, depth+1)
			if err != nil {
				return 0, err
			}
			sum += part
		}
		h.path = h.path[:mark]
	}
	return sum, nil
}

func (h *hasher) array(v value, skip *fieldTree, depth int) (uint64, error) {
	var sum uint64
	mark := len(h.path)
	n := int64(0)
	for a := v.items(); a.next(); n++ {
		h.path = strconv.AppendInt(append(h.path, sepItem), n, 10)
		part, err := h.sum(a.value, skip, depth+1)
		if err != nil {
			return 0, err
		}
		sum += part
		h.path = h.path[:mark]
	}
	h.path = strconv.AppendInt(append(h.path, sepValue, kindArray), n, 10)
	sum += xxhash.Sum64(h.path)
	h.path = h.path[:mark]
	return sum, nil
}
