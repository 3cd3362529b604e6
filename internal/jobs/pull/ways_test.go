package pull

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/config"
)

func TestTooManyToLookUpAreReadInFull(t *testing.T) {
	t.Parallel()
	for _, n := range []int{200, 3000} { // five requests name some 1,200
		b, l := newLedger(t)
		for i := range n {
			b.book("giro", fmt.Sprint("many", i), 1)
		}
		l.pull(theBooked)
		for i := range n {
			b.drop(fmt.Sprint("many", i))
		}
		l.pull(theBooked)
		asked := strings.Join(l.desk.asked, " ")
		if byID := strings.Contains(asked, "transactionIds"); byID != (n == 200) {
			t.Errorf("%d are missing: %d requests, by id %v", n, len(l.desk.asked), byID)
		}
		b.equals(t, l)
	}
}

// What was never asked says nothing of what the API can do.
func TestIDsThatCannotBeAskedForStopNoOthers(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	for i := range 4 {
		b.book("giro", fmt.Sprint("odd,", i), 0)
	}
	l.pull(theBooked)
	for i := range 4 {
		b.drop(fmt.Sprint("odd,", i))
		l.pull(theBooked)
		b.equals(t, l)
	}
	b.drop("g1")
	l.pull(theBooked)
	if asked := strings.Join(l.desk.asked, " "); !strings.Contains(asked, "transactionIds") {
		t.Errorf("asked %q", asked)
	}
	b.equals(t, l)
}

func TestWhatMovesToAnUnknownAccountBringsAllOfIt(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	l.pull(theBooked)
	b.booked[0]["accountId"], b.booked[0]["bookingDate"] = "new", "2024-01-01"
	b.book("new", "older", 900)
	l.pull(theBooked)
	b.equals(t, l)
}

func TestOnlyARefusalThatMayBeTheWindowsHasAnotherWay(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{400: true, 403: true, 416: true, 404: false, 422: false, 409: false} {
		b, l := newLedger(t)
		l.pull(theBooked)
		l.desk.answer = func(path string, query url.Values) (int, any) {
			if query.Has("since") {
				return status, record{"type": "no", "message": "no"}
			}
			return b.answer(path, query)
		}
		if _, err := l.try(theBooked); (err == nil) != want {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// Three months are all that such a window holds: what is older is not missing.
func TestAShorterWindowMissesNothingThatIsOlder(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	b.book("old", "95 days ago", 95) // so that windows reach back as far as they may
	b.refuses = func(q url.Values) bool { return q.Has("since") }
	l.pull(theBooked)
	for range 2 {
		b.book("giro", fmt.Sprint("new", l.now.Unix()), 0)
		l.pull(theBooked)
		if asked := strings.Join(l.desk.asked, " "); strings.Contains(asked, "transactionIds") {
			t.Errorf("asked %s", asked)
		}
		b.equals(t, l)
	}
}

// Where nothing is refreshed, a window that was refused is tried again all the same.
func TestAWayInIsNotKeptForEver(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	l.reader.Job.FullRefreshEvery = 0
	l.pull(theBooked)
	b.refuses = func(q url.Values) bool { return q.Has("since") }
	l.pull(theBooked)
	b.refuses = nil
	for night := range 40 {
		b.book("giro", fmt.Sprint("new", night), 0)
		l.pull(theBooked)
		if since := strings.Contains(l.desk.asked[0], "since="); since != (night >= int(neverRefreshed/day)-1) {
			t.Errorf("night %d asked %q", night, l.desk.asked)
		}
	}
	b.equals(t, l)
}

func TestDaysThatAreNotAllKnownMissNone(t *testing.T) {
	t.Parallel()
	entries, l := newHistory(t, config.Job{})
	for _, odd := range []any{"2026-02-30", nil} {
		tell := func(list []record) int {
			*entries = []record{{"accountId": "giro", "currency": "EUR", "balances": list}}
			l.pull(config.StreamAccountHistory)
			return len(l.keys(config.StreamAccountHistory))
		}
		tell(days(0, 39))
		if got := tell(append(append(days(0, 9), days(11, 39)...), record{"date": odd, "balance": 1})); got != 40 {
			t.Errorf("with a day that is %v: %d rows", odd, got)
		}
	}
}

func TestARefreshWritesAllMonthsAndEndsWhatABackfillMayHaveBrought(t *testing.T) {
	t.Parallel()
	entries, l := newHistory(t, config.Job{FullRefreshEvery: 3 * 24 * time.Hour})
	holed := append(days(0, 9), days(11, 39)...)
	*entries = []record{{"accountId": "giro", "currency": "EUR", "balances": holed}}
	written := 0
	for range 8 {
		written += l.pull(config.StreamAccountHistory)
	}
	if written < 3*39 || written > 4*39 {
		t.Errorf("eight nights wrote %d rows of %d", written, 39)
	}
	brought := "giro|EUR|" + strconv.Itoa(int(DaysOf(time.Date(2026, 6, 11, 0, 0, 0, 0, time.UTC))))
	l.tables[string(config.StreamAccountHistory)][brought] = "by a backfill"
	c := l.user.Cursors[config.StreamAccountHistory]
	c.Backfilled = true
	l.user.Cursors[config.StreamAccountHistory] = c
	l.pull(config.StreamAccountHistory)
	if got := l.keys(config.StreamAccountHistory); len(got) != 39 {
		t.Errorf("%d rows, with what is not there: %v", len(got), l.tables[string(config.StreamAccountHistory)][brought])
	}
}

// A gateway that gives up over each look-up is no reason to fail every night.
func TestALookUpThatFailsHasAnotherWay(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 502, 503, 504, 202, 408, 414, 200} {
		b, l := newLedger(t)
		l.desk.answer = func(path string, query url.Values) (int, any) {
			if query.Has("transactionIds") {
				return status, nil
			}
			return b.answer(path, query)
		}
		l.pull(theBooked)
		for i := range 4 {
			b.drop(fmt.Sprint("g", i))
			if _, err := l.try(theBooked); err != nil {
				t.Errorf("%d: %v", status, err)
			}
			b.equals(t, l)
		}
	}
	b, l := newLedger(t)
	l.pull(theBooked)
	b.drop("g1")
	l.desk.answer = func(path string, query url.Values) (int, any) {
		if query.Has("since") {
			return b.answer(path, query)
		}
		return 503, nil
	}
	if _, err := l.try(theBooked); err == nil {
		t.Error("neither ids nor a full pull are answered, and there is no error")
	}
}
