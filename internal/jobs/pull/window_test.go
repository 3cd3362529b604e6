package pull

import (
	"fmt"
	"math/rand/v2"
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

func TestFullRefreshes(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	perDay := map[int]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		id := fmt.Sprintf("user-%d-%d", i, rng.Uint64())
		last := thatNight
		if refreshDue(id, last, last.Add(week-week/14-time.Second), week) {
			t.Fatal("a refresh came much before its period was over")
		}
		if !refreshDue(id, last, last.Add(2*week), week) {
			t.Fatal("no refresh within two periods")
		}
		for d := range 15 {
			if refreshDue(id, last, last.Add(time.Duration(d)*24*time.Hour), week) {
				perDay[d]++
				break
			}
		}
		// Once a refresh was made at the user's own instant, the next one is due
		// a period later, also when runs start a few minutes late.
		at := last
		for !refreshDue(id, last, at, week) {
			at = at.Add(10 * time.Minute)
		}
		if made := at.Add(5 * time.Minute); !refreshDue(id, made, at.Add(week), week) {
			t.Fatal("the period grew")
		}
	}
	for d, n := range perDay {
		if n > 2*2000/7 {
			t.Errorf("%d of 2000 refreshes on day %d: not spread", n, d)
		}
	}
	if refreshDue("u", thatNight, thatNight.Add(100*week), 0) {
		t.Error("a refresh without a period")
	}
}
