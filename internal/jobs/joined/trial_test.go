package joined

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

// user has an id that is one of those who are read both ways ever after, or none.
func user(i int, audited bool) string {
	for k := i * 1000; ; k++ {
		if id := fmt.Sprintf("u%d", k); isAudited("", id) == audited {
			return id
		}
	}
}

func equal(size int) Verdict {
	return Verdict{Compared: true, Tells: true, Size: finoos.JoinedSize{Accounts: 1, Transactions: size, Largest: size}}
}

// proven is a trial in which twenty users have shown that it holds what the endpoints hold.
func proven(t *testing.T, o Options) *Trial {
	t.Helper()
	trial := NewTrial(o)
	for i := range shownBy {
		if p := trial.Ask(user(i, false), Streams()); !p.Both {
			t.Fatalf("user %d: %+v", i, p)
		}
		trial.Compared(equal(100))
	}
	return trial
}

func TestTwentyUsersShowThatOneAnswerHoldsWhatTheEndpointsHold(t *testing.T) {
	t.Parallel()
	trial := proven(t, Options{Mode: config.FirstJoined})
	if p := trial.Ask(user(50, false), Streams()); p.Both || len(p.Streams) != 3 {
		t.Errorf("%+v", p)
	}
	if p := trial.Ask(user(50, true), Streams()); !p.Both {
		t.Errorf("who is audited: %+v", p)
	}
	if p := trial.Ask(user(51, false), Streams()[1:]); len(p.Streams) != 2 {
		t.Errorf("%+v", p)
	}
	if p := trial.Ask(user(52, false), Streams()[2:]); p.Streams != nil {
		t.Errorf("one stream: %+v", p)
	}
}

func TestWhoHasNothingToCompareShowsNothing(t *testing.T) {
	t.Parallel()
	trial := NewTrial(Options{Mode: config.FirstJoined})
	nothing := equal(1)
	nothing.Tells = false
	for i := range mostTried {
		if p := trial.Ask(user(i, false), Streams()); !p.Both {
			t.Fatalf("user %d: %+v", i, p)
		}
		trial.Compared(nothing)
	}
	trial.Ask(user(99, false), Streams())
	if r := trial.Report(); r.Mode != "separate" || !strings.Contains(r.Why, "only 0 have") {
		t.Errorf("%+v", r)
	}
}

func TestNoMoreThanTwentyAreReadBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	trial := NewTrial(Options{Mode: config.FirstJoined})
	both := func(n int) (asked int) {
		for i := range n {
			if trial.Ask(user(i, false), Streams()).Both {
				asked++
			}
		}
		return asked
	}
	if n := both(50); n != fewAtOnce {
		t.Errorf("%d before any answer could be used", n)
	}
	trial.Compared(equal(10))
	if n := both(50); n != shownBy-fewAtOnce {
		t.Errorf("%d more, once one could", n)
	}
}

func TestWhatIsLargerThanAnyThatWasComparedIsCompared(t *testing.T) {
	t.Parallel()
	trial := proven(t, Options{Mode: config.FirstJoined})
	for _, c := range []struct {
		size finoos.JoinedSize
		want bool
	}{
		{finoos.JoinedSize{Accounts: 1, Transactions: 100, Largest: 100}, true},
		{finoos.JoinedSize{Accounts: 2, Transactions: 10, Largest: 10}, false},
		{finoos.JoinedSize{Accounts: 1, Transactions: 101, Largest: 1}, false},
		{finoos.JoinedSize{Accounts: 1, Transactions: 100, Largest: 101}, false},
	} {
		if got := trial.Suits(c.size, nil, Streams()); got != c.want {
			t.Errorf("%+v: %v", c.size, got)
		}
	}
	if trial.Suits(finoos.JoinedSize{}, []string{"unheard"}, Streams()) {
		t.Error("a field of which nobody knows whose it is")
	}
	trial.Compared(Verdict{Compared: true, Tells: true, Size: finoos.JoinedSize{Accounts: 3, Transactions: 300, Largest: 200}, tags: []string{"unheard"}})
	if !trial.Suits(finoos.JoinedSize{Accounts: 3, Transactions: 300, Largest: 200}, []string{"unheard"}, Streams()) {
		t.Error("it was compared meanwhile")
	}
}

func TestAStreamThatDiffersIsReadFromItsEndpoint(t *testing.T) {
	t.Parallel()
	trial := NewTrial(Options{Mode: config.FirstJoined})
	trial.Ask(user(0, false), Streams())
	differs := Verdict{Compared: true, Differs: map[config.Stream][]string{config.StreamAccounts: {"balance"}}}
	doubtful, inDoubt := trial.Compared(differs)
	if diff := cmp.Diff([]config.Stream{config.StreamAccounts}, doubtful); diff != "" || inDoubt != 0 {
		t.Error(diff, inDoubt)
	}
	if p := trial.Ask(user(1, false), Streams()); len(p.Streams) != 2 {
		t.Errorf("%+v", p)
	}
	if doubtful, _ := trial.Compared(differs); doubtful != nil {
		t.Errorf("%v again", doubtful)
	}
	trial.Ask(user(2, false), Streams())
	trial.Compared(Verdict{Compared: true, Differs: map[config.Stream][]string{config.StreamCategorization: {"tags"}}})
	if r := trial.Report(); r.Mode != "separate" || r.Why != "it is not what the endpoints tell: accounts (balance); categorization (tags)" || trial.Ask(user(3, false), Streams()).Streams != nil {
		t.Errorf("%+v", r)
	}
}

func TestOneThatDiffersEndsItForTheRun(t *testing.T) {
	t.Parallel()
	trial := proven(t, Options{Mode: config.FirstJoined})
	for i := range 7 {
		trial.Ask(user(100+i, false), Streams())
		trial.Used()
	}
	trial.Ask(user(0, true), Streams())
	doubtful, inDoubt := trial.Compared(Verdict{Compared: true, Differs: map[config.Stream][]string{config.StreamTransactions: {"amount"}}})
	if r := trial.Report(); inDoubt != 7 || len(doubtful) != 1 || r.InDoubt != 7 || r.Mode != "separate" || trial.Ask(user(200, false), Streams()).Streams != nil {
		t.Errorf("%v, %d, %+v", doubtful, inDoubt, r)
	}
}

func TestItIsTriedWhereItPays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o     Options
		tried int // the pull that is the first, 0 for none
	}{
		"a first night":   {Options{Mode: config.FirstAuto, Pulls: EnoughFirst}, 1},
		"nobody knows":    {Options{Mode: config.FirstAuto}, EnoughFirst},
		"wanted":          {Options{Mode: config.FirstJoined}, 1},
		"not wanted":      {Options{Mode: config.FirstSeparate, Pulls: 1000}, 0},
		"named users":     {Options{Mode: config.FirstAuto, Pulls: 1000, Why: "few"}, 0},
		"two doubts":      {Options{Mode: config.FirstAuto, Pulls: 1000, Doubted: map[config.Stream]Doubt{"accounts": {}, "transactions": {}}}, 0},
		"only one stream": {Options{Mode: config.FirstAuto, Pulls: 1000, Doubted: map[config.Stream]Doubt{"accounts": {}}}, 1},
	} {
		trial, first := NewTrial(c.o), 0
		for i := range 100 {
			if p := trial.Ask(user(i, false), Streams()); p.Streams != nil && first == 0 {
				first = i + 1
			}
		}
		if r := trial.Report(); first != c.tried || r == nil || r.Mode == "separate" && r.Why == "" {
			t.Errorf("%s: at pull %d, want %d; %+v", name, first, c.tried, r)
		}
	}
}

func TestAnswersThatCannotBeUsedEndIt(t *testing.T) {
	t.Parallel()
	trial := NewTrial(Options{Mode: config.FirstJoined})
	for i := range mostUnusable {
		trial.Ask(user(i, false), Streams())
		trial.Unusable(&finoos.Error{Class: finoos.Forbidden, Status: 403}, true)
		trial.Ask(user(i, false), Streams())
		trial.Unusable(&finoos.NotJoinedError{Why: finoos.JoinedEmpty}, true)
	}
	r := trial.Report()
	if diff := cmp.Diff(map[string]int64{"status 403": mostUnusable, "empty": mostUnusable - 1 + 1}, r.FellBack); diff != "" || r.Mode != "separate" || !strings.Contains(r.Why, "status 403") {
		t.Errorf("%+v %s", r, diff)
	}
}

func TestWhatDifferedIsInDoubtUntilItIsReadFromItsEndpoint(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 19, 3, 0, 0, 0, time.UTC)
	of := func(s config.Stream, joinedAt time.Time) cursors.Cursor {
		return cursors.Cursor{Stream: string(s), JoinedAt: joinedAt}
	}
	var m Memory
	m.Add(false, []config.Stream{config.StreamAccounts}, map[config.Stream][]string{config.StreamAccounts: {"iban"}}, now.Add(-2*time.Hour), now)
	// The tags of transactions are of the moment: those of before are not wrong by it.
	m.Add(true, []config.Stream{config.StreamTransactions}, map[config.Stream][]string{config.StreamTransactions: {"tags"}}, now.Add(-2*time.Hour), now)
	for _, c := range []struct {
		c    cursors.Cursor
		want bool
	}{
		{of(config.StreamAccounts, time.Time{}), false},
		{of(config.StreamAccounts, now.Add(-time.Hour)), true},
		{of(config.StreamAccounts, now.AddDate(0, -1, 0)), true},
		{of(config.StreamAccounts, now.Add(2*time.Hour)), false},
		{of(config.StreamCategorization, now.Add(-time.Hour)), false},
		{of(config.StreamTransactions, now.Add(-time.Hour)), true},
		{of(config.StreamTransactions, now.AddDate(0, 0, -1)), false},
	} {
		if got := m.InDoubt(c.c); got != c.want {
			t.Errorf("%s of %s: %v", c.c.Stream, c.c.JoinedAt, got)
		}
	}
	first, again := m.Recent(now.AddDate(0, 0, 6))
	if len(first) != 1 || len(again) != 1 {
		t.Errorf("after six days: %v, %v", first, again)
	}
	if first, again = m.Recent(now.AddDate(0, 0, 7)); len(first)+len(again) > 0 {
		t.Errorf("after a week: %v, %v", first, again)
	}
	if _, err := Recall([]byte("{")); err == nil {
		t.Error("half an object is recalled")
	}
}

func TestADigestTellsEachFieldAndNoName(t *testing.T) {
	t.Parallel()
	base := func() finoos.Transaction {
		return finoos.Transaction{ID: "1", AccountID: "A", Amount: "1.10", Tags: []string{"x"}, Record: finoos.Record{Hash: 1, Extra: `{"Klaus":1}`}}
	}
	of := func(list ...finoos.Transaction) *Digest {
		d, err := OfTransactions(texts(list))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	two := base()
	two.ID = "2"
	if diff := of(base(), two).differsFrom(of(two, base())); diff != nil {
		t.Errorf("in another order: %v", diff)
	}
	for want, change := range map[string]func(*finoos.Transaction){
		"amount": func(b *finoos.Transaction) { b.Amount = "1.1" }, "purpose": func(b *finoos.Transaction) { b.Purpose = "p" }, "tags": func(b *finoos.Transaction) { b.Tags = []string{} },
		"paymentpartner.iban": func(b *finoos.Transaction) { b.PartnerIBAN = "DE" }, "bookingdate": func(b *finoos.Transaction) { b.BookingDate = time.Unix(0, 0).UTC() },
		"_extra": func(b *finoos.Transaction) { b.Extra = `{"Klaus":2}` }, "how a field is written": func(*finoos.Transaction) {},
	} {
		other := base()
		other.Hash = 2
		change(&other)
		if diff := cmp.Diff([]string{want}, of(other).differsFrom(of(base()))); diff != "" {
			t.Error(want, diff)
		}
	}
	if got := of(base()).differsFrom(of(base(), two)); len(got) == 0 || got[0] != "1 of 2 records" {
		t.Errorf("%v", got)
	}
}

// texts are records that lie in memory.
type texts []finoos.Transaction

func (l texts) Each(visit func(*finoos.Transaction) error) error {
	for i := range l {
		if err := visit(&l[i]); err != nil {
			return err
		}
	}
	return nil
}
