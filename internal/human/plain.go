package human

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain writes a text of somebody else's for a terminal: what would move the cursor,
// colour or reorder what stands there is escaped as in Go, and beyond so many
// characters it is cut.
func Plain(text string, most int) string {
	var b strings.Builder
	n := 0
	for i, r := range text {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[i]), 16))
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// Wrap breaks a text at its spaces into lines of so many characters; a word that is
// longer stays whole.
func Wrap(text string, width int) []string {
	var lines []string
	line, n := "", 0
	for word := range strings.FieldsSeq(text) {
		w := utf8.RuneCountInString(word)
		switch {
		case n == 0:
			line, n = word, w
		case n+1+w <= width:
			line, n = line+" "+word, n+1+w
		default:
			lines = append(lines, line)
			line, n = word, w
		}
	}
	return append(lines, line)
}
