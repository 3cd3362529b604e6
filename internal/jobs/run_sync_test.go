package jobs

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

// syncing asks every bank that may be asked.
const syncing = "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 604s}"

// logins counts the logins of users by status, as the API tells it now.
func (b *bank) logins() map[string]map[string]int {
	all := map[string]map[string]int{}
	for row := range b.Truth("bank_logins") {
		id, status := fmt.Sprint(row["user_id"]), fmt.Sprint(row["status"])
		if all[id] == nil {
			all[id] = map[string]int{}
		}
		all[id][status]++
	}
	return all
}

// ending is one outcome, and how often a login is asked for in four runs: the
// first, one more the same night, another then of stale logins only, the night
// after, and after needs_user_retry.
type ending struct {
	kind    sandbox.Kind
	outcome string
	posts   [5]int
}

var endings = []ending{
	{kind: sandbox.SyncSucceeds, outcome: "synced", posts: [5]int{1, 1, 0, 1, 1}},
	{kind: sandbox.Reset, outcome: "unknown", posts: [5]int{1, 0, 0, 1, 1}},
	{kind: sandbox.DailyLimit, outcome: "daily_limit", posts: [5]int{1, 0, 0, 1, 1}},
	{kind: sandbox.Deprecated, outcome: "interface_deprecated", posts: [5]int{1, 0, 0, 0, 1}},
	{kind: sandbox.Credentials, outcome: "credentials_required", posts: [5]int{1, 0, 0, 0, 1}},
	{kind: sandbox.Blocked, outcome: "blocked", posts: [5]int{1, 0, 0, 0, 1}},
	{kind: sandbox.SCARequired, outcome: "sca_required", posts: [5]int{1, 0, 0, 0, 1}},
	{kind: sandbox.Forbidden, outcome: "forbidden", posts: [5]int{1, 0, 0, 0, 1}},
	{kind: sandbox.NotFound, outcome: "gone", posts: [5]int{1, 1, -1, 1, 1}},
	{kind: sandbox.ServerError, outcome: "failed", posts: [5]int{1, -1, -1, 1, 1}},
}

func TestNoSyncSessionIsOneTooMany(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(2 * len(endings))
	o.Faults.Users = map[string]map[string]sandbox.UserFault{}
	for u := range o.Users {
		o.Faults.Users[strconv.Itoa(u)] = map[string]sandbox.UserFault{"synchronize": {Kind: endings[u%len(endings)].kind}}
	}
	inBubble(t, o, func(b *bank) {
		t := b.t
		stale := "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 20h}"
		for step, lines := range []string{syncing, syncing, stale, syncing, syncing} {
			switch step {
			case 3:
				b.Night()
			case 4:
				for range 7 {
					b.Night()
				}
			}
			rep := b.run(lines, "streams: [bank_logins, contracts]", "failures: {max_ratio: 1, retry_at_end: false}")
			want := map[string]int64{}
			for u := range o.Users {
				e, logins := endings[u%len(endings)], 0
				for _, n := range b.logins()[b.UserID(u)] {
					logins += n
				}
				posts, asked := e.posts[step], b.asked(u)
				if posts < 0 { // as the login's age has it
					posts = min(asked["synchronize"]/max(logins, 1), 1)
					logins = asked["synchronize"]
				}
				if asked["synchronize"] != posts*logins {
					t.Errorf("step %d, %s: %d sessions for %d logins, want %d each", step, e.outcome, asked["synchronize"], logins, posts)
				}
				if posts*logins > 0 {
					want[e.outcome] += int64(posts * logins)
				}
				// What a session has made out of date is read again; once else.
				if once := 1 + min(posts*logins, 1); asked["logins"] != once && logins > 0 {
					t.Errorf("step %d, %s: asked %d times for the logins, want %d", step, e.outcome, asked["logins"], once)
				}
			}
			if diff := cmp.Diff(want, rep.SyncSessions); diff != "" {
				t.Errorf("step %d: %s", step, diff)
			}
			var rows int64
			for _, n := range want {
				rows += n
			}
			if got := b.changes(rep)["sync_sessions"].Upserts; got != rows {
				t.Errorf("step %d: %d rows of sync_sessions, want %d", step, got, rows)
			}
		}
	})
}

func TestALoginInSCARequiredGetsItsRowOnceAndNoSession(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(12)
	o.Nightly.Login = 1
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.Night() // half of all logins are in SCA_REQUIRED now
		rep := b.run(syncing, "streams: [bank_logins]")
		noted, posts := 0, 0
		for u := range 12 {
			status := b.logins()[b.UserID(u)]
			noted += status[banksync.StatusSCARequired]
			posts += b.asked(u)["synchronize"]
		}
		all := 0
		for _, status := range b.logins() {
			for _, n := range status {
				all += n
			}
		}
		if noted == 0 || rep.SyncSessions["sca_required"] != int64(noted) || posts != all-noted {
			t.Errorf("%d of %d logins need their user: %v after %d sessions", noted, all, rep.SyncSessions, posts)
		}
		if rep = b.run(syncing, "streams: [bank_logins]"); rep.SyncSessions["sca_required"] != 0 {
			t.Errorf("said again: %v", rep.SyncSessions)
		}
	})
}

func TestWithoutAUserIPNoBankIsAsked(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(3), func(b *bank) {
		t := b.t
		if rep := b.run("sync: {when: always}"); len(rep.SyncSessions) > 0 || b.Counts()["synchronize"] != 0 {
			t.Errorf("%v", rep.SyncSessions)
		}
	})
}

func TestWhatTheAnalysisBringsIsPulledTheSameNight(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(8)
	o.AnalysisDelay = 100 * time.Second // services finish one after the other
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.run("streams: [accounts, contracts, account_history]")
		before := b.cursors()
		began := time.Now()
		rep := b.run(syncing, "streams: [accounts, contracts, account_history]")
		if took := time.Since(began); rep.Unsettled != 0 || took < 80*time.Second || took > 4*time.Minute {
			t.Errorf("%d unsettled after %s", rep.Unsettled, took)
		}
		after := b.cursors()
		settled := 0
		for u := range 8 {
			id := b.UserID(u)
			if b.asked(u)["synchronize"] == 0 {
				continue
			}
			settled++
			newest := after[id][config.StreamAccounts].CorrelationID
			for _, s := range []config.Stream{config.StreamAccounts, config.StreamContracts, config.StreamAccountHistory} {
				if c := after[id][s]; c.CorrelationID == before[id][s].CorrelationID || b.asked(u)["accounts"] != 1 {
					t.Errorf("user %d: %s still has the analysis of before, after %v", u, s, b.asked(u))
				}
				if len(b.logins()[id]) == 1 && b.asked(u)["synchronize"] == 1 && after[id][s].CorrelationID != newest {
					t.Errorf("user %d: %s has another analysis than accounts", u, s)
				}
			}
		}
		if settled == 0 {
			t.Error("nobody settled")
		}
	})
}

func TestAfterSettleTimeoutTheUserIsPulledAsItStands(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(6)
	o.AnalysisDelay = 24 * time.Hour
	o.AnalysingIs404 = true // which hides the analysis before
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.run(lenient)
		before := b.cursors()
		commits := len(b.log())
		began := time.Now()
		rep := b.run(syncing, "streams: [accounts, contracts, account_history]")
		if took := time.Since(began); took < 10*time.Minute || took > 11*time.Minute || rep.Unsettled == 0 {
			t.Errorf("%d unsettled after %s", rep.Unsettled, took)
		}
		if rep.Streams[config.StreamContracts].NoAnalysis != 0 || rep.Users.Unchanged != 6 || rep.Commits != 1 {
			t.Errorf("%+v, %+v, %d commits", rep.Streams[config.StreamContracts], rep.Users, len(b.log())-commits)
		}
		time.Sleep(24 * time.Hour)
		rep = b.run("streams: [accounts, contracts, account_history]")
		if rep.Users.Pulled == 0 || b.cursors()[b.UserID(0)][config.StreamContracts].CorrelationID == before[b.UserID(0)][config.StreamContracts].CorrelationID {
			t.Errorf("the next night does not bring the rest: %+v", rep.Users)
		}
	})
}
