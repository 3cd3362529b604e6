package jobs

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

var tonight = time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)

func TestTheWindowOfTransactions(t *testing.T) {
	t.Parallel()
	today := daysOf(tonight)
	for _, tc := range []struct {
		name   string
		newest map[string]int32
		want   int32
	}{
		{"reaches back behind the account whose newest booking is oldest", map[string]int32{"a": today - 1, "b": today - 5}, today - 15},
		{"is not moved on by a booking of the future", map[string]int32{"a": today + 30}, today - 10},
		{"is not held back by more than 90 days", map[string]int32{"a": today - 400, "b": today}, today - 100},
		{"reaches as far for an account that never had a booking", map[string]int32{"a": noDate, "b": today}, today - 100},
		{"begins an overlap ago where there is no account", nil, today - 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := windowStart(tc.newest, tonight, time.UTC, 240*time.Hour); got != tc.want {
				t.Errorf("got today%+d, want today%+d", got-today, tc.want-today)
			}
		})
	}
}

func TestTodayIsTheDayOfTheJobsTimeZone(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 10*3600)
	late := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC) // the 23rd in the east
	if got, want := windowStart(nil, late, zone, 0), daysOf(late)+1; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestFullRefreshes(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	perDay := map[int]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		id := fmt.Sprintf("user-%d-%d", i, rng.Uint64())
		last := tonight
		if refreshDue(id, last, last.Add(week-week/14-time.Second), week) {
			t.Fatal("a refresh came much before its period was over")
		}
		if !refreshDue(id, last, last.Add(2*week), week) {
			t.Fatal("no refresh within two periods")
		}
		for d := range 15 {
			if refreshDue(id, last, last.Add(time.Duration(d)*24*time.Hour), week) {
				perDay[d]++
				break
			}
		}
		// Once a refresh was made at the user's own instant, the next one is due
		// a period later, also when runs start a few minutes late.
		at := last
		for !refreshDue(id, last, at, week) {
			at = at.Add(10 * time.Minute)
		}
		if made := at.Add(5 * time.Minute); !refreshDue(id, made, at.Add(week), week) {
			t.Fatal("the period grew")
		}
	}
	for d, n := range perDay {
		if n > 2*2000/7 {
			t.Errorf("%d of 2000 refreshes on day %d: not spread", n, d)
		}
	}
	if refreshDue("u", tonight, tonight.Add(100*week), 0) {
		t.Error("a refresh without a period")
	}
}

func TestThePolicyOfSyncSessions(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return tonight.Add(-d) }
	yes, no := finoos.Null[bool]{V: true, Valid: true}, finoos.Null[bool]{V: false, Valid: true}
	held := func(o finoos.Outcome) loginMemory {
		return loginMemory{Outcome: o, Status: "OK", At: ago(time.Hour), Until: tonight.Add(time.Hour)}
	}
	for _, tc := range []struct {
		name  string
		when  string
		login finoos.BankLogin
		last  loginMemory
		want  decision
	}{
		{"a stale login is asked for", config.SyncStale, finoos.BankLogin{Status: "OK", Active: no, LastSynchronization: ago(21 * time.Hour)}, loginMemory{}, askBank},
		{"a login that was never synchronised is asked for", config.SyncStale, finoos.BankLogin{Status: "OK"}, loginMemory{}, askBank},
		{"a fresh login is left", config.SyncStale, finoos.BankLogin{Status: "OK", Active: no, LastSynchronization: ago(19 * time.Hour)}, loginMemory{}, leaveLogin},
		{"a login that finoOS keeps fresh is left", config.SyncStale, finoos.BankLogin{Status: "OK", Active: yes, LastSynchronization: ago(900 * time.Hour)}, loginMemory{}, leaveLogin},
		{"always overrides freshness", config.SyncAlways, finoos.BankLogin{Status: "OK", Active: yes, LastSynchronization: ago(time.Minute)}, loginMemory{}, askBank},
		{"always does not override a daily limit", config.SyncAlways, finoos.BankLogin{Status: "OK"}, held(finoos.DailyLimit), leaveLogin},
		{"a daily limit holds even if the status has changed", config.SyncAlways, finoos.BankLogin{Status: "SYNC_FAILED"}, held(finoos.DailyLimit), leaveLogin},
		{"always does not override a login that needs its user", config.SyncAlways, finoos.BankLogin{Status: "OK"}, held(finoos.CredentialsRequired), leaveLogin},
		{"a changed status ends the wait for the user", config.SyncStale, finoos.BankLogin{Status: "SYNC_FAILED"}, held(finoos.CredentialsRequired), askBank},
		{"after needs_user_retry it is asked for again", config.SyncStale, finoos.BankLogin{Status: "OK"}, loginMemory{Outcome: finoos.Blocked, Status: "OK", Until: ago(time.Second)}, askBank},
		{"SCA_REQUIRED is noted without asking the bank", config.SyncAlways, finoos.BankLogin{Status: "SCA_REQUIRED"}, loginMemory{}, noteNeedSCA},
		{"SCA_REQUIRED is noted once", config.SyncAlways, finoos.BankLogin{Status: "SCA_REQUIRED"}, loginMemory{Outcome: finoos.SCARequired, Status: "SCA_REQUIRED", Until: tonight.Add(1)}, leaveLogin},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := config.Sync{When: tc.when, StaleAfter: 20 * time.Hour, NeedsUserRetry: 168 * time.Hour}
			if got := decide(&p, &tc.login, tc.last, tonight); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestADailyLimitHoldsUntilMidnightOfTheJobsTimeZone(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CET", 3600)
	m := remember(&config.Sync{}, finoos.DailyLimit, "OK", tonight, berlin)
	if want := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC); !m.Until.Equal(want) {
		t.Errorf("until %s, want %s", m.Until, want)
	}
}
