package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scheduled is a schedule in a zone.
func scheduled(t *testing.T, text, zone string) *Schedule {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSchedule(&Job{Schedule: text, Timezone: loc})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// due are the instants of a schedule between two others, as the zone says them.
func due(s *Schedule, from, until string) []string {
	begin, _ := time.Parse(time.RFC3339, from)
	end, _ := time.Parse(time.RFC3339, until)
	var all []string
	for at := s.Next(begin); !at.After(end); at = s.Next(at) {
		all = append(all, at.Format("01-02 15:04 MST"))
	}
	return all
}

func TestAScheduleOfHoursKeepsToTheClockOnTheWallWhereClocksAreTurned(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		schedule, zone, from, until string
		want                        []string
	}{
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z", []string{"03-28 02:30 CET", "03-29 03:30 CEST", "03-30 02:30 CEST"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z", []string{"10-24 02:30 CEST", "10-25 02:30 CEST", "10-26 02:30 CET"}},
		// The skipped time falls on one that the schedule names as well.
		{"30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z", []string{"03-29 03:30 CEST"}},
		// And comes after one that the schedule names later.
		{"30 2 29 * *", "Europe/Berlin", "2026-03-01T00:00:00Z", "2026-04-30T00:00:00Z", []string{"03-29 03:30 CEST", "04-29 02:30 CEST"}},
		{"0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z", []string{"03-29 03:00 CEST", "03-29 03:30 CEST"}},
		{"*/20 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00+02:00", "2026-10-25T12:00:00Z", []string{"10-25 02:00 CEST", "10-25 02:20 CEST", "10-25 02:40 CEST"}},
		// West of Greenwich, half an hour, and at midnight.
		{"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", []string{"03-08 03:30 EDT", "03-09 02:30 EDT"}},
		{"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z", []string{"11-01 01:30 EDT", "11-02 01:30 EST"}},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-05T00:00:00Z", []string{"10-04 02:45 +11", "10-05 02:15 +11"}},
		{"@daily", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-25T12:00:00Z", []string{"04-24 01:00 EEST", "04-25 00:00 EEST"}},
	} {
		if diff := cmp.Diff(tc.want, due(scheduled(t, tc.schedule, tc.zone), tc.from, tc.until)); diff != "" {
			t.Errorf("%s in %s: -want +got:\n%s", tc.schedule, tc.zone, diff)
		}
	}
}

func TestAScheduleOfEveryHourGoesOnWhileClocksAreTurned(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		schedule, from, until string
		want                  []string
	}{
		{"30 * * * *", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z", []string{"03-29 01:30 CET", "03-29 03:30 CEST", "03-29 04:30 CEST"}},
		{"30 * * * *", "2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z", []string{"10-25 01:30 CEST", "10-25 02:30 CEST", "10-25 02:30 CET"}},
		{"@every 12h", "2026-03-28T13:00:00Z", "2026-03-29T13:00:00Z", []string{"03-29 01:00 CET", "03-29 14:00 CEST"}},
	} {
		if diff := cmp.Diff(tc.want, due(scheduled(t, tc.schedule, "Europe/Berlin"), tc.from, tc.until)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.schedule, diff)
		}
	}
}

// From wherever one asks, the next instant is one of the same sequence.
func TestTheNextTimeDoesNotDependOnWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	step := 1
	if raceEnabled {
		step = 13
	}
	for _, text := range []string{"30 2 * * *", "0,30 2,3 * * *", "*/15 1-3 * * *", "45 * * * *", "@every 50m"} {
		for _, day := range []string{"2026-03-28T18:00:00Z", "2026-10-24T18:00:00Z"} {
			s := scheduled(t, text, "Europe/Berlin")
			begin, _ := time.Parse(time.RFC3339, day)
			next := s.Next(begin)
			for minute := 0; minute < 12*60; minute += step {
				at := begin.Add(time.Duration(minute) * time.Minute)
				for !next.After(at) {
					next = s.Next(next)
				}
				if got := s.Next(at); !got.Equal(next) {
					t.Fatalf("%s: after %s comes %s, want %s", text, at, got, next)
				}
				if last := s.Last(begin.Add(-48*time.Hour), at); last.After(at) || !s.Next(last).Equal(next) {
					t.Fatalf("%s: before %s was %s, but the next is %s", text, at, last, next)
				}
			}
		}
	}
}

func TestAJobWithoutAScheduleHasNone(t *testing.T) {
	t.Parallel()
	if s, err := NewSchedule(&Job{}); s != nil || err != nil {
		t.Errorf("got %v, %v", s, err)
	}
}
