package jobs

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"

	"github.com/google/go-cmp/cmp"
)

func TestLoginsAreReadWhereBankingHasMovedAndOnceAWeek(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{oneService, eachService, "probe: banking"} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			o := banktest.Steady(30)
			o.Nightly.Analysed = 0.2
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.run(probe)
				banking := func() map[string]string {
					of := map[string]string{}
					for id, streams := range b.cursors() {
						of[id] = streams[config.StreamAccounts].CorrelationID
					}
					return of
				}
				known, weekly := banking(), map[int]int{}
				for range 14 {
					b.Night()
					rep := b.run(probe)
					now := banking()
					read := int64(0)
					for u := range 30 {
						id := b.UserID(u)
						asked := b.asked(u)["logins"]
						read += int64(asked)
						switch moved := now[id] != known[id]; {
						case moved && asked != 1:
							t.Errorf("user %d: banking has moved, asked %d times for the logins", u, asked)
						case !moved:
							weekly[u] += asked
						}
					}
					known = now
					if s := rep.Streams[config.StreamBankLogins]; s.NotAsked != 30-read {
						t.Errorf("%d read, %d not asked", read, s.NotAsked)
					}
				}
				for u, n := range weekly {
					if n > 2 {
						t.Errorf("user %d: read %d times in two weeks though banking had not moved", u, n)
					}
				}
			})
		})
	}
}

// TestBanksAreAskedOnTheSameNightsWhetherOrNotLoginsAreReadEveryNight compares the sessions
// of two jobs in the same world: what the logins were like is enough to know.
func TestBanksAreAskedOnTheSameNightsWhetherOrNotLoginsAreReadEveryNight(t *testing.T) {
	t.Parallel()
	sessions := func(t *testing.T, lines ...string) (nights []map[string]int64, logins int64) {
		t.Helper()
		o := banktest.Steady(25)
		o.Nightly.Analysed = 0.1
		o.Sync = sandbox.SyncOdds{Deprecated: 0.1, Credentials: 0.1, Blocked: 0.1, SCA: 0.1, Lost: -1}
		inBubble(t, o, func(b *bank) {
			for range 16 {
				rep := b.run(append(lines, "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 50h, needs_user_retry: 100h, settle_timeout: 60s}", lenient)...)
				nights = append(nights, rep.SyncSessions)
				logins += rep.RequestsByOperation["logins"]
				b.Night()
			}
		})
		return nights, logins
	}
	want, all := sessions(t, eachLogins, eachService)
	for _, probe := range []string{oneService, eachService} {
		got, some := sessions(t, probe)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: sessions by night (-each +need):\n%s", probe, diff)
		}
		if some >= all*3/4 {
			t.Errorf("%s: %d lists of logins, where %d are read of everybody every night", probe, some, all)
		}
	}
}

func TestLoginsThatCouldNotBeReadAreReadTheNextNight(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(4), func(b *bank) {
		t := b.t
		b.run(oneService)
		b.Night() // everybody has something new
		b.misbehave(faultOf(2, "logins", sandbox.Rejected))
		if rep := b.run(oneService, lenient); rep.Streams[config.StreamBankLogins].Failed != 1 {
			t.Fatalf("%+v", rep.Streams[config.StreamBankLogins])
		}
		b.misbehave(sandbox.Faults{})
		rep := b.run(oneService)
		if asked := b.asked(2)["logins"]; asked != 1 || rep.Streams[config.StreamBankLogins].NotAsked != 3 {
			t.Errorf("asked %d times, %+v", asked, rep.Streams[config.StreamBankLogins])
		}
	})
}

func TestARunThatWasCutBeforeTheLoginsReadsThemTheNextTime(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(6), func(b *bank) {
		t := b.t
		b.run(oneService)
		b.Night()
		var slow atomic.Bool
		slow.Store(true)
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if _, rest := pathOf(r); slow.Load() && rest == "banking/logins" {
				return answers(r, 503, `{}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		o := b.options(b.config(oneService))
		rep, _ := b.try(t.Context(), o)
		if rep.Users.PassedOver != 6 || rep.Streams[config.StreamAccounts].Pulled != 6 {
			t.Fatalf("%+v, %+v", rep.Users, rep.Streams[config.StreamAccounts])
		}
		slow.Store(false)
		b.run(oneService)
		for u := range 6 {
			if asked := b.asked(u)["logins"]; asked != 1 {
				t.Errorf("user %d: asked %d times for the logins", u, asked)
			}
		}
	})
}

func TestWhoNeedsTheUserIsKnownThoughTheLoginsAreNotRead(t *testing.T) {
	t.Parallel()
	o := banktest.Still(12)
	o.Nightly.Login = 1
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.Night() // half of all logins are in SCA_REQUIRED now
		lines := []string{"sync: {when: stale, user_ip: 203.0.113.7, settle_timeout: 1s}", "streams: [bank_logins, accounts, contracts]"}
		first := b.run(lines...)
		if first.Needed.Count == 0 {
			t.Fatal("nobody needs anything")
		}
		rep := b.run(lines...)
		if diff := cmp.Diff(first.Needed, rep.Needed); diff != "" || rep.RequestsByOperation["logins"] > 6 {
			t.Errorf("%d lists of logins: %s", rep.RequestsByOperation["logins"], diff)
		}
	})
}

func TestAUserWithoutAnAddressIsCountedAndCostsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		ips := t.TempDir() + "/ips.csv"
		if err := os.WriteFile(ips, []byte(b.UserID(0)+",203.0.113.7\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		sync := fmt.Sprintf("sync: {when: always, user_ips: %s, settle_timeout: 1s}", ips)
		b.run(sync)
		first := b.run(sync, "probe: one")
		b.asked(1)
		rep := b.run(sync, "probe: one")
		if rep.NoAddress == 0 || rep.NoAddress != first.NoAddress {
			t.Errorf("%d users without an address, then %d", first.NoAddress, rep.NoAddress)
		}
		for u := 1; u < 5; u++ {
			if diff := cmp.Diff(map[string]int{"correlation contracts": 1}, b.asked(u)); diff != "" {
				t.Errorf("user %d: %s", u, diff)
			}
		}
	})
}

func TestWhatLoginsWereLikeIsSealedOrNotKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		kept  bool
	}{
		"in the clear":    {nil, true},
		"with a key":      {[]string{"mask: {bank_logins: {bank_login_id: hmac}}", "mask_key: 0123456789abcdef0123456789abcdef"}, true},
		"without a key":   {[]string{"mask: {bank_logins: {status: drop}}"}, false},
		"another's table": {[]string{"mask: {accounts: {iban: drop}}"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(4), func(b *bank) {
				t := b.t
				lines := append(slices.Clone(c.lines), "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 10000h}")
				b.run(lines...)
				for _, streams := range b.cursors() {
					state := streams[config.StreamSyncSessions].State
					if open := bytes.Contains(state, []byte(`"last_synchronization"`)); open != (c.lines == nil) {
						t.Errorf("what is remembered: %s", state)
					}
				}
				b.Night()
				rep := b.run(lines...)
				if read := rep.RequestsByOperation["logins"]; (read > 2) == c.kept {
					t.Errorf("logins were read of %d users", read)
				}
			})
		})
	}
}

func TestALoginThatIsNewIsAskedOnceItsAnalysisIsThere(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		sync := "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 20h, settle_timeout: 1s}"
		id, more := b.UserID(1), ""
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			switch user, rest := pathOf(r); {
			case user != id || more == "":
			case rest == "banking/logins":
				return answers(r, 200, `[{"bankLoginId":"new","status":"OK","active":false,"lastSynchronization":"2020-01-01T00:00:00Z"}]`), nil
			case strings.HasSuffix(rest, "/correlation"):
				return answers(r, 200, `{"correlationID":"`+more+`","correlationTimestamp":"2026-11-22T00:00:00Z"}`), nil
			case rest == "banking/sync":
				return answers(r, 204, ""), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		b.run(sync)
		more = "moved"
		if rep := b.run(sync); rep.SyncSessions["synced"] != 1 {
			t.Errorf("%v", rep.SyncSessions)
		}
		// The login has changed by its session, so that it is looked at once more.
		b.run(strings.Replace(sync, "20h", "1000000h", 1))
		known := banksync.Recall(b.cursors()[id][config.StreamSyncSessions].State)
		gone := 0
		for login, m := range known {
			if login != "new" && m.Seen != nil && m.Seen.Gone {
				gone++
			}
		}
		if gone != len(known)-1 {
			t.Errorf("%d of %v are remembered as gone", gone, slices.Collect(maps.Keys(known)))
		}
	})
}
