package finoos

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Text that cannot be had, since no column takes it, reads as U+FFFD: what is not
// UTF-8, half of a surrogate pair, and NUL. Each member of a record of which
// something was replaced is counted.

const replacement = "\uFFFD"

// oddities counts what of a record is not what it should be.
type oddities struct {
	unreadable int
	replaced   int // members
}

// repaired is a text with U+FFFD for each run of bytes that are not UTF-8, and
// where these stand in it.
func repaired(b []byte) (text []byte, at []int) {
	text = make([]byte, 0, len(b)+len(replacement)+2)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError || size > 1 {
			text = append(text, b[i:i+size]...)
			i += size
			continue
		}
		at = append(at, len(text))
		text = append(text, replacement...)
		for i < len(b) && size == 1 && r == utf8.RuneError {
			i++
			r, size = utf8.DecodeRune(b[i:])
		}
	}
	return text, at
}

// shown tells d where the text that it is shown was repaired.
func (d *recordDecoder) shown(text []byte, repairs []int) {
	d.repaired, d.repairs, d.asked, d.size = len(repairs) > 0, repairs, 0, cap(text)
}

// passRepairs reports whether there was something to repair in front of b[end]
// that nobody has asked for yet. b is shown text, or what it ends with.
func (d *recordDecoder) passRepairs(b []byte, end int) bool {
	before, end := d.asked, end+d.size-cap(b)
	for d.asked < len(d.repairs) && d.repairs[d.asked] < end {
		d.asked++
	}
	return d.asked > before
}

// countReplaced counts the member that ends in front of b[end], if something of
// it was replaced.
func (d *recordDecoder) countReplaced(b []byte, end int) {
	if d.repaired && d.passRepairs(b, end) || d.extra.replaced {
		d.odd.replaced++
		d.extra.replaced = false
	}
}

// asOne has what decode replaces count as one member, which the caller counts.
func (d *recordDecoder) asOne(decode func() error) error {
	asked, replaced := d.asked, d.odd.replaced
	err := decode()
	d.asked, d.odd.replaced = asked, replaced
	return err
}

// mendable reports whether a text holds an escape that says what cannot be had.
func (v value) mendable() bool { return v.form&escaped != 0 && badEscape(v.raw, 0) >= 0 }

const escapeSize = len(`\u0000`)

// badEscape returns the place of the first escape at or after i that says NUL or
// half of a surrogate pair, -1 if there is none. raw is a string.
func badEscape(raw []byte, i int) int {
	for {
		next := bytes.IndexByte(raw[i:], '\\')
		if next < 0 {
			return -1
		}
		i += next
		if raw[i+1] != 'u' {
			i += 2
			continue
		}
		switch r := hexOf(raw[i+2:]); {
		case r == 0, isLow(r):
			return i
		case r >= 0xd800 && r < 0xdc00:
			after := raw[i+escapeSize:]
			if after[0] != '\\' || after[1] != 'u' || !isLow(hexOf(after[2:])) {
				return i
			}
			i += escapeSize
		}
		i += escapeSize
	}
}

func isLow(r int) bool { return r >= 0xdc00 && r < 0xe000 }

// hexOf reads four hexadecimal digits.
func hexOf(b []byte) (r int) {
	for _, c := range b[:4] {
		switch r *= 16; {
		case isDigit(c):
			r += int(c - '0')
		default:
			r += int(c|0x20-'a') + 10
		}
	}
	return r
}

// appendMended appends a string without such escapes.
func appendMended(dst, raw []byte) []byte {
	start := 0
	for at := badEscape(raw, 0); at >= 0; at = badEscape(raw, start) {
		dst = append(append(dst, raw[start:at]...), replacement...)
		start = at + escapeSize
	}
	return append(dst, raw[start:]...)
}

// mendedText is the text of a string as columns take it.
func (v value) mendedText() []byte {
	text := v.appendText(nil)
	if slices.Contains(text, 0) {
		return bytes.ReplaceAll(text, []byte{0}, []byte(replacement))
	}
	return text
}
