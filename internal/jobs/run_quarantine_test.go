package jobs

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

var tonight = time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)

// quick makes failures final at once, after two of them in a row quarantine.
const quick = "failures: {max_ratio: 1, retry_at_end: false, quarantine_after: 2}"

// nightsAsked runs the nights to come and says on which of them user 1 was asked
// for an operation.
func (b *bank) nightsAsked(nights int, operation string, lines ...string) (asked []int) {
	b.t.Helper()
	for night := 1; night <= nights; night++ {
		b.run(lines...)
		if b.asked(1)[operation] > 0 {
			asked = append(asked, night)
		}
		b.Night()
	}
	return asked
}

func TestAFailingStreamSitsOutMoreAndMoreNights(t *testing.T) {
	t.Parallel()
	now := tonight
	r := &session{log: slog.New(slog.DiscardHandler), job: &config.Job{Failures: config.Failures{QuarantineAfter: 2}}, o: RunOptions{Now: func() time.Time { return now }}}
	var c cursors.Cursor
	var tried []int
	for night := 1; night <= 27; night++ {
		// Runs do not get to a user at the same minute every night.
		now = tonight.AddDate(0, 0, night).Add(time.Duration(night*7%5) * time.Hour)
		if r.pauses(c) {
			continue
		}
		tried = append(tried, night)
		before := c
		c, _ = (&pull.Result{Outcome: pull.Failed, ExtractedAt: now}).Cursor(c, now)
		r.quarantine(t.Context(), &c, before)
	}
	// Two nights have no consequence; then 1, 2, 4, and 6 at a time are sat out.
	if want := []int{1, 2, 4, 7, 12, 19, 26}; !slices.Equal(tried, want) {
		t.Errorf("tried on nights %v, want %v", tried, want)
	}
}

func TestAPausingStreamCostsNoRequestAndIsCounted(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		bad := map[string]sandbox.UserFault{}
		for _, op := range []string{"correlation", "logins"} {
			bad[op] = sandbox.UserFault{Kind: sandbox.Rejected}
		}
		b.misbehave(sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{"1": bad}})
		always := "sync: {when: always, user_ip: 203.0.113.7}"
		for range 2 {
			if rep := b.run(quick, always, eachService, eachLogins); rep.Users.Failed != 1 || rep.Users.Quarantined != 0 {
				t.Fatalf("%+v", rep.Users)
			}
			b.Night()
		}
		commits := len(b.log())
		rep := b.run(quick, eachService, eachLogins)
		if asked := b.asked(1); len(asked) > 0 {
			t.Errorf("asked %v", asked)
		}
		want := report.UserCounts{Listed: 3, Unchanged: rep.Users.Unchanged, Pulled: rep.Users.Pulled, Quarantined: 1}
		if rep.Users != want || rep.Users.Done() != 3 || rep.Outcome != "done" {
			t.Errorf("%s, %+v", rep.Outcome, rep.Users)
		}
		for s, sr := range rep.Streams {
			if want := int64(1); s != config.StreamUsers && sr.Quarantined != want {
				t.Errorf("%s: %d in quarantine", s, sr.Quarantined)
			}
		}
		if rep.Users.Pulled == 0 && len(b.log()) != commits {
			t.Error("a pause was written")
		}
	})
}

func TestTheOtherStreamsOfAUserInQuarantineGoOn(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(2), func(b *bank) {
		t := b.t
		lines := []string{quick, "streams: [accounts, contracts]"}
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		b.nightsAsked(2, "contracts", lines...)
		rep := b.run(lines...)
		asked := b.asked(1)
		if asked["accounts"] != 1 || asked["correlation contracts"] != 0 || asked["contracts"] != 0 {
			t.Errorf("asked %v", asked)
		}
		if rep.Users.Quarantined != 1 || rep.Users.Pulled != 1 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestOneSuccessEndsAQuarantine(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		lines := []string{quick, "streams: [contracts]"}
		if got := b.nightsAsked(3, "contracts", lines...); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("tried on nights %v", got)
		}
		b.misbehave(sandbox.Faults{})
		rep := b.run(lines...)
		if c := b.cursors()[b.UserID(1)][config.StreamContracts]; rep.Users.Pulled != 1 || c.Failures != 0 || !c.RetryAt.IsZero() {
			t.Errorf("%+v, %+v", rep.Users, c)
		}
	})
}

func TestOnlyFailedAndFullIgnoreAPause(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		lines := []string{quick, "streams: [contracts]"}
		b.nightsAsked(2, "contracts", lines...)
		before := b.cursors()[b.UserID(1)][config.StreamContracts]
		o := b.options(b.config(lines...))
		o.OnlyFailed = true
		rep, err := b.try(t.Context(), o)
		if err != nil || b.asked(1)["contracts"] != 1 || rep.Users != (report.UserCounts{Listed: 1, Failed: 1}) {
			t.Errorf("only failed: %v, asked %v, %+v", err, b.asked(1), rep.Users)
		}
		for _, u := range []int{0, 2, 3} {
			if len(b.asked(u)) > 0 {
				t.Errorf("user %d has not failed, but was asked for %v", u, b.asked(u))
			}
		}
		// What is tried beside the nights does not make the pause longer.
		if c := b.cursors()[b.UserID(1)][config.StreamContracts]; c.Failures != before.Failures || !c.RetryAt.Equal(before.RetryAt) {
			t.Errorf("%+v, want as before: %+v", c, before)
		}
		o.OnlyFailed, o.Full = false, true
		if _, err := b.try(t.Context(), o); err != nil || b.asked(1)["contracts"] != 1 {
			t.Errorf("full: %v, asked %v", err, b.asked(1))
		}
		b.misbehave(sandbox.Faults{})
		o.OnlyFailed, o.Full = true, false
		if rep, err = b.try(t.Context(), o); err != nil || rep.Users.Pulled != 1 {
			t.Errorf("once the fault is over: %v, %+v", err, rep.Users)
		}
	})
}

func TestAUserWhoseOwnPathFailsIsAskedForLessAndLess(t *testing.T) {
	t.Parallel()
	o := banktest.Still(12)
	o.PageSize = 4
	inBubble(t, o, func(b *bank) {
		t := b.t
		lines := []string{quick, "streams: [users]"}
		b.run(lines...)
		b.misbehave(sandbox.Faults{Shift: sandbox.ShiftRemove})
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if strings.Count(r.URL.Path, "/") == 2 && strings.HasPrefix(r.URL.Path, "/users/") {
				return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		for night := 1; night <= 3; night++ {
			b.Night()
			rep := b.run(lines...)
			failed, paused := rep.Users.Failed > 0, rep.Users.Quarantined > 0
			if failed != (night < 3) || paused != (night == 3) || rep.Users.Listed != 12 || b.Counts()["user"] > 0 {
				t.Errorf("night %d: %+v, %d users asked for", night, rep.Users, b.Counts()["user"])
			}
		}
	})
}

func TestWhatFailsIsTriedAtLeastOnceAWeek(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{
		5: 36 * time.Hour, 6: 60 * time.Hour, 7: 108 * time.Hour, 8: 156 * time.Hour, 9: 156 * time.Hour, 1000: 156 * time.Hour,
	} {
		if got := untilAfter(pauseAfter(failures, 5), tonight).Sub(tonight); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
	if pauseAfter(4, 5) != 0 {
		t.Error("a pause too early")
	}
}
