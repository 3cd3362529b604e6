package pull

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/config"
)

// A day that cannot be read is none that is gone; nor is one that is not told beside
// it. What is gone when all days can be read again is deleted then, and the same
// answer never writes twice.
func TestADayIsGoneOnlyWhereAllDaysCanBeRead(t *testing.T) {
	t.Parallel()
	at := func(ago int) string { return thatNight.AddDate(0, 0, -ago).Format(time.DateOnly) }
	days := func(dates ...string) any {
		var list []record
		for _, d := range dates {
			list = append(list, record{"date": d, "balance": 1})
		}
		return list
	}
	const odd = "0000-00-00"
	for name, tc := range map[string]struct {
		nights []any
		days   []int // that are in the lake then
	}{
		"all is read again":            {[]any{days(at(40), at(39), at(1)), days(at(40), odd, at(1)), days(at(40), at(39), at(1))}, []int{3, 3, 3}},
		"one is gone in the end":       {[]any{days(at(40), at(39), at(1)), days(at(40), odd, at(1)), days(at(40), odd, at(1)), days(at(40), at(1))}, []int{3, 3, 3, 2}},
		"a whole month, and then gone": {[]any{days(at(80), at(40), at(1)), days(at(80), odd, at(1)), days(at(80), at(1))}, []int{3, 3, 2}},
		"none can be read":             {[]any{days(at(40), at(39), at(1)), days(odd), days(at(40), at(1))}, []int{3, 3, 2}},
		"no list":                      {[]any{days(at(40), at(39), at(1)), nil, days(at(40), at(1))}, []int{3, 3, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{}
			l := newLake(t, d, false, config.Job{Streams: []config.Stream{config.StreamAccountHistory}})
			for n, balances := range tc.nights {
				d.answer = func(string, url.Values) (int, any) {
					return http.StatusOK, record{"histories": []record{{"accountId": "a", "currency": "EUR", "balances": balances}}}
				}
				l.pull(config.StreamAccountHistory)
				if got := l.keys(config.StreamAccountHistory); len(got) != tc.days[n] {
					t.Errorf("night %d leaves %q, want %d days", n, got, tc.days[n])
				}
				if rows := l.pull(config.StreamAccountHistory); rows != 0 {
					t.Errorf("the same answer again writes %d rows", rows)
				}
			}
		})
	}
}
