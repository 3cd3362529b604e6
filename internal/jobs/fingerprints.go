package jobs

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
)

// Fingerprints are what a cursor remembers of the records it has seen, so
// that the next pull writes only those that differ: for each key the
// finoos.Record.Hash. They are encoded as a version byte, a count, and for
// each key in order its length, its bytes and eight bytes of hash.
//
// The encodings of this file are opaque to the sink; a state that cannot be
// decoded makes the next pull a full one.

const stateVersion = 1

var errState = errors.New("the cursor's state cannot be decoded")

// keyed maps the key of a record to its hash.
type keyed map[string]uint64

func (k keyed) appendTo(b []byte) []byte {
	keys := keysInOrder(k)
	b = binary.AppendUvarint(growFor(b, keys), uint64(len(k)))
	for _, key := range keys {
		b = appendString(b, key)
		b = binary.LittleEndian.AppendUint64(b, k[key])
	}
	return b
}

// keysInOrder returns the keys of a map in order.
func keysInOrder[V any](m map[string]V) []string {
	keys := slices.AppendSeq(make([]string, 0, len(m)), maps.Keys(m))
	slices.Sort(keys)
	return keys
}

// growFor makes room for keys and what stands beside each.
func growFor(b []byte, keys []string) []byte {
	const beside = 2 + binary.MaxVarintLen32 + 8
	n := binary.MaxVarintLen64
	for _, key := range keys {
		n += len(key) + beside
	}
	return slices.Grow(b, n)
}

func (k keyed) encode() []byte { return k.appendTo([]byte{stateVersion}) }

func decodeKeyed(state []byte) (keyed, error) {
	d := newDecoder(state)
	k := d.keyed()
	return k, d.end()
}

// decoder reads what the encode methods wrote. The first failure sticks.
type decoder struct {
	b    []byte
	text string // ends in b, for strings that need no memory of their own; or ""
	bad  bool
}

func newDecoder(state []byte) *decoder {
	d := &decoder{b: state}
	if d.byte() != stateVersion {
		d.bad = true
	}
	return d
}

func (d *decoder) end() error {
	if d.bad || len(d.b) > 0 {
		return errState
	}
	return nil
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); len(b) == 4 {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) string() string {
	b := d.take(d.uvarint())
	if d.text == "" {
		return string(b)
	}
	end := len(d.text) - len(d.b)
	return d.text[end-len(b) : end]
}

// count reads a number of items of at least size bytes each, so that a
// damaged state cannot ask for more memory than it has bytes.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > math.MaxInt32 || int(n) > len(d.b)/size {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) keyed() keyed {
	n := d.count(9)
	k := make(keyed, n)
	for range n {
		key := d.string()
		k[key] = d.uint64()
	}
	return k
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// booked is the fingerprint of a transaction: days is its booking date in
// days since 1970, or noDate.
type booked struct {
	days int32
	hash uint64
}

const noDate = int32(-1 << 31)

// window is what the cursor of transactions remembers: the newest booking
// date of each account (noDate where it has none), and the transactions that
// the next pull's window can reach.
type window struct {
	newest map[string]int32
	seen   map[string]booked
}

func (w window) encode() []byte {
	b := binary.AppendUvarint([]byte{stateVersion}, uint64(len(w.newest)))
	for _, account := range keysInOrder(w.newest) {
		b = appendString(b, account)
		b = binary.AppendVarint(b, int64(w.newest[account]))
	}
	ids := keysInOrder(w.seen)
	b = binary.AppendUvarint(growFor(b, ids), uint64(len(ids)))
	for _, id := range ids {
		b = appendString(b, id)
		b = binary.AppendVarint(b, int64(w.seen[id].days))
		b = binary.LittleEndian.AppendUint64(b, w.seen[id].hash)
	}
	return b
}

func decodeWindow(state []byte) (window, error) {
	d := newDecoder(state)
	n := d.count(2)
	w := window{newest: make(map[string]int32, n)}
	for range n {
		account := d.string()
		w.newest[account] = int32(d.varint()) //nolint:gosec // written from an int32
	}
	n = d.count(10)
	w.seen = make(map[string]booked, n)
	for range n {
		id := d.string()
		days := int32(d.varint()) //nolint:gosec // written from an int32
		w.seen[id] = booked{days: days, hash: d.uint64()}
	}
	return w, d.end()
}

// month is the fingerprint of one account's balances of one month: which
// days it had, and the sum of their hashes. days holds a hash for each day
// where a later answer may have lost the month's first days to the sliding
// window, so that what is left can still be compared; else it is nil.
type month struct {
	bitmap uint32
	hash   uint64
	days   map[int]uint32
}

// monthKey counts months since year 0.
type monthKey struct {
	account string
	month   int32
}

// history is what the cursor of account_history remembers.
type history map[monthKey]month

func (h history) encode() []byte {
	keys := slices.SortedFunc(maps.Keys(h), func(a, b monthKey) int {
		if a.account != b.account {
			if a.account < b.account {
				return -1
			}
			return 1
		}
		return int(a.month - b.month)
	})
	b := binary.AppendUvarint([]byte{stateVersion}, uint64(len(keys)))
	for _, k := range keys {
		m := h[k]
		b = appendString(b, k.account)
		b = binary.AppendVarint(b, int64(k.month))
		b = binary.LittleEndian.AppendUint32(b, m.bitmap)
		b = binary.LittleEndian.AppendUint64(b, m.hash)
		b = binary.AppendUvarint(b, uint64(len(m.days)))
		for _, day := range slices.Sorted(maps.Keys(m.days)) {
			b = append(b, byte(day)) //nolint:gosec // a day of a month
			b = binary.LittleEndian.AppendUint32(b, m.days[day])
		}
	}
	return b
}

func decodeHistory(state []byte) (history, error) {
	d := newDecoder(state)
	n := d.count(15)
	h := make(history, n)
	for range n {
		k := monthKey{account: d.string()}
		k.month = int32(d.varint()) //nolint:gosec // written from an int32
		m := month{bitmap: d.uint32(), hash: d.uint64()}
		if days := d.count(5); days > 0 {
			m.days = make(map[int]uint32, days)
			for range days {
				day := int(d.byte())
				m.days[day] = d.uint32()
			}
		}
		h[k] = m
	}
	return h, d.end()
}
