package finoos

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// This file and json_syntax.go are the only ones that know JSON's grammar, that of
// RFC 8259. Scanners take a text and a place in it, and tell where what begins
// there ends; where that is no JSON, they tell the place of the first byte that
// is wrong, and not ok.
//
// A text ends in endMark, which JSON allows nowhere: so a scanner may look at
// the next byte without asking whether there is one, and of what is cut off
// the mark itself is the first byte that is wrong. What has been checked before
// needs no mark, for no scanner looks behind a closing quote or bracket.

const endMark = 0

// maxNesting is how deeply an answer may be nested, whatever it holds.
const maxNesting = 10_000

// maxPassed is how deeply what is only passed by may be nested.
const maxPassed = 1 << 20

// Eight bytes at a time: each of these has one bit a byte.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plainEnd returns the place of the first byte at or after i that is not just
// a character of a string: a quote, a backslash, a control character or a byte
// beyond ASCII.
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		word := binary.LittleEndian.Uint64(b[i:])
		// The high bit of a byte is set below if it was set before, or if what
		// is taken from it is more than there is. A quote with its second bit
		// turned is a space, and control characters stay what they are: so one
		// subtraction finds both. Only what stands above the first byte found
		// may be wrong, for that one has borrowed from it.
		quotes, escapes := word^(lowBits*0x02), word^(lowBits*'\\')
		if found := (word | (quotes - lowBits*0x21) | (escapes - lowBits)) & highBits; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && ' ' <= b[i] && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// stringEnd returns where the string that begins at b[i] ends.
func stringEnd(b []byte, i int) (end int, f form, ok bool) {
	start := i
	for beyond := false; ; {
		i = plainEnd(b, i+1)
		switch c := b[i]; {
		case c == '"':
			if beyond && !utf8.Valid(b[start:i]) {
				f |= miscoded
			}
			return i + 1, f, true
		case c == '\\':
			f |= escaped
			if i, ok = escapeEnd(b, i); !ok {
				return i, f, false
			}
		case c >= utf8.RuneSelf:
			beyond = true
		default:
			return i, f, false
		}
	}
}

// escapeEnd returns the last byte of the escape that begins at b[i]. Halves of
// surrogates need no other half: they read as U+FFFD.
func escapeEnd(b []byte, i int) (last int, ok bool) {
	i++
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i, true
	case 'u':
		for range 4 {
			if i++; !isHex(b[i]) {
				return i, false
			}
		}
		return i, true
	}
	return i, false
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// numberEnd returns where the number that begins at b[i] ends. One that the
// text ends with may be cut off.
func numberEnd(b []byte, i int) (end int, ok bool) {
	if b[i] == '-' {
		i++
	}
	if b[i] == '0' {
		i++
	} else if i, ok = digitsEnd(b, i); !ok {
		return i, false
	}
	if b[i] == '.' {
		if i, ok = digitsEnd(b, i+1); !ok {
			return i, false
		}
	}
	if b[i] == 'e' || b[i] == 'E' {
		if i++; b[i] == '+' || b[i] == '-' {
			i++
		}
		if i, ok = digitsEnd(b, i); !ok {
			return i, false
		}
	}
	return i, b[i] != endMark || i+1 < len(b)
}

// digitsEnd returns where the digits at b[i] end; there must be one.
func digitsEnd(b []byte, i int) (end int, ok bool) {
	start := i
	for isDigit(b[i]) {
		i++
	}
	return i, i > start
}

// wordEnd returns where the word that should begin at b[i] ends.
func wordEnd(b []byte, i int, word string) (end int, ok bool) {
	for j := range len(word) {
		if b[i] != word[j] {
			return i, false
		}
		i++
	}
	return i, true
}

// scalarEnd returns where the string, number or literal that begins at b[i] ends.
func scalarEnd(b []byte, i int) (end int, f form, ok bool) {
	if b[i] == '"' {
		return stringEnd(b, i)
	}
	end, ok = literalEnd(b, i)
	return end, 0, ok
}

// literalEnd returns where the number or literal that begins at b[i] ends.
func literalEnd(b []byte, i int) (end int, ok bool) {
	switch b[i] {
	case 't':
		return wordEnd(b, i, "true")
	case 'f':
		return wordEnd(b, i, "false")
	case 'n':
		return wordEnd(b, i, "null")
	}
	return numberEnd(b, i)
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// skipSpace returns the place of the first byte at or after i that is no space.
func skipSpace(b []byte, i int) int {
	for b[i] <= ' ' && isSpace(b[i]) { // as a rule there is none
		i++
	}
	return i
}

// colonEnd passes by the colon that should be the next token at or after i, and
// returns where the value begins.
func colonEnd(b []byte, i int) (at int, ok bool) {
	if i = skipSpace(b, i); b[i] != ':' {
		return i, false
	}
	return skipSpace(b, i+1), true
}

// following returns where the next member or item begins behind one that ends
// at i, or the place of the closing bracket.
func following(b []byte, i int, closing byte) (at int, ok bool) {
	switch i = skipSpace(b, i); b[i] {
	case closing:
		return i, true
	case ',':
		i = skipSpace(b, i+1)
		return i, b[i] != closing
	}
	return i, false
}

// nameAt is the name that should begin at b[i]. What comes behind its colon
// begins at at.
func nameAt(b []byte, i int) (name value, at int, ok bool) {
	if b[i] != '"' {
		return value{}, i, false
	}
	end, f, ok := stringEnd(b, i)
	if !ok || f&miscoded != 0 {
		return value{}, end, false
	}
	at, ok = colonEnd(b, end)
	return value{b[i:end], f}, at, ok
}

// scalarAt is the string, number or literal that should begin at b[i].
func scalarAt(b []byte, i int) (v value, end int, ok bool) {
	var f form
	if b[i] == '"' {
		end, f, ok = stringEnd(b, i)
	} else {
		end, ok = literalEnd(b, i)
	}
	if !ok || f&miscoded != 0 {
		return value{}, end, false
	}
	return value{b[i:end], f}, end, true
}
