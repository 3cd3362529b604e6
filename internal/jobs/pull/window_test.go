package pull

import (
	"testing"
	"time"
)

var thatNight = time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)

func TestTheWindowOfTransactions(t *testing.T) {
	t.Parallel()
	today := DaysOf(thatNight)
	for _, tc := range []struct {
		name   string
		newest map[string]int32
		want   int32
	}{
		{"reaches back behind the account whose newest booking is oldest", map[string]int32{"a": today - 1, "b": today - 5}, today - 15},
		{"is not moved on by a booking of the future", map[string]int32{"a": today + 30}, today - 10},
		{"is not held back by more than 90 days", map[string]int32{"a": today - 400, "b": today}, today - 100},
		{"reaches as far for an account that never had a booking", map[string]int32{"a": noDate, "b": today}, today - 100},
		{"begins an overlap ago where there is no account", nil, today - 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := windowStart(tc.newest, thatNight, time.UTC, 240*time.Hour); got != tc.want {
				t.Errorf("got today%+d, want today%+d", got-today, tc.want-today)
			}
		})
	}
}

func TestTodayIsTheDayOfTheJobsTimeZone(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 10*3600)
	late := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC) // the 23rd in the east
	if got, want := windowStart(nil, late, zone, 0), DaysOf(late)+1; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}
