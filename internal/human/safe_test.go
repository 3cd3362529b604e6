package human

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"
)

func TestWhatATerminalWouldObeyIsShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, Łódź, 東京, 👩‍👩‍👧, a\tb\n":         "plain, Łódź, 東京, 👩‍👩‍👧, a\tb\n",
		"\x1b[2J\x1b]0;title\x07":                `\u001b[2J\u001b]0;title\u0007`,
		"done\rfailed":                           `done\u000dfailed`,
		"\u009b31m":                              `\u009b31m`,
		"user\u202egnp.exe":                      `user\u202egnp.exe`,
		"two\u2028lines":                         `two\u2028lines`,
		"not utf-8: \xff\xc3":                    `not utf-8: \ufffd\ufffd`,
		"hidden \U000e0041":                      `hidden \udb40\udc41`,
		"\u00adsoft hyphens and \u200cjoiners":   "\u00adsoft hyphens and \u200cjoiners",
		strings.Repeat("a", 5000) + "\b\b\b\x7f": strings.Repeat("a", 5000) + `\u0008\u0008\u0008\u007f`,
	} {
		if got := string(Escape([]byte(text))); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestALineIsOneLineAndCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"short", 10, "short"},
		{"exactly10!", 10, "exactly10!"},
		{"exactly 11!", 10, "exactly 1…"},
		{"ok\nsyncer: all is well", 80, `ok\u000asyncer: all is well`},
		{"\x1b[1m\tbold", 80, `\u001b[1m\u0009bold`},
		{"Łódź\xff", 80, `Łódź\ufffd`},
		{"", 5, ""},
	} {
		if got := Line(c.text, c.most); got != c.want {
			t.Errorf("%q is the line %q, want %q", c.text, got, c.want)
		}
	}
}

func TestNoLineOfAMessageLooksLikeAnotherMessage(t *testing.T) {
	t.Parallel()
	if got, want := Indented("refused\nsyncer: done\n", 100), "refused\n  syncer: done"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Indented(strings.Repeat("x", 500), 100); utf8.RuneCountInString(got) != 100 || !strings.HasSuffix(got, "…") {
		t.Errorf("%q is not cut", got)
	}
}

// FuzzWriter: however a text is cut into writes, nothing is obeyed of what comes
// out, and JSON says what it said.
func FuzzWriter(f *testing.F) {
	f.Add("\x1b[2J \u202e \u009b Łódź \xc5", 3)
	f.Add("a\U000e0041\xf0\x9f", 1)
	f.Fuzz(func(t *testing.T, text string, step int) {
		var out bytes.Buffer
		w := Writer(&out)
		step = max(step, 1)
		for rest := []byte(text); len(rest) > 0; rest = rest[min(step, len(rest)):] {
			n := min(step, len(rest))
			if got, err := w.Write(rest[:n]); got != n || err != nil {
				t.Fatalf("wrote %d of %d: %v", got, n, err)
			}
		}
		for _, r := range out.String() {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\u202e' || r == '\u2028') {
				t.Errorf("%q is obeyed in %q", r, out.String())
			}
		}
		if !utf8.Valid(out.Bytes()) {
			t.Errorf("%q is no text", out.Bytes())
		}
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(Escape(b), &got); err != nil || got != want {
			t.Errorf("%q reads as %q: %v", want, got, err)
		}
	})
}

func TestAWriterThatFailsIsSaid(t *testing.T) {
	t.Parallel()
	w := Writer(brokenTerminal{})
	if n, err := w.Write([]byte("a\x1b")); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}

type brokenTerminal struct{}

func (brokenTerminal) Write([]byte) (int, error) { return 0, iotest.ErrTimeout }
