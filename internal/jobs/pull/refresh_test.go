package pull

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

const (
	aDay  = 24 * time.Hour
	aWeek = 7 * aDay
)

// timetables are when runs are made: each goes from one run to the next.
var timetables = map[string]func(rng *rand.Rand, last time.Time) time.Time{
	"every night":   func(_ *rand.Rand, last time.Time) time.Time { return last.Add(aDay) },
	"every 3 hours": func(_ *rand.Rand, last time.Time) time.Time { return last.Add(3 * time.Hour) },
	"nights, but now and then some minutes later": func(rng *rand.Rand, last time.Time) time.Time {
		y, m, d := last.Date()
		return time.Date(y, m, d+1, 2, 30, 0, 0, time.UTC).Add(time.Duration(rng.Int64N(int64(40 * time.Minute))))
	},
	"workdays": func(_ *rand.Rand, last time.Time) time.Time {
		for last = last.Add(aDay); last.Weekday() == time.Saturday || last.Weekday() == time.Sunday; {
			last = last.Add(aDay)
		}
		return last
	},
	"when somebody thinks of it": func(rng *rand.Rand, last time.Time) time.Time {
		return last.Add(time.Second + time.Duration(rng.Int64N(int64(4*aDay))))
	},
}

func TestWhatIsDueIsDoneOnceAPeriodWhateverTheTimetable(t *testing.T) {
	t.Parallel()
	for name, next := range timetables {
		for _, period := range []time.Duration{aWeek, 30 * aDay, 100 * time.Hour, 7*aDay + time.Nanosecond} {
			t.Run(fmt.Sprint(name, ", ", period), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(uint64(len(name)), uint64(period)))
				for i := range 60 {
					id := fmt.Sprintf("user-%d-%d", i, rng.Uint64())
					first := thatNight.Add(time.Duration(rng.Int64N(int64(period))))
					last, now, done := first, first, 0
					for now.Sub(first) < 20*period {
						before := now
						now = next(rng, before)
						if !Due(id, period, last, now) {
							if late := now.Sub(last); late >= period {
								t.Fatalf("%s: not due after %s", id, late)
							}
							continue
						}
						if late := now.Sub(last); late > period+now.Sub(before) {
							t.Fatalf("%s: due only after %s, with runs %s apart", id, late, now.Sub(before))
						}
						done++
						last = now.Truncate(time.Microsecond) // as a cursor keeps it
						if Due(id, period, last, now) {
							t.Fatalf("%s: due again at the same instant", id)
						}
					}
					// Runs are less than a period apart: between two lies one instant at most, so that none is passed over.
					if want := float64(now.Sub(first)) / float64(period); float64(done) < want-1 || float64(done) > want+1 {
						t.Fatalf("%s: done %d times in %.1f periods", id, done, want)
					}
				}
			})
		}
	}
}

func TestUsersAreDueOnNightsOfTheirOwn(t *testing.T) {
	t.Parallel()
	const users = 7000
	perNight := make([]int, 7)
	for i := range users {
		id := fmt.Sprintf("user-%d", i)
		for night := range perNight {
			if Due(id, aWeek, thatNight.Add(time.Duration(night)*aDay), thatNight.Add(time.Duration(night+1)*aDay)) {
				perNight[night]++
			}
		}
	}
	all := 0
	for night, n := range perNight {
		if all += n; n < users/7*9/10 || n > users/7*11/10 {
			t.Errorf("night %d: %d of %d", night, n, users)
		}
	}
	if all != users {
		t.Errorf("%d users were due in a week, of %d", all, users)
	}
}

func TestNothingIsDueWithoutAPeriodAndWhatWasNeverDoneIs(t *testing.T) {
	t.Parallel()
	if Due("u", 0, time.Time{}, thatNight) || Due("u", -time.Hour, time.Time{}, thatNight) {
		t.Error("due without a period")
	}
	for _, now := range []time.Time{thatNight, time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC)} {
		if !Due("u", 87600*time.Hour, time.Time{}, now) {
			t.Errorf("%s: never done, and not due", now)
		}
		if Due("u", 2*time.Hour, now.Add(time.Hour), now) {
			t.Errorf("%s: due before it was done last", now)
		}
		if Due("u", 87600*time.Hour, now.Add(-time.Second), now) {
			t.Errorf("%s: an instant of ten years in one second", now)
		}
		if !Due("u", time.Minute, now.Add(400*aDay), now) {
			t.Errorf("%s: a clock that was wrong holds it up for a year", now)
		}
		if !Due("u", time.Second, now.Add(-time.Second), now) {
			t.Errorf("%s: no instant in a whole period", now)
		}
	}
}

// TestWhatIsDoneAtItsVeryInstantIsNotDueAgain: a cursor keeps microseconds, and an
// instant may lie between two.
func TestWhatIsDoneAtItsVeryInstantIsNotDueAgain(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		id := fmt.Sprintf("user-%d", i)
		n := sort.Search(int(aWeek), func(n int) bool { return Due(id, aWeek, thatNight, thatNight.Add(time.Duration(n))) })
		at := thatNight.Add(time.Duration(n))
		if n == 0 || n == int(aWeek) || Due(id, aWeek, at.Truncate(time.Microsecond), at) {
			t.Errorf("%s: due at %s, and again after that", id, at)
		}
	}
}

func TestARefreshIsDueOnlyWhereAPullWasNotWhole(t *testing.T) {
	t.Parallel()
	job := &config.Job{FullRefreshEvery: aWeek}
	old := cursors.Cursor{UserID: "u", FullAt: thatNight.Add(-aWeek)}
	for _, c := range []struct {
		name              string
		whole, backfilled bool
		full              time.Time
		want              bool
	}{
		{"read through a filter", false, false, old.FullAt, true},
		{"read whole", true, false, old.FullAt, false},
		{"read whole, and backfilled since", true, true, old.FullAt, true},
		{"read through a filter, and backfilled since", false, true, old.FullAt, true},
		{"read through a filter, in full a moment ago", false, false, thatNight, false},
	} {
		at := old
		at.Whole, at.Backfilled, at.FullAt = c.whole, c.backfilled, c.full
		if got := RefreshDue(job, at, thatNight); got != c.want {
			t.Errorf("%s: due %v, want %v", c.name, got, c.want)
		}
	}
}

// TestARefreshAfterABackfillOfAllIsSpreadOverAPeriod backfills users whose full pull
// is long ago and who have been quiet since: once, and every day anew.
func TestARefreshAfterABackfillOfAllIsSpreadOverAPeriod(t *testing.T) {
	t.Parallel()
	const users = 700
	job := &config.Job{FullRefreshEvery: aWeek}
	for name, daily := range map[string]bool{"once": false, "every day": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			perNight := make([]int, 8)
			for i := range users {
				c := cursors.Cursor{UserID: fmt.Sprintf("user-%d", i), Whole: true, Backfilled: true, FullAt: thatNight.Add(-60 * aDay)}
				for night := range perNight {
					now := thatNight.Add(time.Duration(night) * aDay)
					if night == 0 || daily {
						c.BackfilledAt = now.Add(-5 * time.Hour)
					}
					if RefreshDue(job, c, now) {
						perNight[night]++
						break
					}
				}
			}
			all := 0
			for night, n := range perNight {
				if all += n; n > users/7*13/10 {
					t.Errorf("night %d: %d of %d users", night, n, users)
				}
			}
			if all != users {
				t.Errorf("%d of %d users were refreshed in a week: %v", all, users, perNight)
			}
		})
	}
}
