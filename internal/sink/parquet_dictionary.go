package sink

import (
	"bytes"
	"errors"
	"hash/maphash"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

const (
	// A dictionary that has this many bytes or entries is full: readers hold
	// it in memory, and its numbers save little.
	dictionaryBytes   = 512 << 10
	dictionaryEntries = 16 << 10
)

// dictionary numbers strings in the order in which they are first seen. It is
// a hash table with open addressing over one block of bytes, so that it can be
// emptied and filled again without allocating.
type dictionary struct {
	seed    maphash.Seed
	table   []int32 // number + 1 of the string at that place, 0 if none
	data    []byte
	offsets []int32 // where string i begins; one more is the end of the last
	last    int32   // rows of one pull repeat what the row before had
}

func newDictionary() *dictionary {
	d := &dictionary{seed: maphash.MakeSeed(), table: make([]int32, 64), data: []byte{}}
	d.reset()
	return d
}

func (d *dictionary) reset() {
	clear(d.table)
	d.data = d.data[:0]
	d.offsets = append(d.offsets[:0], 0)
	d.last = -1
}

func (d *dictionary) entries() int { return len(d.offsets) - 1 }

func (d *dictionary) full() bool {
	return len(d.data) >= dictionaryBytes || d.entries() >= dictionaryEntries
}

func (d *dictionary) value(i int32) []byte {
	return d.data[d.offsets[i]:d.offsets[i+1]:d.offsets[i+1]]
}

// number returns the number of a string, and by how many bytes the dictionary
// grew for it.
func (d *dictionary) number(s string) (number int32, grown int64) {
	if d.last >= 0 && string(d.value(d.last)) == s {
		return d.last, 0
	}
	i := d.find(s)
	if d.table[i] == 0 {
		grown = d.insert(i, s)
		d.last = int32(d.entries() - 1) //nolint:gosec // at most a little above dictionaryEntries
		return d.last, grown
	}
	d.last = d.table[i] - 1
	return d.last, 0
}

// find returns the place of a string, or the free one where it would go.
func (d *dictionary) find(s string) uint64 {
	mask := uint64(len(d.table) - 1) //nolint:gosec // a power of two
	i := maphash.String(d.seed, s) & mask
	for d.table[i] != 0 && string(d.value(d.table[i]-1)) != s {
		i = (i + 1) & mask
	}
	return i
}

// insert puts a new string at a free place, and returns what it costs.
func (d *dictionary) insert(i uint64, s string) int64 {
	const offset, places = 4, 2 * 4 // the table is at most half full
	d.data = append(d.data, s...)
	d.offsets = append(d.offsets, int32(len(d.data))) //nolint:gosec // bounded by dictionaryBytes and one row
	d.table[i] = int32(d.entries())                   //nolint:gosec // bounded by dictionaryEntries and one row
	if 2*d.entries() > len(d.table) {
		d.table = make([]int32, 2*len(d.table))
		for n := range d.entries() {
			v := int32(n)
			d.table[d.find(string(d.value(v)))] = v + 1
		}
	}
	return offset + places + int64(len(s))
}

// bounds returns the smallest and the greatest string.
func (d *dictionary) bounds() (least, most parquet.ByteArray) {
	for i := range d.entries() {
		v := d.value(int32(i))
		if i == 0 || bytes.Compare(v, least) < 0 {
			least = v
		}
		if i == 0 || bytes.Compare(v, most) > 0 {
			most = v
		}
	}
	return least, most
}

// array returns the strings as the column writer takes them, without copying.
func (d *dictionary) array() arrow.Array {
	data := array.NewData(arrow.BinaryTypes.Binary, d.entries(),
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(d.offsets)), memory.NewBufferBytes(d.data)},
		nil, 0, 0)
	return array.NewBinaryData(data)
}

// writeRefs writes the slots below end as references into the dictionary.
func (b *textBuffer) writeRefs(w *file.ByteArrayColumnChunkWriter, end int, s *scratch) error {
	// The encoder's type is internal to the library, its method is not.
	encoder, ok := w.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error })
	if !ok {
		return errors.New("column writer has no dictionary")
	}
	values := b.dict.array()
	defer values.Release()
	if err := encoder.PutDictionary(values); err != nil {
		return err
	}
	least, most := b.dict.bounds()
	refs := b.refs
	for slot := 0; slot < end; {
		to := b.batchEnd(slot, end, nil)
		defs, reps, n := b.batchLevels(slot, to, s)
		// References are written past the statistics, so those are kept here.
		// A page's bounds are the whole dictionary's: wide, but never wrong.
		if stats, ok := w.PageStatistics().(*metadata.ByteArrayStatistics); ok && stats != nil {
			stats.IncNulls(int64(to - slot - n))
			stats.IncNumValues(int64(n))
			if n > 0 {
				stats.SetMinMax(least, most)
			}
		}
		if err := w.WriteDictIndices(b.refArray(refs[:n], defs, s), defs, reps); err != nil {
			return err
		}
		refs = refs[n:]
		slot = to
	}
	return nil
}

// refArray returns references as the column writer takes them: one for each
// slot with a bitmap of those that count where the column has nulls, only the
// values in lists and where nothing is null.
func (b *textBuffer) refArray(refs []int32, defs []int16, s *scratch) arrow.Array {
	var present *memory.Buffer
	nulls := 0
	if b.nulls && !b.lists && len(refs) < len(defs) {
		nulls = len(defs) - len(refs)
		refs = s.spread(refs, defs)
		present = memory.NewBufferBytes(s.present)
	}
	data := array.NewData(arrow.PrimitiveTypes.Int32, len(refs),
		[]*memory.Buffer{present, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(refs))}, nil, nulls, 0)
	return array.NewInt32Data(data)
}

// spread moves references to the slots that they belong to, and marks those.
func (s *scratch) spread(refs []int32, defs []int16) []int32 {
	s.refs = s.refs[:0]
	s.present = append(s.present[:0], make([]byte, (len(defs)+7)/8)...)
	for i, def := range defs {
		ref := int32(0)
		if def == levelValue {
			ref, refs = refs[0], refs[1:]
			s.present[i/8] |= 1 << (i % 8)
		}
		s.refs = append(s.refs, ref)
	}
	return s.refs
}
