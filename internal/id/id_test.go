package id

import (
	"strings"
	"testing"
)

func TestAnIDIsShortTextWithoutControlCharacters(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"u1":                             true,
		"0f8fad5b-d9cb-469f-a165-708677": true,
		"a b/c?d=é%20\u65e5":             true,
		" ":                              true,
		"\ufffd":                         true, // sent as it is
		"a\u200bb":                       true, // invisible, and no control character
		strings.Repeat("x", Max):         true,

		"":                               false,
		strings.Repeat("x", Max+1):       false,
		strings.Repeat("é", Max/2) + "x": false, // bytes count, not characters
		"a\x00":                          false,
		"a\nb":                           false,
		"\tb":                            false,
		"a\x7f":                          false,
		"a\u0085b":                       false,
		"a\xffb":                         false, // no UTF-8
		"\xed\xa0\x80":                   false, // half a surrogate pair
	} {
		if got := Valid(s); got != want {
			t.Errorf("Valid(%.40q) = %v, want %v", s, got, want)
		}
	}
}
