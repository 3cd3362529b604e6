package sandbox

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// dice are all chance in here: a hash of the seed and of what is decided, so
// that every decision can be made again at any time, in any order, from
// nothing. No generator with a state could serve a million users that are
// not held in memory.
type dice uint64

// on rolls for one question, told apart by its name and any numbers.
func (d dice) on(what string, at ...int) dice {
	h := uint64(d)
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 0x100000001b3
	}
	h = mix(h)
	for _, n := range at {
		h = mix(h ^ uint64(n)*0x9e3779b97f4a7c15) // a hash takes any bits
	}
	return dice(mix(h))
}

// mix is the finaliser of splitmix64: every bit of x moves every bit of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below is a number from 0 to n-1.
func (d dice) below(n int) int {
	hi, _ := bits.Mul64(uint64(d), uint64(n)) // n is a length
	return int(hi)                            // hi < n
}

// between is an amount of cents from lo to hi, both included.
func (d dice) between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + int64(d.below(int(hi-lo+1)))
}

// chance is true with probability p.
func (d dice) chance(p float64) bool {
	return float64(d>>11)/(1<<53) < p
}

// pick chooses one of a list.
func pick[T any](d dice, list []T) T { return list[d.below(len(list))] }

// uuid looks like a random UUID.
func (d dice) uuid() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], mix(uint64(d)))
	binary.BigEndian.PutUint64(b[8:], mix(uint64(d)^0x5555555555555555))
	return uuidText(b)
}

func uuidText(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var t [36]byte
	hex.Encode(t[0:8], b[0:4])
	hex.Encode(t[9:13], b[4:6])
	hex.Encode(t[14:18], b[6:8])
	hex.Encode(t[19:23], b[8:10])
	hex.Encode(t[24:36], b[10:16])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}

// digits is a number of n digits, the first not 0.
func (d dice) digits(n int) string {
	b := make([]byte, n)
	h := uint64(d)
	for i := range b {
		h = mix(h)
		b[i] = '0' + byte(h%10)
	}
	if n > 0 && b[0] == '0' {
		b[0] = '7'
	}
	return string(b)
}
