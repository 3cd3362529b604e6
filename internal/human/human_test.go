package human

import (
	"testing"
	"time"
)

func TestNumbersAreWrittenAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0": Count(0), "999": Count(999), "-1,000": Count(-1000), "1,234,567": Count(1234567),
		"1023 B": Size(1023), "1.0 KiB": Size(1024), "12 MiB": Size(12 << 20), "2048 TiB": Size(2 << 50),
		"1 user": Plural(1, "user"), "2,000 users": Plural(2000, "user"),
		"1.5 s": Seconds(1.5),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDurationsHaveTheUnitsThatFit(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                                   "0 s",
		time.Microsecond:                    "< 1 ms",
		12 * time.Millisecond:               "12 ms",
		999*time.Millisecond + 900_000:      "1.0 s",
		4200 * time.Millisecond:             "4.2 s",
		9990 * time.Millisecond:             "10 s",
		59*time.Second + 900_000_000:        "1 min",
		200 * time.Second:                   "3 min 20 s",
		59*time.Minute + 59_900_000_000:     "1 h",
		125 * time.Minute:                   "2 h 5 min",
		24*time.Hour - time.Second:          "1 d",
		17*24*time.Hour + 4*time.Hour:       "17 d 4 h",
		-90 * time.Second:                   "-1 min 30 s",
		1000 * 24 * time.Hour:               "1,000 d",
		time.Hour + 59*time.Minute + 59_900: "1 h 59 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
