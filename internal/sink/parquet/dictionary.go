package parquet

import (
	"bytes"
	"hash/maphash"
)

// dictionary numbers strings in the order in which they are first seen. It is
// a hash table with open addressing over one block of bytes, so that it can be
// emptied and filled again without allocating.
type dictionary struct {
	seed    maphash.Seed
	table   []int32 // number + 1 of the string at that place, 0 if none
	data    []byte
	offsets []int32 // where string i begins; one more is the end of the last

	// Rows of one pull repeat what the row before had, mostly the very same
	// text, which is told at a glance.
	last       int32
	lastString string
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
	d.last, d.lastString = -1, ""
}

func (d *dictionary) entries() int { return len(d.offsets) - 1 }

func (d *dictionary) value(i int32) []byte {
	return d.data[d.offsets[i]:d.offsets[i+1]:d.offsets[i+1]]
}

// number returns the number of a string, and by how many bytes the dictionary
// grew for it.
func (d *dictionary) number(s string) (number int32, grown int64) {
	if d.last >= 0 && d.lastString == s {
		return d.last, 0
	}
	d.lastString = s
	i := d.find(s)
	if d.table[i] == 0 {
		grown = d.insert(i, s)
		d.last = int32(d.entries() - 1) // bounded by the memory of a row group and one row
		return d.last, grown
	}
	d.last = d.table[i] - 1
	return d.last, 0
}

// find returns the place of a string, or the free one where it would go.
func (d *dictionary) find(s string) uint64 {
	mask := uint64(len(d.table) - 1) // a power of two
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
	d.offsets = append(d.offsets, int32(len(d.data))) // bounded by the memory of a row group and one row
	d.table[i] = int32(d.entries())                   // bounded likewise
	if 2*d.entries() > len(d.table) {
		d.table = make([]int32, 2*len(d.table))
		for n := range int32(d.entries()) { // bounded likewise
			i := maphash.Bytes(d.seed, d.value(n)) & uint64(len(d.table)-1) // a power of two
			for d.table[i] != 0 {
				i = (i + 1) & uint64(len(d.table)-1) // a power of two
			}
			d.table[i] = n + 1
		}
	}
	return offset + places + int64(len(s))
}

// bounds returns the smallest and the greatest string.
func (d *dictionary) bounds() (least, most []byte) {
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
