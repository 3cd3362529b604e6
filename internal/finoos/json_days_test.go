package finoos

import (
	"testing"
	"time"
)

func TestEveryDayOfTheYears0To9999IsThatOfTheCalendar(t *testing.T) {
	t.Parallel()
	seconds := date(0, 1, 1).Unix()
	for year := range 10_000 {
		for month := 1; month <= 12; month++ {
			if want := date(year, time.Month(month+1), 0).Day(); daysIn(year, month) != want {
				t.Fatalf("%d-%d has %d days, want %d", year, month, daysIn(year, month), want)
			}
			for day := range daysIn(year, month) {
				if got := daysUntil(year, month, day+1) * secondsOfDay; got != seconds {
					t.Fatalf("%d-%d-%d is %d, want %d", year, month, day+1, got, seconds)
				}
				seconds += secondsOfDay
			}
		}
	}
	if got, want := seconds, date(10_000, 1, 1).Unix(); got != want {
		t.Errorf("the years end at %d, want %d", got, want)
	}
}
