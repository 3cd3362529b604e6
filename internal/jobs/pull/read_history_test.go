package pull

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
)

// dense is an account's answer: one balance a day from first to last.
func dense(first, last time.Time, change func(day time.Time, b *finoos.Balance) (keep bool)) *finoos.AccountHistory {
	h := &finoos.AccountHistory{AccountID: "acc", Currency: "EUR", Listed: true}
	for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
		b := finoos.Balance{Date: d, Hash: uint64(d.Unix())}
		if change == nil || change(d, &b) {
			h.Balances = append(h.Balances, b)
		}
	}
	return h
}

// nights feeds answers through the fingerprints, and returns the months that
// the last one would write and the days that it would delete.
func nights(answers ...*finoos.AccountHistory) (written []string, deleted []int32) {
	known := history{}
	for i, answer := range answers {
		a := newSeriesMonths(&Result{}, answer)
		next := maps.Clone(known)
		a.replace(next)
		if i == len(answers)-1 {
			for key := range a.months {
				if before, ok := known[key]; !ok || !a.same(key, before) {
					written = append(written, time.Date(int(key.month/12), time.Month(key.month%12+1), 1, 0, 0, 0, 0, time.UTC).Format("2006-01"))
				}
			}
			deleted = a.vanished(known)
		}
		decoded, err := decodeHistory(next.encode())
		if err != nil {
			panic(err)
		}
		known = decoded
	}
	slices.Sort(written)
	return written, deleted
}

func TestMonthsOfBalances(t *testing.T) {
	t.Parallel()
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	correct := func(on time.Time) func(time.Time, *finoos.Balance) bool {
		return func(d time.Time, b *finoos.Balance) bool {
			if d.Equal(on) {
				b.Hash++
			}
			return true
		}
	}
	without := func(on time.Time) func(time.Time, *finoos.Balance) bool {
		return func(d time.Time, _ *finoos.Balance) bool { return !d.Equal(on) }
	}
	first := dense(day(2024, 11, 20), day(2026, 11, 19), nil)
	for _, tc := range []struct {
		name    string
		answers []*finoos.AccountHistory
		written []string
		deleted []int32
	}{
		{"the same answer writes nothing", []*finoos.AccountHistory{first, first}, nil, nil},
		{"a new day writes its month; the day that slid out writes and deletes nothing", []*finoos.AccountHistory{first, dense(day(2024, 11, 21), day(2026, 11, 20), nil)}, []string{"2026-11"}, nil},
		{"weeks that slid out write and delete nothing", []*finoos.AccountHistory{first, dense(day(2024, 12, 24), day(2026, 11, 19), nil)}, nil, nil},
		{"a slid month that was corrected as well is written", []*finoos.AccountHistory{first, dense(day(2024, 11, 21), day(2026, 11, 19), correct(day(2024, 11, 25)))}, []string{"2024-11"}, nil},
		{"a corrected day writes its month only", []*finoos.AccountHistory{first, dense(day(2024, 11, 20), day(2026, 11, 19), correct(day(2026, 1, 31)))}, []string{"2026-01"}, nil},
		{"a day that vanished within the answer is deleted", []*finoos.AccountHistory{first, dense(day(2024, 11, 20), day(2026, 11, 19), without(day(2026, 2, 1)))}, []string{"2026-02"}, []int32{DaysOf(day(2026, 2, 1))}},
		{"a newest day that is missing is not deleted", []*finoos.AccountHistory{first, dense(day(2024, 11, 20), day(2026, 11, 18), nil)}, []string{"2026-11"}, nil},
		{"a newest day that did not come back is deleted when a later one comes", []*finoos.AccountHistory{
			first, dense(day(2024, 11, 20), day(2026, 11, 17), nil), dense(day(2024, 11, 20), day(2026, 11, 18), nil),
			dense(day(2024, 11, 20), day(2026, 11, 20), without(day(2026, 11, 19))),
		}, []string{"2026-11"}, []int32{DaysOf(day(2026, 11, 19))}},
		{"a newest day that comes back is not", []*finoos.AccountHistory{first, dense(day(2024, 11, 20), day(2026, 11, 17), nil), first}, []string{"2026-11"}, nil},
		{"an empty answer writes and deletes nothing", []*finoos.AccountHistory{first, {AccountID: "acc"}}, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			written, deleted := nights(tc.answers...)
			if diff := cmp.Diff(tc.written, written); diff != "" {
				t.Errorf("written: %s", diff)
			}
			if diff := cmp.Diff(tc.deleted, deleted); diff != "" {
				t.Errorf("deleted: %s", diff)
			}
		})
	}
}

func TestAnAbsentMonthWithinTheAnswerIsDeletedDayByDay(t *testing.T) {
	t.Parallel()
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	_, deleted := nights(
		dense(day(2026, 1, 1), day(2026, 3, 31), nil),
		dense(day(2026, 1, 1), day(2026, 3, 31), func(d time.Time, _ *finoos.Balance) bool { return d.Month() != time.February }),
	)
	if len(deleted) != 28 || deleted[0] != DaysOf(day(2026, 2, 1)) {
		t.Errorf("deleted %v", deleted)
	}
}

func TestAfterABackfillEveryHoleInTheAnswerIsDeleted(t *testing.T) {
	t.Parallel()
	day := func(m, d int) time.Time { return time.Date(2026, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	a := newSeriesMonths(&Result{}, dense(day(1, 30), day(3, 2), func(on time.Time, _ *finoos.Balance) bool {
		return !on.Equal(day(2, 28)) && !on.Equal(day(1, 31))
	}))
	want := []int32{DaysOf(day(1, 31)), DaysOf(day(2, 28))}
	if diff := cmp.Diff(want, a.vanished(a.everyDay())); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if got := newSeriesMonths(&Result{}, &finoos.AccountHistory{AccountID: "acc"}).everyDay(); len(got) > 0 {
		t.Errorf("an empty answer has %v", got)
	}
}

// TestHolesOfAPartialAnswerAreKeptInMindAfterAVoid: which of them the lake still has is
// not known, and which of them are real neither; the next whole answer deletes them.
func TestHolesOfAPartialAnswerAreKeptInMindAfterAVoid(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }
	hole := func(on time.Time, _ *finoos.Balance) bool { return !on.Equal(day(7)) }
	partial := newSeriesMonths(&Result{}, dense(day(1), day(20), hole))
	partial.partial = true
	h := &historyPass{res: &Result{}, unsure: true}
	h.start()
	h.next = history{}
	h.replace(partial)
	if len(h.deletes) > 0 {
		t.Errorf("%d days are deleted by an answer of which some cannot be read", len(h.deletes))
	}
	later := newSeriesMonths(&Result{}, dense(day(1), day(21), hole))
	if diff := cmp.Diff([]int32{DaysOf(day(7))}, later.vanished(h.next)); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
}
