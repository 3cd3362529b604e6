package finoos

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// value is one JSON value whose syntax has been checked, in valid UTF-8 and
// without space around it. Walking it needs no second parser: where a value
// ends is plain from its first byte.
type value []byte

// The kinds of values, by their first byte; any number is kindNumber.
const (
	kindNull   = 'n'
	kindString = '"'
	kindNumber = '0'
	kindObject = '{'
	kindArray  = '['
)

func (v value) kind() byte {
	if len(v) == 0 {
		return kindNull
	}
	if v[0] == '-' || (v[0] >= '0' && v[0] <= '9') {
		return kindNumber
	}
	return v[0] // 't' and 'f' are the booleans
}

// says reports whether v says anything: null and "" mean "not known".
func (v value) says() bool {
	return v.kind() != kindNull && (v[0] != kindString || len(v) > 2)
}

// text is what a string says, and the literal as spelled of anything else.
func (v value) text() string {
	if v.kind() != kindString {
		return string(v)
	}
	if v.isPlain() {
		return string(v[1 : len(v)-1])
	}
	return string(v.appendText(nil))
}

// isPlain reports whether a string holds no escapes.
func (v value) isPlain() bool { return bytes.IndexByte(v, '\\') < 0 }

func (v value) appendText(dst []byte) []byte {
	if v.kind() != kindString {
		return append(dst, v...)
	}
	if v.isPlain() {
		return append(dst, v[1:len(v)-1]...)
	}
	// The error would be a lone surrogate, which reads as U+FFFD.
	dst, _ = jsontext.AppendUnquote(dst, v)
	return dst
}

// appendLower appends the lower-cased text of a member's name.
func (v value) appendLower(dst []byte) []byte {
	start := len(dst)
	dst = v.appendText(dst)
	for i, b := range dst[start:] {
		if b >= utf8.RuneSelf {
			return append(dst[:start], bytes.ToLower(dst[start:])...)
		}
		if 'A' <= b && b <= 'Z' {
			dst[start+i] = b + 'a' - 'A'
		}
	}
	return dst
}

// appendCompact appends v without the space between its tokens.
func (v value) appendCompact(dst []byte) []byte {
	for i := 0; i < len(v); {
		switch {
		case v[i] == '"':
			end := stringEnd(v, i)
			dst = append(dst, v[i:end]...)
			i = end
		case isSpace(v[i]):
			i++
		default:
			dst = append(dst, v[i])
			i++
		}
	}
	return dst
}

// members walks the members of an object:
//
//	for m := v.members(); m.next(); { … m.name … m.value … }
type members struct {
	rest        []byte
	name, value value
}

func (v value) members() members { return members{rest: inside(v, kindObject)} }

func (m *members) next() bool {
	i := skipBetween(m.rest, 0)
	if i >= len(m.rest) {
		return false
	}
	end := valueEnd(m.rest, i)
	m.name = m.rest[i:end]
	i = skipBetween(m.rest, end)
	end = valueEnd(m.rest, i)
	m.value = m.rest[i:end]
	m.rest = m.rest[end:]
	return true
}

// items walks the items of an array, as members does an object's.
type items struct {
	rest  []byte
	value value
}

func (v value) items() items { return items{rest: inside(v, kindArray)} }

func (a *items) next() bool {
	i := skipBetween(a.rest, 0)
	if i >= len(a.rest) {
		return false
	}
	end := valueEnd(a.rest, i)
	a.value = a.rest[i:end]
	a.rest = a.rest[end:]
	return true
}

// inside is what stands between the brackets of v, nothing if v is no such value.
func inside(v value, kind byte) []byte {
	if v.kind() != kind || len(v) < 2 {
		return nil
	}
	return v[1 : len(v)-1]
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// skipBetween returns the start of the first token at or after i.
func skipBetween(b []byte, i int) int {
	for i < len(b) && (isSpace(b[i]) || b[i] == ',' || b[i] == ':') {
		i++
	}
	return i
}

// valueEnd returns where the value that starts at i ends.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return bracketEnd(b, i)
	}
	for i < len(b) && !isSpace(b[i]) && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

func bracketEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			break
		}
	}
	return i
}

// Eight bytes at a time: each of these has one bit a byte.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// stringEnd returns where the string that starts at i ends.
func stringEnd(b []byte, i int) int {
	for i++; i+8 <= len(b); {
		word := binary.LittleEndian.Uint64(b[i:])
		quote, escape := word^('"'*lowBits), word^('\\'*lowBits)
		// The high bit of the first byte that is zero in either is set; what is
		// set above it does not matter.
		found := ((quote-lowBits)&^quote | (escape-lowBits)&^escape) & highBits
		if found == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(found) / 8
		if b[i] == '"' {
			return i + 1
		}
		i += 2
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
