package jobs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// costs is what one user costs who is pulled for the first time, or has
// changed, by stream.
var costs = map[config.Stream]map[string]int{
	config.StreamUsers:          {},
	config.StreamBankLogins:     {"logins": 1},
	config.StreamAccounts:       {"correlation banking": 1, "accounts": 1},
	config.StreamTransactions:   {"correlation banking": 1, "transactions": 1},
	config.StreamCategorization: {"correlation categorization": 1, "categorization": 1},
	config.StreamContracts:      {"correlation contracts": 1, "contracts": 1},
	config.StreamAccountHistory: {"correlation account-history": 1, "account_history": 1},
}

// probed is what one user costs whose analyses are the same.
func probed(s config.Stream) map[string]int {
	out := map[string]int{}
	for name := range costs[s] {
		if name == "logins" || len(name) > 12 && name[:12] == "correlation " {
			out[name] = 1
		}
	}
	return out
}

func TestEachStreamAloneIsPulledOnceAndThenQuiet(t *testing.T) {
	t.Parallel()
	for _, s := range config.Streams() {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(4)
			o.CategorizationPageSize = 100_000
			inBubble(t, o, func(b *bank) {
				t := b.t
				rep := b.run("streams: [" + string(s) + "]")
				for u := range 4 {
					if diff := cmp.Diff(costs[s], b.asked(u)); diff != "" {
						t.Errorf("first night, user %d: %s", u, diff)
					}
				}
				got := rep.Streams[s]
				if len(rep.Streams) != 1 || got.Pulled != 4 || got.Rows == 0 {
					t.Errorf("reported %+v of %d streams", got, len(rep.Streams))
				}
				changes := b.changes(rep)
				if changes[string(s)].Upserts != got.Rows {
					t.Errorf("committed %+v, reported %d rows", changes[string(s)], got.Rows)
				}
				pulls := int64(4)
				if s == config.StreamUsers {
					pulls = 0 // those that went well are no rows
				}
				if changes["pulls"].Upserts != pulls {
					t.Errorf("%d rows of pulls, want %d", changes["pulls"].Upserts, pulls)
				}

				before := len(b.log())
				b.Night()
				rep = b.run("streams: [" + string(s) + "]")
				for u := range 4 {
					if diff := cmp.Diff(probed(s), b.asked(u)); diff != "" {
						t.Errorf("second night, user %d: %s", u, diff)
					}
				}
				if rep.Streams[s].Unchanged != 4 || rep.Users.Unchanged != 4 || len(b.log()) != before {
					t.Errorf("second night: %+v, %d new commits", rep.Streams[s], len(b.log())-before)
				}
			})
		})
	}
}

func TestAnUnchangedNightMakesTheFewestRequestsAndNoRecord(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		t := b.t
		b.run(eachService, eachLogins)
		before := len(b.log())
		b.Night()
		rep := b.run(eachService, eachLogins)
		want := map[string]int{"auth": 1, "users": 1, "logins": 6, "correlation": 24}
		if diff := cmp.Diff(want, b.Counts()); diff != "" {
			t.Error(diff)
		}
		if rep.Commits != 0 || len(b.log()) != before || rep.Users.Unchanged != 6 || rep.Outcome != "done" {
			t.Errorf("%d commits, %+v, %s", rep.Commits, rep.Users, rep.Outcome)
		}
	})
}

func TestAQuietUserStaysQuietPastItsRefresh(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		t := b.t
		b.run("full_refresh_every: 48h")
		before := len(b.log())
		for range 6 {
			b.Night()
			b.run("full_refresh_every: 48h")
		}
		if n := len(b.log()) - before; n != 0 {
			t.Errorf("%d commits in nights in which nothing changed", n)
		}
	})
}

func TestAChangedUserIsReadInFullAgainAfterFullRefreshEvery(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(3), func(b *bank) {
		t := b.t
		lines := []string{"full_refresh_every: 48h", "streams: [accounts, transactions, categorization, contracts, account_history]"}
		b.run(lines...)
		refreshed := map[string]bool{}
		after := b.cursors()
		for night := range 5 {
			before := after
			b.Night()
			b.run(lines...)
			after = b.cursors()
			for id, streams := range after {
				for s, c := range streams {
					if s == config.StreamUsers || c.FullAt.Equal(before[id][s].FullAt) {
						continue
					}
					// The first comes at the user's own instant, each after it a period later.
					// Transactions are also read in full when an account appears.
					age := c.FullAt.Sub(before[id][s].FullAt)
					if s != config.StreamTransactions && (age.Hours() > 49 || refreshed[id+string(s)] && age.Hours() < 47) {
						t.Errorf("night %d: %s was read in full after %s", night, s, age)
					}
					refreshed[id+string(s)] = true
				}
			}
		}
		for u := range 3 {
			for _, s := range []config.Stream{config.StreamAccounts, config.StreamTransactions, config.StreamCategorization, config.StreamContracts, config.StreamAccountHistory} {
				if after[b.UserID(u)][s].CorrelationID != "" && !refreshed[b.UserID(u)+string(s)] {
					t.Errorf("user %d: %s was never read in full again", u, s)
				}
			}
		}
	})
}

func TestRunFullReadsEverythingThoughNothingChanged(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		first := b.run()
		b.Night()
		o := b.options(b.config())
		o.Full = true
		again, err := b.try(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.Streams, again.Streams, cmpopts.IgnoreFields(report.Stream{}, "First")); diff != "" {
			t.Error(diff)
		}
		for id, streams := range b.cursors() {
			for s, c := range streams {
				if s != config.StreamSyncSessions && c.FullAt.Before(b.Now()) {
					t.Errorf("%s of %s was not read in full", s, id)
				}
			}
		}
	})
}

func TestOnlyTheUsersNamedAreLookedAt(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		o := b.options(b.config())
		o.Users = []string{b.UserID(3), b.UserID(1), b.UserID(3)}
		rep, err := b.try(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Users.Listed != 2 || rep.Users.Pulled != 2 || b.Counts()["users"] != 0 || len(b.asked(0))+len(b.asked(2)) != 0 {
			t.Errorf("%+v after %v", rep.Users, b.Counts())
		}
		o = b.options(b.config())
		o.Users = []string{b.UserID(1), "typo"}
		_, _ = b.stops(t.Context(), ReasonConfig, o)
	})
}

func TestOnlyFailedTakesThoseWithAFailedStream(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(2, "contracts", sandbox.Malformed))
		b.run("failures: {max_ratio: 1}")
		b.misbehave(sandbox.Faults{})
		o := b.options(b.config())
		o.OnlyFailed = true
		rep, err := b.try(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if want := (report.UserCounts{Listed: 1, Pulled: 1}); rep.Users != want || rep.Outcome != "done" {
			t.Errorf("%+v, %s", rep.Users, rep.Outcome)
		}
		if got := b.asked(2)["contracts"]; got != 1 || len(b.asked(1)) != 0 {
			t.Errorf("contracts asked %d times, others %v", got, b.asked(1))
		}
		if rep, _ = b.try(t.Context(), o); rep.Users.Listed != 0 {
			t.Errorf("it failed once, but was taken again: %+v", rep.Users)
		}
	})
}
