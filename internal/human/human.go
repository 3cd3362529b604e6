// Package human is for people: it writes numbers as they read them, thousands
// apart, sizes and durations in the unit that fits, breaks lines, escapes what others
// wrote, and guesses which name they meant to write. It rounds and guesses, so what it
// says is for eyes only.
package human

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Count writes a number with its thousands apart: 12,345.
func Count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Size writes a number of bytes in the largest unit that leaves a number of at
// least one: 1.4 MiB.
func Size(bytes int64) string {
	const units = "KMGT"
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %ciB", value, units[unit])
	}
	return fmt.Sprintf("%.0f %ciB", value, units[unit])
}

// Duration writes a duration in its two largest units, shorter ones in
// milliseconds or tenths of a second: 12 ms, 4.2 s, 3 min 20 s, 2 h 5 min,
// 17 d 4 h.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second-500*time.Microsecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	case d < 10*time.Second-50*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute-500*time.Millisecond:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour-500*time.Millisecond:
		return pair(d, time.Minute, "min", time.Second, "s")
	case d < day-30*time.Second:
		return pair(d, time.Hour, "h", time.Minute, "min")
	default:
		return pair(d, day, "d", time.Hour, "h")
	}
}

// pair rounds to the smaller unit, and leaves it out where it is zero.
func pair(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	d = d.Round(small)
	text := fmt.Sprintf("%s %s", Count(int64(d/large)), largeName)
	if rest := int64(d % large / small); rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// Seconds is Duration for a number of seconds.
func Seconds(s float64) string {
	return Duration(time.Duration(math.Round(s * float64(time.Second))))
}

// Plural writes a count and its noun: 1 user, 2,000 users.
func Plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}
