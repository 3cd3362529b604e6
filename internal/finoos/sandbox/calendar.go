package sandbox

import "time"

// day counts days since 1970-01-01.
type day int

// dayOf is the day that t shows, whatever its zone.
func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return date(y, m, d)
}

func date(y int, m time.Month, d int) day {
	return day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func (d day) utc() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String prints 2006-01-02; a history has thousands, so not by a layout.
func (d day) String() string {
	y, m, dom := d.utc().Date()
	return string([]byte{
		digit(y / 1000), digit(y / 100), digit(y / 10), digit(y), '-',
		digit(int(m) / 10), digit(int(m)), '-', digit(dom / 10), digit(dom),
	})
}

func digit(n int) byte { return '0' + byte(n%10) } // one digit

// addMonths moves by whole months and stays within the month it reaches.
func (d day) addMonths(n int) day {
	y, m, dd := d.utc().Date()
	return date(y, m+time.Month(n), min(dd, monthLength(y, m+time.Month(n))))
}

func monthLength(y int, m time.Month) int {
	return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// weekday counts from Monday, 0. 1970-01-01 was a Thursday, and days before
// it are negative.
func (d day) weekday() int { return int((d+3)%7+7) % 7 }

func (d day) weekend() bool { return d.weekday() >= 5 }

// bankDay is d or the first weekday after it.
func (d day) bankDay() day {
	for d.weekend() {
		d++
	}
	return d
}

var (
	winter = time.FixedZone("CET", 3600)
	summer = time.FixedZone("CEST", 7200)
)

// berlin shows an instant in German time. The rule is built in, since
// machines without a zone database must print the same bytes: summer is from
// the last Sunday of March to that of October, 01:00 UTC each.
func berlin(t time.Time) time.Time {
	y := t.UTC().Year()
	from := lastSunday(y, time.March).utc().Add(time.Hour)
	to := lastSunday(y, time.October).utc().Add(time.Hour)
	if !t.Before(from) && t.Before(to) {
		return t.In(summer)
	}
	return t.In(winter)
}

func lastSunday(y int, m time.Month) day {
	d := date(y, m, monthLength(y, m))
	for d.weekday() != 6 {
		d--
	}
	return d
}

// at is an instant of the day in Germany, given as the clock on the wall
// shows it.
func (d day) at(sinceMidnight time.Duration) time.Time {
	wall := d.utc().Add(sinceMidnight)
	return berlin(wall.Add(-offset(wall)))
}

// offset is that of a German wall clock, given as if it were UTC.
func offset(wall time.Time) time.Duration {
	y := wall.Year()
	from := lastSunday(y, time.March).utc().Add(2 * time.Hour)
	to := lastSunday(y, time.October).utc().Add(3 * time.Hour)
	if !wall.Before(from) && wall.Before(to) {
		return 2 * time.Hour
	}
	return time.Hour
}

// long is the day as an instant, the way it is printed.
func (d day) long() string {
	if offset(d.utc()) == time.Hour {
		return d.String() + "T00:00:00+01:00"
	}
	return d.String() + "T00:00:00+02:00"
}
