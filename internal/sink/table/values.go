package table

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"finoos-syncer/internal/sink/parquet"
)

// ErrInexact says that a number is one, but has more integer digits or more
// decimals than decimal(18,4) holds, and is not next to one that has not. The
// column is then null, and the literal belongs into _extra.
var ErrInexact = errors.New("does not fit decimal(18,4) exactly")

// errNotNumber says that a literal is no decimal number at all.
var errNotNumber = errors.New("is not a decimal number")

const (
	decimalScale  = parquet.DecimalScale
	decimalDigits = parquet.DecimalDigits
)

// Null is a value that may be absent; its zero value is.
type Null[T any] = sql.Null[T]

// Some returns a value that is present.
func Some[T any](v T) Null[T] { return Null[T]{V: v, Valid: true} }

// Decimal is a decimal(18,4): an exact amount of money, counted in 1/10000.
// Its zero value is null.
type Decimal struct {
	Units int64
	Valid bool
}

// ParseDecimal reads a number literal exactly, never by way of a float. The
// empty literal is null. Exponents, a sign and leading zeros are accepted.
// A number that decimal(18,4) cannot hold exactly is ErrInexact.
func ParseDecimal(literal string) (Decimal, error) {
	if literal == "" {
		return Decimal{}, nil
	}
	if units, ok := plainUnits(literal); ok {
		return Decimal{Units: units, Valid: true}, nil
	}
	n, ok := scanNumber(literal)
	if !ok {
		return Decimal{}, fmt.Errorf("parse decimal: %w", errNotNumber)
	}
	units, ok := n.units()
	if !ok {
		return Decimal{}, fmt.Errorf("parse decimal: %w", ErrInexact)
	}
	return Decimal{Units: units, Valid: true}, nil
}

// ParseAmount is ParseDecimal of what a program may have computed with floats: a
// number with more decimals that lies within 1e-6 of one that decimal(18,4) holds
// is that one, and rounded. Its literal then belongs into _extra as well.
func ParseAmount(literal string) (d Decimal, rounded bool, err error) {
	d, err = ParseDecimal(literal)
	if !errors.Is(err, ErrInexact) {
		return d, false, err
	}
	n, _ := scanNumber(literal)
	units, ok := n.nearUnits()
	if !ok {
		return Decimal{}, false, err
	}
	return Decimal{Units: units, Valid: true}, true, nil
}

// String prints the amount with its four decimals; null is the empty string.
func (d Decimal) String() string {
	if !d.Valid {
		return ""
	}
	var s sum128
	s.add(d.Units)
	return s.String()
}

// plainUnits reads the form that nearly all amounts have: few enough digits,
// at most four of them decimals. It is false for any other.
func plainUnits(s string) (units int64, ok bool) {
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	if s == "" || len(s) > decimalDigits-decimalScale {
		return 0, false
	}
	decimals := -1 // no point yet
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			units = units*10 + int64(c-'0')
			if decimals >= 0 {
				decimals++
			}
		case c == '.' && decimals < 0 && i > 0 && i < len(s)-1:
			decimals = 0
		default:
			return 0, false
		}
	}
	if decimals > decimalScale {
		return 0, false
	}
	for range decimalScale - max(decimals, 0) {
		units *= 10
	}
	if negative {
		units = -units
	}
	return units, true
}

// number is a scanned literal: the digits from the first to the last that is
// not zero, and the power of ten of the last one.
type number struct {
	negative bool
	digits   string // may contain one point
	count    int    // digits without the point
	power    int
}

// units scales the number to 1/10000; false if digits would be lost.
func (n number) units() (int64, bool) {
	zeros := n.power + decimalScale
	switch {
	case n.count == 0:
		return 0, true
	case zeros < 0 || n.count+zeros > decimalDigits:
		return 0, false
	}
	var units int64
	for i := range len(n.digits) {
		if c := n.digits[i]; c != '.' {
			units = units*10 + int64(c-'0')
		}
	}
	for range zeros {
		units *= 10
	}
	if n.negative {
		units = -units
	}
	return units, true
}

// nearUnits is units of a number with more decimals; false if it lies further
// than a hundredth from a whole unit, or if that one is too large. Of the digits
// beyond the unit, the last of which is not zero, two decide.
func (n number) nearUnits() (int64, bool) {
	beyond := -(n.power + decimalScale)
	whole := n.count - beyond // digits of the unit; below 0 are zeros after the point
	if beyond <= 0 || whole > decimalDigits {
		return 0, false
	}
	var units int64
	var next [2]byte // digits beyond the unit
	at := 0
	for i := 0; i < len(n.digits) && at < whole+len(next); i++ {
		c := n.digits[i]
		switch {
		case c == '.':
			continue
		case at < whole:
			units = units*10 + int64(c-'0')
		default:
			next[at-whole] = c - '0'
		}
		at++
	}
	switch {
	case next == [2]byte{9, 9}:
		units++
	case next != [2]byte{} && (next != [2]byte{0, 1} || beyond > 2):
		return 0, false
	}
	if units >= 1e18 { // one more than the digits hold
		return 0, false
	}
	if n.negative {
		units = -units
	}
	return units, true
}

// scanNumber splits a literal into sign, digits and exponent.
func scanNumber(s string) (number, bool) {
	var n number
	if s[0] == '-' || s[0] == '+' {
		n.negative = s[0] == '-'
		s = s[1:]
	}
	exp := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var ok bool
		if exp, ok = scanExponent(s[i+1:]); !ok {
			return number{}, false
		}
		s = s[:i]
	}
	point := len(s)
	if i := strings.IndexByte(s, '.'); i >= 0 {
		point = i
	}
	digits := 0
	first, last := -1, -1 // the outermost digits that are not zero
	for i := range len(s) {
		c := s[i]
		switch {
		case i == point:
			continue
		case c < '0' || c > '9':
			return number{}, false
		case c != '0':
			last = i
			if first < 0 {
				first = i
			}
		}
		digits++
	}
	if first < 0 {
		return number{}, digits > 0
	}
	n.digits = s[first : last+1]
	n.count = len(n.digits)
	if first < point && point < last {
		n.count--
	}
	n.power = exp + point - last
	if last < point {
		n.power-- // the point itself takes up an index
	}
	return n, true
}

// scanExponent reads what follows the e. An absurd exponent is capped, far
// beyond what any literal's digits could make up for.
func scanExponent(s string) (int, bool) {
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	exp := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		exp = min(exp*10+int(s[i]-'0'), math.MaxInt32)
	}
	if negative {
		exp = -exp
	}
	return exp, s != ""
}

// Date is a day without a time or a zone, counted from 1970-01-01. Its zero
// value is null.
type Date struct {
	Days  int32
	Valid bool
}

const secondsPerDay = 24 * 60 * 60

// DateOf returns the day that t shows in its own location: a date is the day
// as it was written. The zero time is null, and so is a day outside of the
// years 1 to 9999, which no warehouse can hold.
func DateOf(t time.Time) Date {
	if t.IsZero() {
		return Date{}
	}
	const first, last = -719162, 2932896 // the first day of year 1, the last of 9999
	_, offset := t.Zone()
	shown := t.Unix() + int64(offset)
	days := shown / secondsPerDay
	if shown%secondsPerDay < 0 {
		days--
	}
	if days < first || days > last {
		return Date{}
	}
	return Date{Days: int32(days), Valid: true}
}

// Time returns midnight UTC of the day, the zero time for null.
func (d Date) Time() time.Time {
	if !d.Valid {
		return time.Time{}
	}
	return time.Unix(int64(d.Days)*secondsPerDay, 0).UTC()
}

// String prints the day as 2006-01-02; null is the empty string.
func (d Date) String() string {
	if !d.Valid {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}
