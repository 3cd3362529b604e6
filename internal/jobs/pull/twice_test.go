package pull

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"finoos-syncer/internal/jobs/config"
)

// wrapped is an answer that tells how many records it should have.
func wrapped(list any, total int) record {
	return record{"transactions": list, "context": record{"total": total}}
}

// The first reading turns to a full one, which is short; the second finds nothing
// amiss with the window. What it writes is a difference, and must not say that it
// replaces all.
func TestAPullThatIsReadAgainIsWhatItsLastReadingWas(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	short, lags := false, false
	l.desk.answer = func(path string, query url.Values) (int, any) {
		status, body := b.answer(path, query)
		list, _ := body.([]record)
		switch windowed := len(query) > 0; {
		case windowed && lags:
			lags = false
			return status, list[1:]
		case !windowed && short:
			return status, wrapped(list, len(list)+1)
		case !windowed:
			return status, wrapped(list, len(list))
		}
		return status, body
	}
	for _, id := range []string{"u1", "u2", "u3", "u"} {
		l.user = &User{ID: id, Cursors: l.user.Cursors}
		clear(l.user.Cursors)
		l.pull(theBooked)
	}
	b.byID, short, lags = "refused", true, true
	b.booked[3]["purpose"] = "changed"
	l.pull(theBooked)
	short = false
	b.equals(t, l)
	if c := l.user.Cursor(theBooked); c.Whole {
		t.Error("the window of the second reading counts as whole")
	}
}

// Windows leave out what has no date, and ids find only what is booked: nothing
// has told that the pending one is gone.
func TestWhatHasNoDateIsOnlyGoneWhereItWouldBeSeen(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	delete(b.book("giro", "pending", 0), "bookingDate")
	b.dated = true
	booked := l.desk.answer
	l.desk.answer = func(path string, query url.Values) (int, any) {
		status, body := booked(path, query)
		if list, ok := body.([]record); ok && query.Has("transactionIds") {
			body = slices.DeleteFunc(list, func(r record) bool { return r["bookingDate"] == nil })
		}
		return status, body
	}
	l.pull(theBooked)
	for night := range 3 {
		b.booked[0]["purpose"] = fmt.Sprint("changed ", night)
		l.pull(theBooked)
		b.equals(t, l)
	}
}

// One that left the window is looked up, and comes twice, in any order.
func TestWhatTheSecondLookHoldsTwiceIsTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	var stood []string
	for _, swapped := range []bool{false, true} {
		b, l := newLedger(t)
		one := b.book("giro", "twice", 1)
		for _, purpose := range []string{"one", "other"} { // so that the window has repeats of its own
			b.book("giro", "repeated", 2)["purpose"] = purpose
		}
		l.pull(theBooked)
		one["bookingDate"] = "2024-01-01"
		other := b.book("giro", "twice", 1)
		other["bookingDate"], other["purpose"] = "2024-01-02", "other"
		if swapped {
			slices.Reverse(b.booked)
		}
		l.pull(theBooked)
		stood = append(stood, l.tables[string(theBooked)]["giro|twice"])
		if l.issues.Repeated != 2 {
			t.Errorf("%d are counted as repeated", l.issues.Repeated)
		}
		b.equals(t, l)
	}
	if stood[0] != stood[1] {
		t.Errorf("of two %q stand", stood)
	}
}

func TestWhatIsOddIsCountedOnceThoughItIsLookedUp(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	for _, rec := range b.booked {
		rec["valueDate"] = "0000-00-00"
	}
	b.book("depot", "g1", 1)["valueDate"] = 7
	l.pull(theBooked)
	if want := int64(len(b.booked)); l.issues.Unreadable != want {
		t.Fatalf("%d are unreadable, want %d", l.issues.Unreadable, want)
	}
	b.booked = slices.DeleteFunc(b.booked, func(r record) bool { return r["transactionId"] == "g1" && r["accountId"] == "giro" })
	b.booked[0]["bookingDate"] = "2024-01-01"
	l.pull(theBooked)
	if want := int64(len(b.booked)); l.issues.Unreadable != want {
		t.Errorf("%d are unreadable, want %d", l.issues.Unreadable, want)
	}
	b.equals(t, l)
}

func TestABookingThatMovesToAnotherAccountAndOutOfTheWindowIsNotLost(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	l.pull(theBooked)
	b.booked[0]["accountId"], b.booked[0]["bookingDate"] = "depot", "2024-01-01"
	l.pull(theBooked)
	b.equals(t, l)
}

func TestTagsThatCannotBeReadAreNotMissed(t *testing.T) {
	t.Parallel()
	entries := []record{{"accountId": "giro", "transactionId": "a", "tags": []any{"food", "home"}}, {"accountId": "giro", "transactionId": "b", "tags": []any{"car"}}}
	l := newLake(t, &desk{answer: func(string, url.Values) (int, any) {
		return http.StatusOK, record{"categorization": entries}
	}}, false, config.Job{Streams: []config.Stream{config.StreamCategorization}, Categorization: config.CategorizationFull})
	l.pull(config.StreamCategorization)
	whole := entries
	for _, odd := range []any{record{"food": true}, []any{"food", record{"odd": 1}}, []any{[]any{"home"}}} {
		entries = []record{{"accountId": "giro", "transactionId": "a", "tags": odd}}
		l.pull(config.StreamCategorization)
		if got := l.keys(config.StreamCategorization); !slices.Equal(got, []string{"giro|a|food", "giro|a|home"}) {
			t.Errorf("with tags %v there are %q", odd, got)
		}
		entries = whole
		l.pull(config.StreamCategorization)
		if got := l.keys(config.StreamCategorization); len(got) != 3 {
			t.Errorf("when they can be read again: %q", got)
		}
	}
	entries = []record{{"accountId": "giro", "transactionId": "a", "tags": []any{record{"odd": 1}}}}
	l.pull(config.StreamCategorization)
	entries = []record{{"accountId": "giro", "transactionId": "a", "tags": []any{"home"}}}
	l.pull(config.StreamCategorization)
	if got := l.keys(config.StreamCategorization); !slices.Equal(got, []string{"giro|a|home"}) {
		t.Errorf("one that has gone meanwhile is left: %q", got)
	}
}
