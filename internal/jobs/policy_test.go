package jobs

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
