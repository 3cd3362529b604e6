package banksync

import (
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

var tonight = time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)

func TestThePolicyOfSyncSessions(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return tonight.Add(-d) }
	yes, no := finoos.Null[bool]{V: true, Valid: true}, finoos.Null[bool]{V: false, Valid: true}
	held := func(o finoos.Outcome) Memory {
		return Memory{Outcome: o, Status: "OK", At: ago(time.Hour), Until: tonight.Add(time.Hour)}
	}
	login := func(last time.Time) finoos.BankLogin {
		return finoos.BankLogin{Status: "OK", LastSynchronization: last}
	}
	unknown := func(before time.Duration) Memory {
		return Memory{Outcome: finoos.Unknown, Status: "OK", At: ago(before)}
	}
	left := func(before time.Duration) Memory {
		return RememberAttempt(&config.Sync{SettleTimeout: 15 * time.Minute}, Memory{}, ago(before), tonight)
	}
	for _, tc := range []struct {
		name  string
		when  string
		login finoos.BankLogin
		last  Memory
		want  Decision
	}{
		{"a stale login is asked for", config.SyncStale, finoos.BankLogin{Status: "OK", Active: no, LastSynchronization: ago(21 * time.Hour)}, Memory{}, Ask},
		{"a login that was never synchronised is asked for", config.SyncStale, finoos.BankLogin{Status: "OK"}, Memory{}, Ask},
		{"a fresh login is left", config.SyncStale, finoos.BankLogin{Status: "OK", Active: no, LastSynchronization: ago(19 * time.Hour)}, Memory{}, Leave},
		{"a login that finoOS keeps fresh is left", config.SyncStale, finoos.BankLogin{Status: "OK", Active: yes, LastSynchronization: ago(900 * time.Hour)}, Memory{}, Leave},
		{"always overrides freshness", config.SyncAlways, finoos.BankLogin{Status: "OK", Active: yes, LastSynchronization: ago(time.Minute)}, Memory{}, Ask},
		{"always does not override a daily limit", config.SyncAlways, finoos.BankLogin{Status: "OK"}, held(finoos.DailyLimit), Leave},
		{"a daily limit holds even if the status has changed", config.SyncAlways, finoos.BankLogin{Status: "SYNC_FAILED"}, held(finoos.DailyLimit), Leave},
		{"always does not override a login that needs its user", config.SyncAlways, finoos.BankLogin{Status: "OK"}, held(finoos.CredentialsRequired), Leave},
		{"a changed status ends the wait for the user", config.SyncStale, finoos.BankLogin{Status: "SYNC_FAILED"}, held(finoos.CredentialsRequired), Ask},
		{"after needs_user_retry it is asked for again", config.SyncStale, finoos.BankLogin{Status: "OK"}, Memory{Outcome: finoos.Blocked, Status: "OK", Until: ago(time.Second)}, Ask},
		{"SCA_REQUIRED is noted without asking the bank", config.SyncAlways, finoos.BankLogin{Status: "SCA_REQUIRED"}, Memory{}, NoteSCA},
		{"SCA_REQUIRED is noted once", config.SyncAlways, finoos.BankLogin{Status: "SCA_REQUIRED"}, Memory{Outcome: finoos.SCARequired, Status: "SCA_REQUIRED", Until: tonight.Add(1)}, Leave},

		{"what may have gone through, and has, is not asked for again", config.SyncAlways, login(ago(5 * time.Hour)), unknown(5 * time.Hour), Leave},
		{"nor what nobody has waited for, while the bank may be at work", config.SyncAlways, login(ago(90 * time.Hour)), left(10 * time.Minute), Leave},
		{"what has not gone through is asked for again", config.SyncAlways, login(ago(90 * time.Hour)), left(16 * time.Minute), Ask},
		{"so it is where only stale ones are", config.SyncStale, login(ago(90 * time.Hour)), unknown(16 * time.Minute), Ask},
		{"what has gone through is asked for again once it is stale", config.SyncAlways, login(ago(21 * time.Hour)), unknown(21 * time.Hour), Ask},
		{"where nobody can tell it counts as one that went through", config.SyncAlways, login(time.Time{}), unknown(19 * time.Hour), Leave},
		{"for as long as such a login is fresh", config.SyncAlways, login(time.Time{}), unknown(21 * time.Hour), Ask},
		{"an internal error may have come after the bank was asked", config.SyncAlways, login(ago(time.Hour)), Memory{Outcome: finoos.Failed, Status: "OK", At: ago(time.Hour), Unsure: true}, Leave},
		{"what was never sent is asked for again", config.SyncAlways, login(ago(time.Hour)), Memory{Outcome: finoos.Failed, Status: "OK", At: ago(time.Hour)}, Ask},
		{"where the API does not tell, a session that went through counts", config.SyncStale, login(time.Time{}), Memory{Outcome: finoos.Synced, Status: "OK", At: ago(19 * time.Hour)}, Leave},
		{"for as long as what it brought is fresh", config.SyncStale, login(time.Time{}), Memory{Outcome: finoos.Synced, Status: "OK", At: ago(21 * time.Hour)}, Ask},
		{"but not one that failed", config.SyncStale, login(time.Time{}), Memory{Outcome: finoos.Failed, Status: "OK", At: ago(time.Hour)}, Ask},
		{"a day to come is no day of a synchronisation", config.SyncStale, login(ago(-900 * time.Hour)), Memory{}, Ask},
		{"nor are two sessions asked for because of it", config.SyncStale, login(ago(-900 * time.Hour)), Memory{Outcome: finoos.Synced, Status: "OK", At: ago(time.Hour)}, Leave},
		{"a bank's clock that is ahead by hours is believed", config.SyncStale, login(ago(-3 * time.Hour)), Memory{}, Leave},
		{"an attempt of a wrong clock does not hold for years", config.SyncAlways, login(ago(90 * time.Hour)), unknown(-900 * time.Hour), Ask},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := config.Sync{When: tc.when, StaleAfter: 20 * time.Hour, NeedsUserRetry: 168 * time.Hour, SettleTimeout: 15 * time.Minute}
			if got := Decide(&p, &tc.login, tc.last, tonight); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestADailyLimitHoldsUntilMidnightOfTheJobsTimeZone(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CET", 3600)
	m := Remember(&config.Sync{}, &finoos.SyncResult{Outcome: finoos.DailyLimit}, "OK", tonight, tonight, berlin)
	if want := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC); !m.Until.Equal(want) {
		t.Errorf("until %s, want %s", m.Until, want)
	}
}

func TestWhatIsRememberedIsNeverOlderThanWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	asked := tonight.Add(time.Minute) // and then the clock was put back
	m := Remember(&config.Sync{}, &finoos.SyncResult{Outcome: finoos.Synced}, "OK", asked, tonight, time.UTC)
	if m.At.Before(asked) {
		t.Errorf("remembered at %s what was asked for at %s", m.At, asked)
	}
	if m := RememberAttempt(&config.Sync{}, Memory{Status: "OK"}, tonight.Add(900*time.Hour), tonight); m.At.After(tonight) || !m.Unsure || m.Status != "OK" {
		t.Errorf("an attempt of a clock that is ahead: %+v", m)
	}
}

// What is noted of an attempt has to be newer than what is remembered of the login: by
// that alone the next run knows that nothing came of it.
func TestAnAttemptIsNewerThanWhatIsRemembered(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		last time.Time
		want time.Time
	}{
		"a session of yesterday":        {tonight.Add(-24 * time.Hour), tonight},
		"none":                          {time.Time{}, tonight},
		"this very instant":             {tonight, tonight.Add(time.Microsecond)},
		"the clock was put back":        {tonight.Add(time.Hour), tonight.Add(time.Hour + time.Microsecond)},
		"a clock that was wrong by far": {tonight.Add(900 * time.Hour), tonight},
	} {
		last := Memory{Outcome: finoos.Synced, At: test.last}
		at := AttemptAt(last, tonight)
		if !at.Equal(test.want) {
			t.Errorf("%s: at %s, want %s", name, at, test.want)
		}
		if last.Knows(at, tonight.Add(time.Minute)) {
			t.Errorf("%s: taken for known", name)
		}
		if now := tonight.Add(time.Minute); !Remember(&config.Sync{}, &finoos.SyncResult{Outcome: finoos.Synced}, "OK", at, now, time.UTC).Knows(at, now) {
			t.Errorf("%s: what came of it is not known", name)
		}
	}
}

func TestAMemoryThatCannotBeReadIsNone(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"", "null", "[]", `{"l": 7}`, "\x00"} {
		if m := Recall([]byte(state)); m == nil || len(m) > 0 {
			t.Errorf("%q: %v", state, m)
		}
	}
}
