package pull

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"finoos-syncer/internal/scratch"
)

// Fingerprints are what a cursor remembers of the records it has seen, so
// that the next pull writes only those that differ: for each key the
// finoos.Record.Hash. They are encoded as a version byte, a count, and for
// each key in order its length, its bytes and eight bytes of hash.
//
// The encodings of this file are opaque to the sink; a state that cannot be
// decoded makes the next pull a full one.

const stateVersion = 2

var errState = errors.New("the cursor's state cannot be decoded")

// keyed maps the key of a record to its hash.
type keyed map[string]uint64

func (k keyed) appendTo(b []byte) []byte {
	keys := keysInOrder(k)
	b = binary.AppendUvarint(growFor(b, keys), uint64(len(k)))
	for _, key := range keys {
		b = scratch.AppendString(b, key)
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
	d := stateReader(state)
	k := readKeyed(d)
	return k, atEnd(d)
}

// stateReader reads what the encode methods wrote.
func stateReader(state []byte) *scratch.Reader {
	d := scratch.NewReader(state)
	if d.Byte() != stateVersion {
		d.Fail()
	}
	return d
}

// atEnd says what is wrong with a state that has been read.
func atEnd(d *scratch.Reader) error {
	if d.Failed() || len(d.Rest()) > 0 {
		return errState
	}
	return nil
}

func readKeyed(d *scratch.Reader) keyed {
	n := d.Count(9)
	k := make(keyed, n)
	for range n {
		key := d.String()
		k[key] = d.Uint64()
	}
	return k
}

// booked is the fingerprint of a transaction: days is its booking date in
// days since 1970, or noDate.
type booked struct {
	days int32
	hash uint64
}

const noDate = int32(-1 << 31)

// bookings are the fingerprints of transactions, by account and id: banks repeat
// ids across a user's accounts.
type bookings map[string]map[string]booked

func (b bookings) get(account, id string) (before booked, known bool) {
	before, known = b[account][id]
	return before, known
}

// window is what the cursor of transactions remembers: the newest booking date
// of each account (noDate where it has none), the transactions that the next
// pull's window can reach, and the way in which a window was to be had.
type window struct {
	newest map[string]int32
	seen   bookings // no account but those of newest
	route
}

// encode writes the way and its day, a count, and for each account in order its
// id, its newest booking, a count, and for each transaction its id, day and hash.
func (w window) encode() []byte {
	b := binary.AppendVarint([]byte{stateVersion, byte(w.way)}, int64(w.since))
	b = binary.AppendUvarint(b, uint64(len(w.newest)))
	for _, account := range keysInOrder(w.newest) {
		b = scratch.AppendString(b, account)
		b = binary.AppendVarint(b, int64(w.newest[account]))
		seen := w.seen[account]
		ids := keysInOrder(seen)
		b = binary.AppendUvarint(growFor(b, ids), uint64(len(ids)))
		for _, id := range ids {
			b = scratch.AppendString(b, id)
			b = binary.AppendVarint(b, int64(seen[id].days))
			b = binary.LittleEndian.AppendUint64(b, seen[id].hash)
		}
	}
	return b
}

func decodeWindow(state []byte) (window, error) {
	d := stateReader(state)
	w := window{route: route{way: way(d.Byte()), since: int32(d.Varint())}} // written from an int32
	if w.way > wayFull {
		d.Fail()
	}
	n := d.Count(3)
	w.newest, w.seen = make(map[string]int32, n), make(bookings, n)
	for range n {
		account := d.String()
		w.newest[account] = int32(d.Varint()) // written from an int32
		if n := d.Count(10); n > 0 {
			seen := make(map[string]booked, n)
			for range n {
				id := d.String()
				days := int32(d.Varint()) // written from an int32
				seen[id] = booked{days: days, hash: d.Uint64()}
			}
			w.seen[account] = seen
		}
	}
	return w, atEnd(d)
}

// RememberedTransactions are the ids that a cursor of transactions remembers.
func RememberedTransactions(state []byte) ([]string, error) {
	w, err := decodeWindow(state)
	var ids []string
	for _, seen := range w.seen {
		ids = append(ids, keysInOrder(seen)...)
	}
	slices.Sort(ids)
	return ids, err
}

// series is what has one balance a day.
type series struct{ account, currency string }

// month is the fingerprint of the balances of one month of a series: which
// days it had, and the sum of their hashes. days holds a hash for each day
// where a later answer may have lost the month's first days to the sliding
// window, so that what is left can still be compared; else it is nil.
//
// beyond are days that were there, and lie behind the last of the answer, or in one
// of which not all days can be read: not missing as long as no other one says so.
type month struct {
	bitmap uint32 // without the lowest bit
	beyond uint32
	hash   uint64
	days   map[int]uint32
}

// andBeyond says that a bitmap is followed by that of the days beyond.
const andBeyond = 1

// monthKey counts months since year 0.
type monthKey struct {
	series

	month int32
}

// history is what the cursor of account_history remembers.
type history map[monthKey]month

func (h history) encode() []byte {
	keys := keysOfMonths(h)
	b := binary.AppendUvarint([]byte{stateVersion}, uint64(len(keys)))
	for _, k := range keys {
		m := h[k]
		b = scratch.AppendString(scratch.AppendString(b, k.account), k.currency)
		b = binary.AppendVarint(b, int64(k.month))
		if m.beyond == 0 {
			b = binary.LittleEndian.AppendUint32(b, m.bitmap)
		} else {
			b = binary.LittleEndian.AppendUint32(b, m.bitmap|andBeyond)
			b = binary.LittleEndian.AppendUint32(b, m.beyond)
		}
		b = binary.LittleEndian.AppendUint64(b, m.hash)
		b = binary.AppendUvarint(b, uint64(len(m.days)))
		for _, day := range slices.Sorted(maps.Keys(m.days)) {
			b = append(b, byte(day)) // a day of a month
			b = binary.LittleEndian.AppendUint32(b, m.days[day])
		}
	}
	return b
}

func decodeHistory(state []byte) (history, error) {
	d := stateReader(state)
	n := d.Count(16)
	h := make(history, n)
	for range n {
		k := monthKey{series: series{account: d.String(), currency: d.String()}}
		k.month = int32(d.Varint()) // written from an int32
		m := month{bitmap: d.Uint32()}
		if m.bitmap&andBeyond != 0 {
			m.bitmap, m.beyond = m.bitmap&^andBeyond, d.Uint32()
		}
		m.hash = d.Uint64()
		if days := d.Count(5); days > 0 {
			m.days = make(map[int]uint32, days)
			for range days {
				day := int(d.Byte())
				m.days[day] = d.Uint32()
			}
		}
		h[k] = m
	}
	return h, atEnd(d)
}
