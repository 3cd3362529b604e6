package sandbox

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// wire builds a JSON text by appending. Records are written field by field,
// since the order, the spelling and the gaps of the fields are the point.
type wire struct {
	b []byte
	// ascii writes umlauts as \u escapes, as some servers do.
	ascii bool
}

// sep puts the comma between two values or fields.
func (w *wire) sep() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *wire) open(c byte)  { w.sep(); w.b = append(w.b, c) }
func (w *wire) close(c byte) { w.b = append(w.b, c) }

func (w *wire) key(name string) {
	w.sep()
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *wire) str(name, value string)           { w.key(name); w.quote(value) }
func (w *wire) raw(name, json string)            { w.key(name); w.b = append(w.b, json...) }
func (w *wire) null(name string)                 { w.raw(name, "null") }
func (w *wire) boolean(name string, v bool)      { w.raw(name, strconv.FormatBool(v)) }
func (w *wire) number(name string, v int64)      { w.key(name); w.b = strconv.AppendInt(w.b, v, 10) }
func (w *wire) cents(name string, v int64)       { w.key(name); w.b = appendCents(w.b, v) }
func (w *wire) instant(name string, t time.Time) { w.str(name, berlin(t).Format(time.RFC3339)) }

func (w *wire) strs(name string, values []string) {
	w.key(name)
	w.b = append(w.b, '[')
	for _, v := range values {
		w.sep()
		w.quote(v)
	}
	w.b = append(w.b, ']')
}

// appendCents prints an amount with two decimals. Money is integer cents all
// the way: a float here would teach the tests wrong amounts.
func appendCents(b []byte, v int64) []byte {
	if v < 0 {
		b = append(b, '-')
		v = -v
	}
	b = strconv.AppendInt(b, v/100, 10)
	return append(b, '.', byte('0'+v/10%10), byte('0'+v%10))
}

const hexDigits = "0123456789abcdef"

func (w *wire) quote(s string) {
	w.b = append(w.b, '"')
	if w.safe(s) {
		w.b = append(w.b, s...)
	} else {
		w.escape(s)
	}
	w.b = append(w.b, '"')
}

// safe tells whether a text needs no escapes, as most do.
func (w *wire) safe(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || w.ascii && c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (w *wire) escape(s string) {
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b = append(w.b, '\\', byte(r))
		case r < 0x20 || w.ascii && r >= utf8.RuneSelf && r < 0x10000:
			w.b = append(w.b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			w.b = append(w.b, s[i:i+utf8.RuneLen(r)]...)
		}
	}
}
