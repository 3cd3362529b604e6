package pull

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/jobs/config"
)

// ledger is a bank that answers windows of transactions, in one reading or another.
type ledger struct {
	booked  []record
	by      string                      // the date that windows compare
	refuses func(query url.Values) bool // what is answered with 400
	dated   bool                        // a window holds none without a date
	byID    string                      // what becomes of transactionIds: "", ignored, refused, nothing
	now     func() time.Time
}

func (b *ledger) answer(_ string, query url.Values) (int, any) {
	if b.refuses != nil && b.refuses(query) {
		return http.StatusBadRequest, record{"type": "invalid_period", "message": "no"}
	}
	since, ids := "", query.Get("transactionIds")
	switch {
	case ids != "" && b.byID == "":
		return http.StatusOK, byID(b.booked, ids)
	case ids != "" && b.byID == "refused":
		return http.StatusBadRequest, record{"type": "invalid_parameter", "message": "no"}
	case ids != "" && b.byID == "nothing":
		return http.StatusOK, []record{}
	case query.Get("lastMonths") != "":
		since = b.now().AddDate(0, -3, 0).Format(time.DateOnly)
	case query.Get("since") != "":
		since = query.Get("since")[:len(time.DateOnly)]
	}
	list := []record{}
	for _, rec := range b.booked {
		if at, ok := rec[b.by].(string); ok && at >= since || !ok && (since == "" || !b.dated) {
			list = append(list, rec)
		}
	}
	return http.StatusOK, list
}

func (b *ledger) book(account, id string, daysAgo int) record {
	at := b.now().AddDate(0, 0, -daysAgo).Format(time.DateOnly)
	rec := record{"accountId": account, "transactionId": id, "bookingDate": at, "valueDate": at, "purpose": id}
	b.booked = append(b.booked, rec)
	return rec
}

func newLedger(t *testing.T) (*ledger, *lake) {
	t.Helper()
	b := &ledger{by: "bookingDate"}
	l := newLake(t, &desk{answer: b.answer}, false, config.Job{Streams: []config.Stream{config.StreamTransactions}})
	b.now = func() time.Time { return l.now }
	for i := range 6 {
		b.book("giro", fmt.Sprint("g", i), 2*i)
		b.book("depot", fmt.Sprint("d", i), 2*i+1)
	}
	return b, l
}

const theBooked = config.StreamTransactions

func (b *ledger) drop(id string) {
	b.booked = slices.DeleteFunc(b.booked, func(r record) bool { return r["transactionId"] == id })
}

func TestWhatAWindowNoLongerHoldsIsLookedUpBeforeItIsDeleted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		setup   func(b *ledger)
		change  func(b *ledger)
		rows    int
		asked   int // requests of the second night
		deleted []string
	}{
		{"one that is gone is deleted", nil, func(b *ledger) { b.drop("g1") }, 1, 2, []string{"giro|g1"}},
		{"one that moved out of the window is written", nil, func(b *ledger) { b.booked[0]["bookingDate"] = "2024-01-01" }, 1, 2, nil},
		{"one that the other date hides is left alone", func(b *ledger) { b.by = "valueDate" }, func(b *ledger) { b.booked[0]["valueDate"] = "2024-01-01" }, 1, 2, nil},
		{"a pending one that is booked under another id is gone the same night", func(b *ledger) {
			delete(b.book("giro", "pending", 0), "bookingDate")
			delete(b.book("depot", "pending still", 0), "bookingDate")
		}, func(b *ledger) { b.drop("pending"); b.book("giro", "booked", 0) }, 2, 2, []string{"giro|pending"}},
		{"the only pending one is gone the same night by a full pull", func(b *ledger) {
			delete(b.book("giro", "pending", 0), "bookingDate")
		}, func(b *ledger) { b.drop("pending") }, 12, 3, []string{"giro|pending"}},
		{"a pending one that windows leave out stays", func(b *ledger) {
			delete(b.book("giro", "pending", 0), "bookingDate")
			b.dated = true
		}, func(b *ledger) { b.booked[0]["purpose"] = "changed" }, 1, 2, nil},
		{"of two accounts with one id only the one that is gone is deleted", func(b *ledger) {
			b.book("depot", "g1", 1)
		}, func(b *ledger) {
			b.booked = slices.DeleteFunc(b.booked, func(r record) bool { return r["transactionId"] == "g1" && r["accountId"] == "giro" })
		}, 1, 2, []string{"giro|g1"}},
		{"ids that are ignored end in a full pull", func(b *ledger) { b.byID = "ignored" }, func(b *ledger) { b.drop("g1") }, 11, 3, []string{"giro|g1"}},
		{"ids that are refused end in a full pull", func(b *ledger) { b.byID = "refused" }, func(b *ledger) { b.drop("g1") }, 11, 3, []string{"giro|g1"}},
		{"ids that find nothing end in a full pull", func(b *ledger) { b.byID = "nothing" }, func(b *ledger) { b.drop("g1") }, 11, 3, []string{"giro|g1"}},
		{"where nothing is left to try the ids by, a full pull tells", nil, func(b *ledger) { b.booked = nil }, 0, 2, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, l := newLedger(t)
			if tc.setup != nil {
				tc.setup(b)
			}
			l.pull(theBooked)
			before := l.keys(theBooked)
			tc.change(b)
			rows := l.pull(theBooked)
			if rows != tc.rows || len(l.desk.asked) != tc.asked {
				t.Errorf("%d rows and %d requests, want %d and %d: %q", rows, len(l.desk.asked), tc.rows, tc.asked, l.desk.asked)
			}
			for _, key := range tc.deleted {
				if slices.Contains(l.keys(theBooked), key) || !slices.Contains(before, key) {
					t.Errorf("%s is still there, or never was", key)
				}
			}
			b.equals(t, l)
			if rows := l.pull(theBooked); rows != 0 && tc.asked < 3 {
				t.Errorf("the next night writes %d rows", rows)
			}
		})
	}
}

// equals compares the lake with a first pull of the bank as it is.
func (b *ledger) equals(t *testing.T, l *lake) {
	t.Helper()
	truth := newLake(t, &desk{answer: b.answer}, false, *l.reader.Job)
	truth.now = l.now
	truth.pull(theBooked)
	if diff := cmp.Diff(truth.tables, l.tables); diff != "" {
		t.Errorf("(-truth +lake):\n%s", diff)
	}
}

// Whatever happens to the bookings between two nights, in whatever reading of the
// API, the lake holds what the API holds; but what is new to a window that another
// date cuts comes with a refresh.
func TestTheLakeFollowsBookingsThatMove(t *testing.T) {
	t.Parallel()
	for seed := range uint64(80) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			b, l := newLedger(t)
			if seed%2 == 1 {
				l.reader.Client = newLake(t, l.desk, true, *l.reader.Job).reader.Client
			}
			l.reader.Job.Overlap = 40 * 24 * time.Hour // all bookings lie in each night's window
			r := rand.New(rand.NewPCG(seed, 7))
			b.byID = pick(r, []string{"", "", "ignored", "refused", "nothing"})
			b.by = pick(r, []string{"bookingDate", "bookingDate", "valueDate"})
			l.pull(theBooked)
			for night := range 8 {
				for range r.IntN(4) {
					b.move(r, night)
				}
				l.pull(theBooked)
				b.equals(t, l)
				r.Shuffle(len(b.booked), func(i, j int) { b.booked[i], b.booked[j] = b.booked[j], b.booked[i] })
				if rows := l.pull(theBooked); rows != 0 && b.byID == "" {
					t.Errorf("the same in another order wrote %d rows", rows)
				}
				b.equals(t, l)
			}
		})
	}
}

// move changes a random booking.
func (b *ledger) move(r *rand.Rand, night int) {
	ago := func(n int) string { return b.now().AddDate(0, 0, -n).Format(time.DateOnly) }
	if len(b.booked) == 0 || r.IntN(4) == 0 {
		rec := b.book(pick(r, []string{"giro", "depot"}), fmt.Sprint("n", night, "-", r.IntN(3)), r.IntN(3))
		if r.IntN(3) == 0 {
			delete(rec, "bookingDate")
			delete(rec, "valueDate")
		}
		return
	}
	i := r.IntN(len(b.booked))
	switch r.IntN(6) {
	case 5: // it is there twice, and differs
		if b.by == "valueDate" { // a window would have only one of them, later
			return
		}
		other := maps.Clone(b.booked[i])
		other["purpose"] = strconv.Itoa(r.IntN(100))
		if r.IntN(2) == 0 {
			other["bookingDate"] = ago(r.IntN(9))
		}
		b.booked = append(b.booked, other)
	case 0:
		b.booked = slices.Delete(b.booked, i, i+1)
	case 1:
		b.booked[i]["bookingDate"] = ago(r.IntN(9))
	case 2:
		b.booked[i]["valueDate"] = ago(r.IntN(400))
	case 3:
		b.booked[i]["purpose"] = strconv.Itoa(r.IntN(100))
	case 4:
		b.booked[i]["accountId"] = pick(r, []string{"giro", "depot"})
	}
}

func TestARefusedWindowHasOtherWaysIn(t *testing.T) {
	t.Parallel()
	since := func(q url.Values) bool { return q.Get("since") != "" }
	early := func(q url.Values) bool {
		return q.Get("since") != "" && q.Get("since")[:10] > thatNight.AddDate(0, 0, -60).Format(time.DateOnly)
	}
	all := func(q url.Values) bool { return since(q) || q.Get("lastMonths") != "" }
	for _, tc := range []struct {
		name    string
		refuses func(url.Values) bool
		first   int // requests of the night on which it begins
		then    int
		param   string
	}{
		{"the last three months since a day", early, 2, 1, "since="},
		{"the last three months by number", since, 3, 1, "lastMonths=3"},
		{"in full", all, 4, 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, l := newLedger(t)
			l.reader.Job.FullRefreshEvery = 10 * 24 * time.Hour
			l.pull(theBooked)
			b.refuses = tc.refuses
			b.drop("g1")
			b.book("giro", "new", 0)
			l.pull(theBooked)
			windows := slices.DeleteFunc(slices.Clone(l.desk.asked), func(s string) bool { return strings.Contains(s, "transactionIds") })
			if len(windows) != tc.first {
				t.Errorf("asked %q", l.desk.asked)
			}
			b.equals(t, l)
			b.book("giro", "newer", 0)
			l.pull(theBooked)
			if got := l.desk.asked; len(got) != tc.then || !strings.HasSuffix(strings.Split(got[0], "=")[0], strings.Split(tc.param, "=")[0]) {
				t.Errorf("the next night asked %q", got)
			}
			b.equals(t, l)
			b.refuses = nil
			short := false
			for range 12 {
				b.book("giro", fmt.Sprint("later", l.now.Unix()), 0)
				l.pull(theBooked)
				b.equals(t, l)
				if asked := l.desk.asked[0]; strings.Contains(asked, "since=") && asked[strings.Index(asked, "since=")+6:][:10] > l.now.AddDate(0, 0, -60).Format(time.DateOnly) {
					short = true
				}
			}
			if !short {
				t.Error("the window was never asked for again")
			}
		})
	}
}

func TestAWayInThatFailsTooIsNotRemembered(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	l.pull(theBooked)
	b.refuses = func(url.Values) bool { return true }
	if _, err := l.try(theBooked); err == nil {
		t.Fatal("all ways are refused, and there is no error")
	}
	b.refuses = nil
	l.pull(theBooked)
	if len(l.desk.asked) != 1 || !strings.Contains(l.desk.asked[0], "since=") {
		t.Errorf("asked %q", l.desk.asked)
	}
}

func TestAnApiThatIgnoresIdsIsNotAskedForThemForEver(t *testing.T) {
	t.Parallel()
	b, l := newLedger(t)
	b.byID = "ignored"
	l.pull(theBooked)
	for i := range 5 {
		b.drop(fmt.Sprint("g", i))
		l.pull(theBooked)
		if want := 3 - i/3; len(l.desk.asked) != want {
			t.Errorf("pull %d asked %q", i, l.desk.asked)
		}
		b.equals(t, l)
	}
}
