package parquet

import (
	"math"

	"finoos-syncer/internal/scratch"
)

// The types of the compact protocol of Thrift.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftInt64  = 6 // and two narrower ones before it, read alike
	thriftDouble = 7
	thriftText   = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// thriftReader reads the compact protocol of Thrift. It makes room for nothing, and
// each thing that it reads takes at least a byte of what there is: so its work is
// bounded by that. The first failure sticks, as in the reader below.
type thriftReader struct{ *scratch.Reader }

// fields calls each for the fields of a struct, until it ends. each has to read the
// value.
func (r thriftReader) fields(each func(id int16, typ byte)) {
	var id int64
	for !r.Failed() {
		head := r.Byte()
		typ := head & 0x0f
		if typ == thriftStop {
			return
		}
		if delta := int64(head >> 4); delta > 0 {
			id += delta
		} else {
			id = r.Varint()
		}
		if id < 0 || id > math.MaxInt16 {
			r.Fail()
			return
		}
		each(int16(id), typ)
	}
}

// structure is fields of a value that has to be a struct.
func (r thriftReader) structure(typ byte, each func(id int16, typ byte)) {
	if typ != thriftStruct {
		r.Fail()
		return
	}
	r.fields(each)
}

// list calls each for the items of a list, which it has to read.
func (r thriftReader) list(typ byte, each func(elem byte)) {
	if typ != thriftList {
		r.Fail()
		return
	}
	elem, n := r.listHead()
	for ; n > 0 && !r.Failed(); n-- {
		each(elem)
	}
}

func (r thriftReader) listHead() (elem byte, n uint64) {
	head := r.Byte()
	if n = uint64(head >> 4); n == 15 {
		n = r.Uvarint()
	}
	if n > uint64(len(r.Rest())) {
		r.Fail()
	}
	return head & 0x0f, n
}

// number reads an integer of any width.
func (r thriftReader) number(typ byte) int64 {
	switch {
	case typ == thriftByte:
		return int64(int8(r.Byte()))
	case typ > thriftByte && typ <= thriftInt64:
		return r.Varint()
	}
	r.Fail()
	return 0
}

// text reads bytes, which are part of those that are read.
func (r thriftReader) text(typ byte) []byte {
	if typ != thriftText {
		r.Fail()
		return nil
	}
	return r.Sized()
}

// skip passes over a value.
func (r thriftReader) skip(typ byte, depth int) {
	if depth > maxNesting {
		r.Fail()
		return
	}
	switch typ {
	case thriftTrue, thriftFalse: // the type is the value
	case thriftDouble:
		r.Take(8)
	case thriftText:
		r.Sized()
	case thriftList, thriftSet:
		elem, n := r.listHead()
		for ; n > 0 && !r.Failed(); n-- {
			r.skipItem(elem, depth+1)
		}
	case thriftMap:
		r.skipMap(depth)
	case thriftStruct:
		r.fields(func(_ int16, typ byte) { r.skip(typ, depth+1) })
	default:
		r.number(typ)
	}
}

// skipItem is skip in lists and maps, where a truth value is a byte.
func (r thriftReader) skipItem(typ byte, depth int) {
	if typ == thriftTrue || typ == thriftFalse {
		r.Byte()
		return
	}
	r.skip(typ, depth)
}

func (r thriftReader) skipMap(depth int) {
	n := r.Uvarint()
	if n == 0 {
		return
	}
	types := r.Byte()
	if n > uint64(len(r.Rest())) {
		r.Fail()
	}
	for ; n > 0 && !r.Failed(); n-- {
		r.skipItem(types>>4, depth+1)
		r.skipItem(types&0x0f, depth+1)
	}
}
