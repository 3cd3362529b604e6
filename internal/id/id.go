// Package id says what an id may look like, for those who read ids from the API
// and for those who read them from the bucket alike: what the one side lets in
// the other does not refuse.
package id

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Max is the length of the longest id, in bytes: what an object key and a column
// of every warehouse can hold.
const Max = 1024

// Valid reports whether s is an id: 1 to [Max] bytes of UTF-8 without a control
// character (NUL, line breaks, DEL, U+0080 to U+009F).
//
// U+FFFD is a character like any other here, since an API may send it as it is.
// Who puts it in the place of bytes that could not be read has made two ids into
// one, and refuses such an id itself.
func Valid(s string) bool {
	if s == "" || len(s) > Max {
		return false
	}
	for i := range len(s) { // as a rule all is ASCII
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return utf8.ValidString(s[i:]) && !strings.ContainsFunc(s[i:], unicode.IsControl)
		case c < ' ' || c == 0x7f:
			return false
		}
	}
	return true
}
