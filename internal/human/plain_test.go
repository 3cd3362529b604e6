package human

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestForeignTextMovesNothingOnATerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Müller & Söhne":        "Müller & Söhne",
		"a\x1b[2Jb\r\nc":        `a\x1b[2Jb\r\nc`,
		"\u202eevil\u200b":      `\u202eevil\u200b`,
		"half \xff of it":       `half \xff of it`,
		"as it is: \uFFFD":      "as it is: \uFFFD",
		strings.Repeat("x", 60): strings.Repeat("x", 40) + "…",
	} {
		if got := Plain(text, 40); got != want {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	}
}

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
