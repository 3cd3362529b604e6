package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The parsers here return errors that read as the end of a sentence about the
// value ("is no duration: …") and never repeat it: the caller knows whether it
// may be shown.

// minDuration is the smallest duration that any key accepts: less is a unit
// that was forgotten or mistaken.
const minDuration = time.Second

func parseDuration(text string) (time.Duration, error) {
	const hint = "write a number and its unit, such as 90s, 15m or 168h"
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && strings.HasSuffix(text, "d"):
		return 0, errors.New("is no duration: days are written in hours, 7 days as 168h")
	case err != nil:
		return 0, errors.New("is no duration: " + hint)
	case d < minDuration:
		return 0, errors.New("is less than 1s: " + hint)
	}
	return d, nil
}

// sizeUnits are ordered so that no unit is a suffix of an earlier one.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

func parseSize(text string) (int64, error) {
	digits, unit := text, int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := parseInt(digits)
	if err != nil {
		return 0, errors.New("is no size: write a whole number and its unit, such as 64KiB, 128MiB or 1GiB")
	}
	if n > math.MaxInt64/unit {
		return 0, errors.New("is larger than any size can be")
	}
	return n * unit, nil
}

// parseInt accepts plain decimal digits. YAML reads 010 as eight: refused, since
// the two readers would not agree.
func parseInt(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text[0] == '+' || n < 0 || (text[0] == '0' && len(text) > 1) {
		return 0, errors.New("is no whole number")
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(text, "xXpP_") {
		return 0, errors.New("is no number")
	}
	return f, nil
}

func parseLocation(text string) (*time.Location, error) {
	if text == "" || text == "Local" {
		return nil, errors.New("is no time zone that is the same on every machine: write one such as Europe/Berlin, or UTC")
	}
	loc, err := time.LoadLocation(text)
	if err != nil {
		return nil, errors.New("is no known time zone: write one such as Europe/Berlin, or UTC")
	}
	return loc, nil
}

// checkBounds compares with the bounds of a key, each "" for none; parse reads a
// bound in the key's own unit.
func checkBounds[T int64 | float64 | time.Duration](v T, s *spec, parse func(string) (T, error)) error {
	if low, err := parse(s.min); s.min != "" && err == nil && v < low {
		return fmt.Errorf("is too small: the least is %s", s.min)
	}
	if high, err := parse(s.max); s.max != "" && err == nil && v > high {
		return fmt.Errorf("is too large: the most is %s", s.max)
	}
	return nil
}
