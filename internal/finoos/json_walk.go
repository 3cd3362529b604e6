package finoos

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// value is one JSON value whose syntax has been checked, in valid UTF-8 and
// without space around it. So where it and what is in it end is plain.
type value struct {
	raw  []byte // as spelled
	form form   // of a string
}

// form is what a string's characters are, beside plain ones.
type form uint8

const (
	escaped  form = 1 << iota // some are escapes
	miscoded                  // some are not UTF-8
)

// The kinds of values, by their first byte; any number is kindNumber.
const (
	kindNull   = 'n'
	kindString = '"'
	kindNumber = '0'
	kindObject = '{'
	kindArray  = '['
)

// valueAt is the value that begins at b[i] and has been checked.
func valueAt(b []byte, i int) (v value, end int) {
	if b[i] == '{' || b[i] == '[' {
		end = bracketEnd(b, i)
		return value{raw: b[i:end]}, end
	}
	end, f, _ := scalarEnd(b, i)
	return value{b[i:end], f}, end
}

func (v value) kind() byte {
	if len(v.raw) == 0 {
		return kindNull
	}
	if c := v.raw[0]; c != '-' && !isDigit(c) {
		return c // 't' and 'f' are the booleans
	}
	return kindNumber
}

// says reports whether v says anything: null and "" mean "not known".
func (v value) says() bool {
	return len(v.raw) > 0 && v.raw[0] != kindNull && (v.raw[0] != kindString || len(v.raw) > 2)
}

// text is what a string says, and the literal as spelled of anything else.
func (v value) text() string {
	if v.form == 0 {
		return string(v.plain())
	}
	return string(v.appendText(nil))
}

// plain is the text of what holds no escapes.
func (v value) plain() []byte {
	if len(v.raw) > 0 && v.raw[0] == kindString {
		return v.raw[1 : len(v.raw)-1]
	}
	return v.raw
}

func (v value) appendText(dst []byte) []byte {
	if v.form == 0 {
		return append(dst, v.plain()...)
	}
	// The error would be a lone surrogate, which reads as U+FFFD.
	dst, _ = jsontext.AppendUnquote(dst, v.raw)
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
	start := 0 // of what is not yet appended
	for i := 0; i < len(v.raw); {
		switch c := v.raw[i]; {
		case c == '"':
			i, _, _ = stringEnd(v.raw, i)
		case isSpace(c):
			dst = append(dst, v.raw[start:i]...)
			i++
			start = i
		default:
			i++
		}
	}
	return append(dst, v.raw[start:]...)
}

// members walks the members of an object:
//
//	for m := v.members(); m.next(); { … m.name … m.value … }
type members struct {
	rest        []byte // from the bracket or the comma before the next member
	name, value value
}

func (v value) members() members { return members{rest: v.brackets(kindObject)} }

func (m *members) next() bool {
	i := skipBetween(m.rest, 0)
	if i >= len(m.rest) || m.rest[i] == '}' {
		return false
	}
	m.name, i = valueAt(m.rest, i)
	m.value, i = valueAt(m.rest, skipBetween(m.rest, i))
	m.rest = m.rest[i:]
	return true
}

// items walks the items of an array, as members does an object's.
type items struct {
	rest  []byte
	value value
}

func (v value) items() items { return items{rest: v.brackets(kindArray)} }

func (a *items) next() bool {
	i := skipBetween(a.rest, 0)
	if i >= len(a.rest) || a.rest[i] == ']' {
		return false
	}
	a.value, i = valueAt(a.rest, i)
	a.rest = a.rest[i:]
	return true
}

// brackets is what stands behind the opening bracket of v, nothing if v is no
// such value.
func (v value) brackets(kind byte) []byte {
	if v.kind() != kind {
		return nil
	}
	return v.raw[1:]
}

// skipBetween returns the start of the first token at or after i, in what has
// been checked.
func skipBetween(b []byte, i int) int {
	for i < len(b) && (isSpace(b[i]) || b[i] == ',' || b[i] == ':') {
		i++
	}
	return i
}

// bracketEnd returns where the object or array that begins at b[i] ends.
func bracketEnd(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i, _, _ = stringEnd(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}
