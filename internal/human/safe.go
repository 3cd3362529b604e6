package human

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Writer returns a writer for terminals, and for files that are shown on one:
// what a terminal would obey or hide is written as JSON escapes it, so that JSON
// stays what it was. Lines and tabs stay. Wrap what people read once, as a whole:
// texts from outside stand in tables, errors and logs alike.
func Writer(w io.Writer) io.Writer { return &safeWriter{w: w} }

type safeWriter struct {
	w    io.Writer
	rest []byte // the beginning of a character whose end is yet to come
}

// Write escapes p. It reports an error of the writer below as if nothing of p had
// been written.
func (s *safeWriter) Write(p []byte) (int, error) {
	text := append(s.rest, p...)
	whole := len(text) - unfinished(text)
	s.rest = append([]byte(nil), text[whole:]...)
	if _, err := s.w.Write(Escape(text[:whole])); err != nil {
		return 0, err
	}
	return len(p), nil
}

// unfinished is how many bytes at the end begin a character and do not end it.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n]; utf8.RuneStart(c) {
			if utf8.FullRune(text[len(text)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// Escape returns text as Writer writes it: text itself where nothing is to be
// escaped.
func Escape(text []byte) []byte {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if !isObeyed(r, n) || r == '\n' || r == '\t' {
			i += n
			continue
		}
		var b strings.Builder
		b.Write(text[:i])
		for i < len(text) {
			r, n := utf8.DecodeRune(text[i:])
			if isObeyed(r, n) && r != '\n' && r != '\t' {
				escape(&b, r)
			} else {
				b.Write(text[i : i+n])
			}
			i += n
		}
		return []byte(b.String())
	}
	return text
}

// Line is text from outside on one line, escaped, and cut to at most so many
// characters.
func Line(text string, most int) string {
	var b strings.Builder
	left := most
	for i, r := range text {
		_, n := utf8.DecodeRuneInString(text[i:])
		if left--; left == 0 && i+n < len(text) {
			b.WriteString("…")
			break
		}
		if isObeyed(r, n) {
			escape(&b, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Indented is a message with the lines after its first set in, so that none looks
// like a message of its own, cut to at most so many characters.
func Indented(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// isObeyed says whether a terminal acts on a character instead of showing it, or
// lets it change how others are read: controls, what ends lines, and formats but
// for those within words.
func isObeyed(r rune, n int) bool {
	const softHyphen, nonJoiner, joiner = '\u00ad', '\u200c', '\u200d'
	switch {
	case r < utf8.RuneSelf:
		return r < ' ' || r == '\x7f'
	case r == utf8.RuneError && n == 1:
		return true
	case r == softHyphen || r == nonJoiner || r == joiner:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func escape(b *strings.Builder, r rune) {
	if r <= 0xFFFF {
		_, _ = fmt.Fprintf(b, `\u%04x`, r)
		return
	}
	r -= 0x10000
	_, _ = fmt.Fprintf(b, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
}
