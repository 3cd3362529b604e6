package human

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLinesAreNoWiderThanTheyMayBe(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("some words, größere auch, ", 30)
	lines := Wrap(text, 40)
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 40 || n < 20 {
			t.Errorf("%d characters: %s", n, l)
		}
	}
	if got := strings.Join(lines, " "); got != strings.TrimSpace(text) {
		t.Errorf("got %q", got)
	}
	if got := Wrap("a "+strings.Repeat("x", 50)+" b", 40); !slices.Equal(got, []string{"a", strings.Repeat("x", 50), "b"}) {
		t.Errorf("got %q", got)
	}
}
