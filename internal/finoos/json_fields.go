package finoos

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"finoos-syncer/internal/id"
)

var (
	errNotNumber  = errors.New("not a number")
	errNotBoolean = errors.New("not a boolean")
	errNotDate    = errors.New("not a date")
	errNotTime    = errors.New("not a time with its offset")

	errNotID    = errors.New("no id: neither a text nor a whole number")
	errBadChars = fmt.Errorf("no id: not 1 to %d bytes without control characters", id.Max)
	errMiscoded = errors.New("no id: not in UTF-8")
)

// ident is a field of an id, which a record must have. A whole number is its
// digits; any other could be spelled in more than one way, and would then be more
// than one id.
func ident[T any](name string, at func(*T) *string) *fieldOf[T] {
	return optionalIdent(name, at).require()
}

// optionalIdent is a field of an id that a record need not have.
func optionalIdent[T any](name string, at func(*T) *string) *fieldOf[T] {
	f := &fieldOf[T]{name: name, set: func(d *recordDecoder, to *T, v value) error {
		switch k := v.kind(); {
		case k == kindObject || k == kindArray:
			return errType
		case k != kindString && (k != kindNumber || bytes.ContainsAny(v.raw, ".eE")):
			return errNotID
		}
		s := d.keepSaid(v)
		switch {
		case !id.Valid(s):
			return errBadChars
		case (d.repaired || v.form != 0) && strings.ContainsRune(s, utf8.RuneError) && (d.repaired || !wellFormed(v)):
			return errMiscoded // what it was cannot be told, so it may be another's
		}
		*at(to) = s
		return nil
	}}
	return f.key()
}

// wellFormed reports whether a text has no half of a surrogate.
func wellFormed(v value) bool {
	if v.form&escaped == 0 {
		return true
	}
	_, err := jsontext.AppendUnquote(nil, v.raw)
	return err == nil
}

// text is a field of text; a number or boolean keeps its spelling.
func text[T any](name string, at func(*T) *string) *fieldOf[T] {
	return &fieldOf[T]{name: name, set: func(d *recordDecoder, to *T, v value) error {
		if k := v.kind(); k == kindObject || k == kindArray {
			return errType
		}
		*at(to) = d.keepText(v)
		return nil
	}}
}

func scalar(v value) (string, error) {
	if k := v.kind(); k == kindObject || k == kindArray {
		return "", errType
	}
	return v.text(), nil
}

// number is a field of a number, quoted or not.
func number[T any](name string, at func(*T) *Number) *fieldOf[T] {
	return &fieldOf[T]{name: name, set: func(d *recordDecoder, to *T, v value) error {
		n, err := numberOf(d, v)
		*at(to) = n
		return err
	}}
}

func numberOf(d *recordDecoder, v value) (Number, error) {
	switch v.kind() {
	case kindNumber:
		return Number(d.texts.keep(v.raw)), nil
	case kindString:
		if v.form != 0 {
			v.raw = append(v.appendText([]byte{'"'}), '"')
		}
		if isNumber(v.raw) {
			return Number(d.texts.keep(v.plain())), nil
		}
		return "", errNotNumber
	}
	return "", errType
}

// isNumber reports whether a text in quotes is a number by JSON's grammar.
func isNumber(quoted []byte) bool {
	end, ok := numberEnd(quoted, 1)
	return ok && end == len(quoted)-1
}

// flag is a field of a boolean, quoted or not.
func flag[T any](name string, at func(*T) *Null[bool]) *fieldOf[T] {
	return &fieldOf[T]{name: name, set: func(_ *recordDecoder, to *T, v value) error {
		s, err := scalar(v)
		if err != nil {
			return err
		}
		switch s {
		case "true", "True", "TRUE":
			*at(to) = Null[bool]{V: true, Valid: true}
		case "false", "False", "FALSE":
			*at(to) = Null[bool]{Valid: true}
		default:
			return errNotBoolean
		}
		return nil
	}}
}

// count is a field of a number that is only a hint: what is no count is not known.
func count[T any](name string, at func(*T) *Null[int]) *fieldOf[T] {
	return &fieldOf[T]{name: name, set: func(_ *recordDecoder, to *T, v value) error {
		if n, err := strconv.Atoi(v.text()); err == nil && n >= 0 {
			*at(to) = Null[int]{V: n, Valid: true}
		}
		return nil
	}}
}

// day is a field of a date; of a time it takes the day as written.
func day[T any](name string, at func(*T) *time.Time) *fieldOf[T] {
	return dateField(name, at, dayOf)
}

// instant is a field of a time; a plain date is its midnight in UTC.
func instant[T any](name string, at func(*T) *time.Time) *fieldOf[T] {
	return dateField(name, at, instantOf)
}

func dateField[T any](name string, at func(*T) *time.Time, parse func(value) (time.Time, error)) *fieldOf[T] {
	return &fieldOf[T]{name: name, set: func(_ *recordDecoder, to *T, v value) error {
		t, err := parse(v)
		if err != nil {
			return err
		}
		if t.IsZero() { // which stands for null here
			return errNotDate
		}
		*at(to) = t
		return nil
	}}
}

// The years that tables hold.
const (
	firstYear = 1
	lastYear  = 9999
)

// dayOf reads the day as written. What follows it must begin like a time or be an
// offset, but neither of them matters.
func dayOf(v value) (time.Time, error) {
	if k := v.kind(); k == kindObject || k == kindArray {
		return time.Time{}, errType
	}
	text := v.plain()
	if v.form != 0 {
		text = v.appendText(nil)
	}
	const length = len(time.DateOnly)
	if len(text) < length || len(text) > length && !mayFollowDay(text[length:]) || text[4] != '-' || text[7] != '-' {
		return time.Time{}, errNotDate
	}
	y, yok := digits(text[:4])
	m, mok := digits(text[5:7])
	d, dok := digits(text[8:length])
	if !yok || !mok || !dok || y < firstYear || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return time.Time{}, errNotDate
	}
	return time.Unix(daysUntil(y, m, d)*secondsOfDay, 0).UTC(), nil
}

// mayFollowDay reports whether what stands behind a day leaves it that day: a time,
// of which the beginning is enough, or an offset.
func mayFollowDay(rest []byte) bool {
	switch c := rest[0]; {
	case c == 'Z' || c == 'z' || c == '+' || c == '-':
		return isOffset(rest)
	case c != 'T' && c != 't' && c != ' ':
		return false
	}
	rest = bytes.TrimLeft(rest[1:], " ")
	if len(rest) == 0 || isOffset(rest) {
		return true
	}
	return len(rest) >= len("15:04") && isDigit(rest[0]) && isDigit(rest[1]) &&
		(isDigit(rest[2]) || rest[2] == ':') && isDigit(rest[3])
}

// isOffset reports whether a text is an offset: Z, or hours and maybe minutes.
func isOffset(b []byte) bool {
	if len(b) == 1 {
		return b[0] == 'Z' || b[0] == 'z'
	}
	if b[0] != '+' && b[0] != '-' {
		return false
	}
	b = b[1:]
	if len(b) == len("07:00") && b[2] == ':' {
		b = append(b[:2:2], b[3:]...)
	}
	if len(b) == len("07") {
		b = append(b[:2:2], "00"...)
	}
	n, ok := digits(b)
	return ok && len(b) == len("0700") && n <= 1800 && n%100 < 60
}

const secondsOfDay = 24 * 60 * 60

func daysIn(year, month int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// daysUntil counts the days from 1970 to a date, in a fraction of the time that
// [time.Date] takes for all that it knows of zones and overflows. Years are
// counted from March: so the leap day is the last of a year, and the months
// before any other take (153 months + 2) / 5 days, in whole numbers.
func daysUntil(year, month, day int) int64 {
	year += 400 // which repeat: no year before March is below 0
	if month -= 3; month < 0 {
		month += 12
		year--
	}
	const until1970 = 719468 + 146097 // from March of the year 0, and the 400
	return int64(365*year + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - until1970)
}

// digits reads a short text of nothing but digits.
func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// The forms of an instant, the likeliest first. All tell their offset, but for
// the plain date; a time of an unknown zone would be a guess. Fractions of a
// second may follow in any of them.
var instantForms = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", time.DateOnly, "2006-01-02T15:04:05Z07",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07",
	"2006-01-02Z07:00", "2006-01-02Z0700", "2006-01-02Z07",
}

// instantOf reads an instant, cut to microseconds, which is what columns hold.
// Separators may be in lower case, or a space: they tell nothing.
func instantOf(v value) (time.Time, error) {
	if k := v.kind(); k != kindString {
		return time.Time{}, errType
	}
	s := v.text()
	for _, separators := range []func(string) string{func(s string) string { return s }, usual} {
		s = separators(s)
		for _, form := range instantForms {
			if t, err := time.Parse(form, s); err == nil {
				if t = t.UTC(); t.Year() < firstYear || t.Year() > lastYear {
					return time.Time{}, errNotTime
				}
				return t.Truncate(time.Microsecond), nil
			}
		}
	}
	return time.Time{}, errNotTime
}

// usual writes the separators of an instant as they mostly are.
func usual(s string) string {
	const day = len(time.DateOnly)
	if len(s) <= day {
		return s
	}
	date, rest := s[:day], s[day:]
	if rest[0] == 't' || rest[0] == ' ' && len(rest) > 1 && isDigit(rest[1]) {
		rest = "T" + rest[1:]
	}
	if last := len(rest) - 1; rest[last] == 'z' {
		rest = rest[:last] + "Z"
	}
	if at := strings.LastIndexByte(rest, ' '); at > 0 && strings.ContainsAny(rest[at:], "+-Z") {
		rest = rest[:at] + rest[at+1:] // the space before an offset
	}
	return date + rest
}

// raw is a field of any type, kept as JSON text.
func raw[T any](name string, at func(*T) *string) *fieldOf[T] {
	return &fieldOf[T]{name: name, set: func(d *recordDecoder, to *T, v value) error {
		*at(to) = d.compact(v)
		return nil
	}}
}
