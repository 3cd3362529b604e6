package pull

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/config"
)

// days are balances from one day to another, by days after the first of June.
func days(from, to int) (list []record) {
	for d := from; d <= to; d++ {
		list = append(list, record{"date": time.Date(2026, 6, 1+d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), "balance": d})
	}
	return list
}

func newHistory(t *testing.T, job config.Job) (entries *[]record, l *lake) {
	t.Helper()
	entries = new([]record)
	job.Streams = []config.Stream{config.StreamAccountHistory}
	l = newLake(t, &desk{answer: func(string, url.Values) (int, any) {
		return http.StatusOK, record{"histories": *entries}
	}}, false, job)
	return entries, l
}

// An account has one balance a day, whether or not its currency is told: what the
// lake has of it must not stand there twice.
func TestABalanceDoesNotStandTwiceWhenItsCurrencyComesOrGoes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		before, then []any // currencies
		want         int   // rows
	}{
		{"comes", []any{nil}, []any{"EUR"}, 41},
		{"goes", []any{"EUR"}, []any{""}, 41},
		{"comes as two", []any{nil}, []any{"EUR", "USD"}, 81},
		{"stays where another goes", []any{"EUR", "USD"}, []any{"EUR"}, 81},
		{"stays with one that has none", []any{"EUR", nil}, []any{"EUR", nil}, 81},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			entries, l := newHistory(t, config.Job{})
			tell := func(first int, of []any) {
				*entries = []record{{"accountId": "other", "currency": "EUR", "balances": days(0, 0)}}
				for _, currency := range of {
					*entries = append(*entries, record{"accountId": "giro", "currency": currency, "balances": days(first, 39)})
				}
			}
			tell(0, tc.before)
			l.pull(config.StreamAccountHistory)
			tell(0, tc.then)
			l.pull(config.StreamAccountHistory)
			if got := len(l.keys(config.StreamAccountHistory)); got != tc.want {
				t.Errorf("%d rows, want %d", got, tc.want)
			}
			if n := l.pull(config.StreamAccountHistory); n != 0 {
				t.Errorf("the same answer wrote %d rows", n)
			}
			tell(0, tc.before)
			l.pull(config.StreamAccountHistory)
			tell(0, tc.then)
			l.pull(config.StreamAccountHistory)
			if got := len(l.keys(config.StreamAccountHistory)); got != tc.want {
				t.Errorf("when it has come and gone again: %d rows, want %d", got, tc.want)
			}
		})
	}
}

// What the answer does not reach stays, and so does all where some of its days are
// not known.
func TestOnlyTheDaysOfTheAnswerChangeTheirCurrency(t *testing.T) {
	t.Parallel()
	entries, l := newHistory(t, config.Job{})
	tell := func(currency any, lists ...[]record) {
		*entries = nil
		for _, list := range lists {
			*entries = append(*entries, record{"accountId": "giro", "currency": currency, "balances": list})
		}
	}
	rows := func(want int) {
		t.Helper()
		l.pull(config.StreamAccountHistory)
		if got := len(l.keys(config.StreamAccountHistory)); got != want {
			t.Errorf("%d rows, want %d", got, want)
		}
	}
	tell(nil, days(0, 39))
	rows(40)
	tell("EUR", append(days(5, 30), record{"date": "2026-02-30", "balance": 1}))
	rows(40 + 26)
	tell("EUR", days(5, 20), days(20, 30))
	rows(40)
	tell("EUR", days(5, 45))
	rows(5 + 41)
}
