package table

import (
	"math/big"
	"math/bits"
	"strings"
)

// Tally counts what was written to one table. Its zero value is nothing.
type Tally struct {
	Rows    int64
	Upserts int64
	Deletes int64
	// Sums holds the exact sum of each money column, nulls left out, as a
	// decimal literal with four decimals.
	Sums map[string]string
}

// Add counts another tally into t.
func (t *Tally) Add(o Tally) {
	t.Rows += o.Rows
	t.Upserts += o.Upserts
	t.Deletes += o.Deletes
	for column, sum := range o.Sums {
		if t.Sums == nil {
			t.Sums = make(map[string]string, len(o.Sums))
		}
		t.Sums[column] = AddDecimals(t.Sums[column], sum)
	}
}

// AddDecimals adds two sums as Tally holds them; the empty string is zero.
func AddDecimals(a, b string) string {
	var total big.Int
	for _, s := range [...]string{a, b} {
		var units big.Int
		if _, ok := units.SetString(strings.Replace(s, ".", "", 1), 10); ok {
			total.Add(&total, &units)
		}
	}
	return formatUnits(&total)
}

// sum128 adds up 64-bit amounts in 128 bits, two's complement: it cannot
// overflow within any number of rows.
type sum128 struct {
	hi int64
	lo uint64
}

func (s *sum128) add(v int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(v), 0) // two's complement is meant
	s.hi += v>>63 + int64(carry)                 // a carry is 0 or 1
}

// String prints the sum of units of 1/10000 with four decimals.
func (s *sum128) String() string {
	total := big.NewInt(s.hi)
	total.Lsh(total, 64)
	total.Add(total, new(big.Int).SetUint64(s.lo))
	return formatUnits(total)
}

// formatUnits prints units of 1/10000 as a decimal literal.
func formatUnits(units *big.Int) string {
	text := new(big.Int).Abs(units).String()
	if missing := decimalScale + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	point := len(text) - decimalScale
	text = text[:point] + "." + text[point:]
	if units.Sign() < 0 {
		text = "-" + text
	}
	return text
}
