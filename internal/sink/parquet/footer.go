package parquet

import (
	"encoding/binary"
	"fmt"

	"finoos-syncer/internal/scratch"
)

// What a footer says, as far as reading needs it (parquet.thrift, in the compact
// protocol). It is read here and not by the library, which believes every number in
// it: makes room for as many things as a list says that it has, and goes as deep.

const (
	// maxColumns bounds the elements of a schema.
	maxColumns = 1 << 10
	// footerLeast is how long any footer may be; beyond that it may be no more than
	// one part in footerShare of its file.
	footerLeast = 4 << 20
	footerShare = 8
	// maxNesting bounds how deep what is passed over may be nested.
	maxNesting = 16
)

// The physical types that are read.
const (
	typeBool  = 0
	typeInt32 = 1
	typeInt64 = 2
	typeText  = 6
)

// footer is the schema and the row groups of a file.
type footer struct {
	columns []leafColumn // the leaves of the schema, in order
	groups  []groupMeta
	behind  int // where the row groups, whose statistics may say anything, have ended
}

// leafColumn is a leaf of the schema. Only those that are a column by themselves have
// a name, since of lists nothing is read.
type leafColumn struct {
	name     string
	optional bool
}

type groupMeta struct {
	rows   int64
	chunks []chunkMeta // one for each leaf
}

// chunkMeta is a column of a row group. least and most are known where bounded says so.
type chunkMeta struct {
	typ, codec            int32
	values                int64
	plain, packed         int64 // bytes, before and after compression
	data, dictionary      int64 // where the pages begin; dictionary is 0 if there is none
	bounded, hasLeast     bool
	least, most           int32
	elsewhere, isComplete bool
}

// footerSize returns how long the footer is, by the last bytes of the file.
func footerSize(end []byte, size int64) (int64, error) {
	if len(end) != footerEnd || string(end[4:]) != magic {
		return 0, fmt.Errorf("%w: it does not end as Parquet does", ErrCorrupt)
	}
	n := int64(binary.LittleEndian.Uint32(end))
	if n > size-footerEnd-int64(len(magic)) || n > footerLeast+size/footerShare {
		return 0, fmt.Errorf("%w: a footer of %d bytes, in a file of %d", ErrCorrupt, n, size)
	}
	return n, nil
}

// footerEnd is what follows a footer: its length, and the magic.
const footerEnd = 8

func parseFooter(b []byte) (*footer, error) {
	f, r := new(footer), thriftReader{scratch.NewReader(b)}
	r.fields(func(id int16, typ byte) {
		switch id {
		case 2:
			f.readSchema(r, typ)
		case 4:
			r.list(typ, func(elem byte) { f.readGroup(r, elem) })
			f.behind = len(b) - len(r.Rest())
		default:
			r.skip(typ, 0)
		}
	})
	if r.Failed() {
		return nil, fmt.Errorf("%w: its footer cannot be read", ErrCorrupt)
	}
	return f, nil
}

// readSchema flattens the tree that the elements are: each says how many of those that
// follow are below it.
func (f *footer) readSchema(r thriftReader, typ byte) {
	var below []int64 // of each group that is open, how many elements are to come
	elements := 0
	r.list(typ, func(elem byte) {
		var children, repetition int64
		var name []byte
		r.structure(elem, func(id int16, typ byte) {
			switch id {
			case 3:
				repetition = r.number(typ)
			case 4:
				name = r.text(typ)
			case 5:
				children = r.number(typ)
			default:
				r.skip(typ, 0)
			}
		})
		if elements++; elements > maxColumns || children < 0 || children > maxColumns || elements > 1 && len(below) == 0 {
			r.Fail()
			return
		}
		const optional, repeated = 1, 2
		if children == 0 && len(below) > 0 {
			leaf := leafColumn{optional: repetition == optional}
			if len(below) == 1 && repetition != repeated {
				leaf.name = string(name)
			}
			f.columns = append(f.columns, leaf)
		}
		if len(below) > 0 {
			below[len(below)-1]--
		}
		if children > 0 {
			below = append(below, children)
		}
		for len(below) > 0 && below[len(below)-1] == 0 {
			below = below[:len(below)-1]
		}
	})
	if len(below) > 0 {
		r.Fail()
	}
}

func (f *footer) readGroup(r thriftReader, typ byte) {
	g := groupMeta{rows: -1}
	r.structure(typ, func(id int16, typ byte) {
		switch id {
		case 1:
			g.chunks = make([]chunkMeta, 0, len(f.columns))
			r.list(typ, func(elem byte) {
				if len(g.chunks) == len(f.columns) {
					r.Fail()
					return
				}
				g.chunks = append(g.chunks, readChunk(r, elem))
			})
		case 3:
			g.rows = r.number(typ)
		default:
			r.skip(typ, 0)
		}
	})
	if g.rows < 0 || len(g.chunks) != len(f.columns) {
		r.Fail()
		return
	}
	f.groups = append(f.groups, g)
}

func readChunk(r thriftReader, typ byte) (c chunkMeta) {
	r.structure(typ, func(id int16, typ byte) {
		const path, meta, crypto, encrypted = 1, 3, 8, 9
		switch id {
		case meta:
			c.isComplete = true
			r.structure(typ, func(id int16, typ byte) { c.readMeta(r, id, typ) })
		case path, crypto, encrypted:
			c.elsewhere = true
			r.skip(typ, 0)
		default:
			r.skip(typ, 0)
		}
	})
	if !c.isComplete || c.elsewhere {
		r.Fail()
	}
	return c
}

func (c *chunkMeta) readMeta(r thriftReader, id int16, typ byte) {
	switch id {
	case 1:
		c.typ = int32(r.number(typ)) // another than is known is refused later on
	case 4:
		c.codec = int32(r.number(typ)) // the same
	case 5:
		c.values = r.number(typ)
	case 6:
		c.plain = r.number(typ)
	case 7:
		c.packed = r.number(typ)
	case 9:
		c.data = r.number(typ)
	case 11:
		c.dictionary = r.number(typ)
	case 12:
		r.structure(typ, func(id int16, typ byte) { c.readBounds(r, id, typ) })
	default:
		r.skip(typ, 0)
	}
}

// readBounds reads the least and the greatest value of a column of Int32.
func (c *chunkMeta) readBounds(r thriftReader, id int16, typ byte) {
	const most, least = 5, 6
	if id != most && id != least {
		r.skip(typ, 0)
		return
	}
	value := r.text(typ)
	if len(value) != 4 {
		return
	}
	bound := int32(binary.LittleEndian.Uint32(value)) // as it was written
	if id == most {
		c.most, c.bounded = bound, true
	} else {
		c.least, c.hasLeast = bound, true
	}
}
