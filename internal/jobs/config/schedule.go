package config

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule tells the instants at which a job is due, once each, also where a
// zone turns its clocks.
//
// A schedule that names hours means the clock on the wall, as people do, and
// each time that it names comes once a day. Where clocks skip it (Berlin, the
// last Sunday of March: 02:30 does not exist) it comes as long after midnight as
// on any other day: at 03:30. Where it comes twice (the last Sunday of October)
// the first counts. Two times that fall on one instant in this way are one.
//
// A schedule of every hour ("*/15 * * * *", @hourly) means time that passes: it
// goes on through a turn of the clocks, with no gap and in both of the hours that
// have one name. So does "@every 6h", which counts from the beginning of the year 1 in
// UTC, and so from midnight: a restart moves nothing.
type Schedule struct {
	next func(time.Time) time.Time
}

// everyHour are the bits of an hour field that leaves none out.
const everyHour = 1<<24 - 1

// NewSchedule reads the schedule of a job; nil where it has none.
func NewSchedule(job *Job) (*Schedule, error) {
	if job.Schedule == "" {
		return nil, nil //nolint:nilnil // none, and that is no error
	}
	parsed, err := cron.ParseStandard(job.Schedule)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", job.Schedule, err)
	}
	zone := job.Timezone
	if zone == nil {
		zone = time.UTC
	}
	switch s := parsed.(type) {
	case *cron.SpecSchedule:
		if s.Hour&everyHour == everyHour {
			s.Location = zone
			return &Schedule{next: func(t time.Time) time.Time { return s.Next(t).In(zone) }}, nil
		}
		s.Location = time.UTC // of a wall clock: see wall
		return &Schedule{next: (&wallClock{spec: s, zone: zone}).next}, nil
	case cron.ConstantDelaySchedule:
		return &Schedule{next: func(t time.Time) time.Time { return t.Truncate(s.Delay).Add(s.Delay).In(zone) }}, nil
	default:
		return nil, fmt.Errorf("schedule %q: is of an unknown kind", job.Schedule)
	}
}

// Next is the first instant after t at which the job is due, in its zone; zero
// where there is none within years.
func (s *Schedule) Next(t time.Time) time.Time { return s.next(t) }

// Last is the last instant after from, and not after until, at which the job
// was due; zero where there is none.
func (s *Schedule) Last(from, until time.Time) (last time.Time) {
	for t := s.next(from); !t.IsZero() && !t.After(until); t = s.next(t) {
		last = t
	}
	return last
}

// wallClock turns the library's schedule, which leaves out hours that do not
// exist and repeats those that come twice, into one of the clock on the wall.
type wallClock struct {
	spec *cron.SpecSchedule
	zone *time.Location
}

// clocksTurn is more than clocks are ever turned by.
const clocksTurn = 3 * time.Hour

// next looks through the times that the clock on the wall shows from shortly
// before t on. Their instants are not in the same order where an hour is left
// out, so it looks on for a while after the first that is late enough.
func (c *wallClock) next(t time.Time) time.Time {
	var best, until time.Time
	for w := c.spec.Next(wall(t.In(c.zone)).Add(-clocksTurn)); !w.IsZero(); w = c.spec.Next(w) {
		if !best.IsZero() && w.After(until) {
			break
		}
		if at := c.instant(w); at.After(t) && (best.IsZero() || at.Before(best)) {
			best, until = at, w.Add(clocksTurn)
		}
	}
	return best
}

// wall is what the clock on the wall shows at t, as if it were a clock in UTC,
// which is never turned.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is when the clock on the wall shows w: the first time that it does,
// and where it never does the instant at which it would without being turned.
func (c *wallClock) instant(w time.Time) time.Time {
	before, after := c.offset(w.Add(-24*time.Hour)), c.offset(w.Add(24*time.Hour))
	unturned := w.Add(-before).In(c.zone)
	if turned := w.Add(-after).In(c.zone); c.offset(unturned) != before && c.offset(turned) == after {
		return turned
	}
	return unturned
}

// offset is how far the zone's clock is ahead of UTC at t.
func (c *wallClock) offset(t time.Time) time.Duration {
	_, seconds := t.In(c.zone).Zone()
	return time.Duration(seconds) * time.Second
}
