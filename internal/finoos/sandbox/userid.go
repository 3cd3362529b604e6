package sandbox

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// A user's id is a UUID that hides its index: the first 48 bits are the index
// under a permutation chosen by the seed, the rest a check. So an id leads
// back to its user without a table of a million of them.
const (
	mask48 = 1<<48 - 1
	odd1   = 0x9e3779b97f4b
	odd2   = 0xbf58476d1ce5
)

type userIDs struct {
	seed   dice
	form   string // Readings.UserIDs
	offset uint64
	inv1   uint64
	inv2   uint64
}

func newUserIDs(seed dice) userIDs {
	return userIDs{
		seed: seed, offset: uint64(seed.on("user id")) & mask48,
		inv1: inverse(odd1), inv2: inverse(odd2),
	}
}

// inverse is the multiplicative inverse of an odd number modulo 2^64, by
// Newton's iteration; it holds modulo 2^48 as well.
func inverse(a uint64) uint64 {
	x := a
	for range 6 {
		x *= 2 - a*x
	}
	return x
}

func (u userIDs) id(index int) string {
	x := (uint64(index)*odd1 + u.offset) & mask48 // indices are not negative
	x ^= x >> 24
	x = x * odd2 & mask48
	x ^= x >> 24
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], x<<16|u.check(index)>>48)
	binary.BigEndian.PutUint64(b[8:], u.check(index))
	return u.shape(x, uuidText(b))
}

func (u userIDs) check(index int) uint64 { return uint64(u.seed.on("check", index)) }

// index leads from an id to its user; false for an id that was never given.
func (u userIDs) index(id string) (int, bool) {
	x, known := u.hidden(id)
	if !known {
		raw, err := hex.DecodeString(strings.ReplaceAll(id[:min(len(id), 36)], "-", ""))
		if err != nil || len(raw) != 16 {
			return 0, false
		}
		x = binary.BigEndian.Uint64(raw) >> 16
	}
	x ^= x >> 24
	x = x * u.inv2 & mask48
	x ^= x >> 24
	i := int((x - u.offset) * u.inv1 & mask48)
	return i, u.id(i) == id
}
