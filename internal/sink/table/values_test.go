package table

import (
	"errors"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestDecimalsAreReadExactly(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]string{
		"":                        "",
		"0":                       "0.0000",
		"-0":                      "0.0000",
		"0.00000000000":           "0.0000",
		"1":                       "1.0000",
		"-1":                      "-1.0000",
		"+7.5":                    "7.5000",
		"0007.5":                  "7.5000",
		".5":                      "0.5000",
		"5.":                      "5.0000",
		"0.0001":                  "0.0001",
		"-0.0001":                 "-0.0001",
		"1.50000":                 "1.5000",
		"100.1000000000000000000": "100.1000",
		"1e3":                     "1000.0000",
		"1E+3":                    "1000.0000",
		"12345e-4":                "1.2345",
		"1200000e-7":              "0.1200",
		"0.00000012e5":            "0.0120",
		"0e99999999999999999999":  "0.0000",
		"99999999999999.9999":     "99999999999999.9999",
		"-99999999999999.9999":    "-99999999999999.9999",
		"999999999999999999e-4":   "99999999999999.9999",
	} {
		got, err := ParseDecimal(literal)
		if err != nil || got.String() != want {
			t.Errorf("ParseDecimal(%q) = %q, %v; want %q", literal, got, err, want)
		}
	}
}

func TestDecimalsThatDoNotFitAreInexact(t *testing.T) {
	t.Parallel()
	for _, literal := range []string{
		"0.00001", "1.23456", "100000000000000", "-100000000000000", "1e14", "1e-5", "9e999999999999999999999",
		"1e-999999999999999999999", "99999999999999.99995", "83710.79999999999", "123456789012345678901234567890",
	} {
		if got, err := ParseDecimal(literal); !errors.Is(err, ErrInexact) || got.Valid {
			t.Errorf("ParseDecimal(%q) = %v, %v; want ErrInexact", literal, got, err)
		}
	}
}

func TestAnAmountNextToOneWithFourDecimalsIsThatOne(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]string{
		"83710.79999999999":             "83710.8000",
		"-83710.80000000001":            "-83710.8000",
		"0.30000000000000004":           "0.3000",
		"8371079999999999e-11":          "83710.8000",
		"-0.00000001":                   "0.0000",
		"1e-7":                          "0.0000",
		"1e-6":                          "0.0000",
		"0.000099":                      "0.0001",
		"0.00009999999":                 "0.0001",
		"1.234501":                      "1.2345",
		"1.234499":                      "1.2345",
		"9.99999999":                    "10.0000",
		"-1e-999999999999999999999":     "0.0000",
		"99999999999999.99990000000001": "99999999999999.9999",
		"1" + strings.Repeat("0", 13) + "." + strings.Repeat("9", 1<<20): "10000000000001.0000",
	} {
		got, rounded, err := ParseAmount(literal)
		if err != nil || !rounded || got.String() != want {
			t.Errorf("ParseAmount(%.40q) = %q, %v, %v; want %q", literal, got, rounded, err, want)
		}
	}
	for _, literal := range []string{
		"0.00001", "0.0000010000000001", "1.2345011", "1.2344989", "1.23456", "0.00009", "1.00001", "1e14", "9e999999999999999999999",
		"99999999999999.99999999", "-99999999999999.99999999", "123456789012345.99999999",
	} {
		if got, rounded, err := ParseAmount(literal); !errors.Is(err, ErrInexact) || rounded || got.Valid {
			t.Errorf("ParseAmount(%q) = %v, %v, %v; want ErrInexact", literal, got, rounded, err)
		}
	}
	for _, literal := range []string{"", "-1.50", "1e3", "100.10000000000", "1.23450"} {
		want, _ := ParseDecimal(literal)
		if got, rounded, err := ParseAmount(literal); err != nil || rounded || got != want {
			t.Errorf("ParseAmount(%q) = %v, %v, %v; want %v as it is", literal, got, rounded, err, want)
		}
	}
}

func TestWhatIsNoNumberIsNotADecimal(t *testing.T) {
	t.Parallel()
	for _, literal := range []string{
		"abc", "-", "+", ".", "-.", "e5", ".e5", "1e", "1e+", "1e5.0", "1,5", "1.2.3", "--1", "0x10", "1_000", " 1", "1 ", "NaN", "Infinity", "1/2", "１",
	} {
		if got, err := ParseDecimal(literal); err == nil || errors.Is(err, ErrInexact) || got.Valid {
			t.Errorf("ParseDecimal(%q) = %v, %v; want that it is no number", literal, got, err)
		}
	}
}

var decimalGrammar = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

func FuzzDecimalsAgreeWithBigNumbers(f *testing.F) {
	for _, s := range []string{"0", "-1.50000", "1e3", ".5e-2", "99999999999999.9999", "1e14", "0.00001", "1..2", "00e7", "-0.000100e+1", "83710.79999999999", "0.000001", "1.234499e-1"} {
		f.Add(s)
	}
	limit := big.NewInt(1e18)
	f.Fuzz(func(t *testing.T, literal string) {
		got, err := ParseDecimal(literal)
		if literal == "" {
			return
		}
		if !decimalGrammar.MatchString(literal) {
			if err == nil || errors.Is(err, ErrInexact) {
				t.Fatalf("ParseDecimal(%q) = %v, %v; want that it is no number", literal, got, err)
			}
			return
		}
		exp, _ := scanExponent(regexp.MustCompile(`^[^eE]*[eE]?`).ReplaceAllString(literal, "") + "")
		if exp > 1000 || exp < -1000 {
			return // too large for the reference
		}
		want, ok := new(big.Rat).SetString(literal)
		if !ok {
			t.Fatalf("reference cannot read %q", literal)
		}
		want.Mul(want, big.NewRat(10000, 1))
		amount, rounded, amountErr := ParseAmount(literal)
		near, isNear := nearest(want)
		isNear = isNear && near.CmpAbs(limit) < 0
		switch {
		case isNear != (amountErr == nil), isNear && near.Cmp(big.NewInt(amount.Units)) != 0, rounded != (isNear && !want.IsInt()):
			t.Fatalf("ParseAmount(%q) = %v, %v, %v; the nearest is %v, near: %v", literal, amount, rounded, amountErr, near, isNear)
		}
		fits := want.IsInt() && want.Num().CmpAbs(limit) < 0
		switch {
		case !fits && !errors.Is(err, ErrInexact):
			t.Fatalf("ParseDecimal(%q) = %v, %v; want ErrInexact", literal, got, err)
		case fits && (err != nil || !got.Valid || want.Num().Cmp(big.NewInt(got.Units)) != 0):
			t.Fatalf("ParseDecimal(%q) = %v, %v; want %s units", literal, got, err, want.Num())
		}
	})
}

// nearest is the whole number next to r, and whether it lies within a hundredth.
func nearest(r *big.Rat) (*big.Int, bool) {
	half := new(big.Rat).Add(r, big.NewRat(1, 2))
	n := new(big.Int).Div(half.Num(), half.Denom())
	distance := new(big.Rat).Sub(r, new(big.Rat).SetInt(n))
	return n, distance.Abs(distance).Cmp(big.NewRat(1, 100)) <= 0
}

func TestADateIsTheDayAsWritten(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 2*60*60)
	for _, tt := range []struct {
		of   time.Time
		want string
	}{
		{time.Time{}, ""},
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), "1970-01-01"},
		{time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), "1969-12-31"},
		{time.Date(2026, 11, 22, 0, 30, 0, 0, berlin), "2026-11-22"},
		{time.Date(2024, 2, 29, 23, 59, 0, 0, berlin), "2024-02-29"},
		{time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), "0001-01-02"},
		{time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), "9999-12-31"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{time.Date(300_000_000, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{time.Date(-4, 1, 1, 0, 0, 0, 0, time.UTC), ""},
	} {
		got := DateOf(tt.of)
		if got.String() != tt.want || got.Valid != (tt.want != "") {
			t.Errorf("DateOf(%v) = %v, want %q", tt.of, got, tt.want)
		}
	}
	if got := DateOf(time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)).Days; got != -1 {
		t.Errorf("the day before 1970 is day %d, want -1", got)
	}
}
