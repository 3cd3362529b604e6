package jobs

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

// wrongClock is a run by a machine whose clock is years ahead.
const wrongClock = 10 * 365 * 24 * time.Hour

func TestAMarkFromTheFutureKeepsNobodyFromBeingGone(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t, at := b.t, newTown(b)
		clock := time.Date(2026, 11, 19, 2, 30, 0, 0, time.UTC)
		b.now = func() time.Time { return clock }
		at.are(upTo(20)...)
		b.run(few)
		at.are(upTo(12)...)
		clock = clock.Add(wrongClock)
		if rep := b.run(few); rep.Users.Missing != 8 {
			t.Fatalf("%+v", rep.Users)
		}
		clock = clock.Add(-wrongClock)
		for range 2 {
			clock = clock.Add(24 * time.Hour)
			b.run(few)
		}
		if n := len(b.cursors()); n != 12 {
			t.Errorf("%d users are known", n)
		}
	})
}

func TestAListThatWasImplausibleInTheFutureIsBelievedInAWeek(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		at := newTown(b)
		clock := time.Date(2026, 11, 19, 2, 30, 0, 0, time.UTC)
		b.now = func() time.Time { return clock }
		at.are(upTo(20)...)
		b.run(few)
		at.are(upTo(5)...)
		clock = clock.Add(wrongClock)
		b.inPart(few)
		clock = clock.Add(-wrongClock)
		for range 7 {
			clock = clock.Add(24 * time.Hour)
			b.inPart(few)
		}
		clock = clock.Add(24 * time.Hour)
		b.run(few)
	})
}

func TestAQuarantineFromTheFutureEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t, at := b.t, newTown(b)
		clock := time.Date(2026, 11, 19, 2, 30, 0, 0, time.UTC)
		b.now = func() time.Time { return clock }
		at.are(upTo(20)...)
		bad := b.UserID(4)
		at.shut = func(path string) *http.Response {
			if strings.HasPrefix(path, "/users/"+bad+"/") {
				return answerOf(nil, http.StatusBadRequest, `{}`)
			}
			return nil
		}
		clock = clock.Add(wrongClock)
		for range 6 {
			b.run(few, lenient)
			clock = clock.Add(24 * time.Hour)
		}
		clock = clock.Add(-wrongClock)
		at.shut = nil
		for range 8 {
			clock = clock.Add(24 * time.Hour)
			b.run(few, lenient)
		}
		if c := b.cursors()[bad][config.StreamContracts]; c.Failures != 0 {
			t.Errorf("%+v", c)
		}
	})
}

func TestAStampFromTheFutureIsReplaced(t *testing.T) {
	t.Parallel()
	tonight := time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)
	for _, test := range []struct {
		own, standing stamp
		before        bool
	}{
		{stamp{3, tonight}, stamp{3, tonight.Add(time.Hour)}, true},
		{stamp{3, tonight}, stamp{3, tonight.Add(wrongClock)}, false},
		{stamp{3, tonight}, stamp{4, tonight.Add(-wrongClock)}, true},
		{stamp{4, tonight}, stamp{3, tonight.Add(wrongClock)}, false},
		{stamp{3, tonight}, stamp{3, tonight}, false},
	} {
		if got := test.own.isBefore(test.standing); got != test.before {
			t.Errorf("%+v before %+v: %v", test.own, test.standing, got)
		}
	}
}

func TestWhatABankSaidInTheFutureHoldsNobodyBack(t *testing.T) {
	t.Parallel()
	p := config.Sync{When: config.SyncStale, StaleAfter: 20 * time.Hour}
	l := finoos.BankLogin{Status: "OK", LastSynchronization: tonight.Add(-48 * time.Hour)}
	last := banksync.Memory{Outcome: finoos.Blocked, Status: "OK", At: tonight.Add(wrongClock), Until: tonight.Add(wrongClock + time.Hour)}
	if got := banksync.Decide(&p, &l, last, tonight); got != banksync.Ask {
		t.Errorf("got %d", got)
	}
}
