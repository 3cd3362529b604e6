package e2e

import (
	"strconv"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
)

// Every way in which a bank synchronisation can end, and what a row says of it.
var syncEndings = []struct {
	kind    sandbox.Kind
	outcome string
	status  any
}{
	{sandbox.SyncSucceeds, "synced", int64(204)},
	{sandbox.Deprecated, "interface_deprecated", int64(409)},
	{sandbox.Credentials, "credentials_required", int64(422)},
	{sandbox.Blocked, "blocked", int64(423)},
	{sandbox.DailyLimit, "daily_limit", int64(429)},
	{sandbox.SCARequired, "sca_required", int64(451)},
	{sandbox.Forbidden, "forbidden", int64(403)},
	{sandbox.NotFound, "gone", int64(404)},
	{sandbox.ServerError, "failed", int64(500)},
	{sandbox.Reset, "unknown", nil},
}

// syncing asks every login's bank, whatever its age. The analyses that follow
// take a moment, and no user waits for one that did not begin.
var syncing = settings{job: []string{
	"sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 60s}", "failures: {max_ratio: 0}",
}}

func syncBank(t *testing.T, users int) *bank {
	t.Helper()
	faults := map[string]map[string]sandbox.UserFault{}
	for i := range users {
		faults[strconv.Itoa(i)] = map[string]sandbox.UserFault{"synchronize": {Kind: syncEndings[i%len(syncEndings)].kind}}
	}
	return newBank(t, sandbox.Options{
		Users: users, AnalysisDelay: 300 * time.Millisecond, Faults: sandbox.Faults{Users: faults},
		Sync: sandbox.SyncOdds{Deprecated: -1, Credentials: -1, Blocked: -1, SCA: -1, Lost: -1},
	})
}

func TestEveryOutcomeOfASyncSessionIsARowAndSettles(t *testing.T) {
	t.Parallel()
	const users = 20
	b := syncBank(t, users)
	dir := t.TempDir()
	report := b.night(t, dir, syncing)
	if report.Unsettled > 0 {
		t.Errorf("%d users did not settle", report.Unsettled)
	}
	l := openLake(t, dir)
	l.checkTruth(t, b)
	l.checkCommits(t)

	posts := map[string]int64{}
	for _, r := range b.Requests() {
		if r.Operation == "synchronize" {
			posts[r.UserID]++
		}
	}
	for i := range users {
		id, want := b.UserID(i), syncEndings[i%len(syncEndings)]
		rows := l.query(t, "SELECT outcome, http_status FROM sync_sessions WHERE user_id = ? AND http_status IS NOT DISTINCT FROM ?",
			id, want.status)
		if int64(len(rows)) != posts[id] || posts[id] == 0 {
			t.Errorf("user %d (%s): %d requests to the bank, %d rows with status %v", i, want.kind, posts[id], len(rows), want.status)
		}
		for _, r := range rows {
			if r["outcome"] != want.outcome {
				t.Errorf("user %d (%s): outcome %v, want %s", i, want.kind, r["outcome"], want.outcome)
			}
		}
	}
	if n := l.count(t, "SELECT count(*) FROM sync_sessions WHERE redirect_url IS NOT NULL"); n > 0 {
		t.Errorf("%d links of users were written, though nobody asked for them", n)
	}
	if n := l.count(t, "SELECT count(*) FROM sync_sessions WHERE requested_at IS NULL OR finished_at < requested_at"); n > 0 {
		t.Errorf("%d sessions without a proper beginning and end", n)
	}
}

func TestALoginThatNeedsItsUserIsNotAskedForAgainTheNextNight(t *testing.T) {
	t.Parallel()
	const users = 20
	b := syncBank(t, users)
	dir := t.TempDir()
	b.night(t, dir, syncing)
	b.Night()
	b.ResetRequests()
	b.night(t, dir, syncing)
	needsUser := map[string]bool{"interface_deprecated": true, "credentials_required": true, "blocked": true, "sca_required": true}
	ending := map[string]string{}
	for i := range users {
		ending[b.UserID(i)] = syncEndings[i%len(syncEndings)].outcome
	}
	asked := 0
	for _, r := range b.Requests() {
		if r.Operation != "synchronize" {
			continue
		}
		asked++
		if needsUser[ending[r.UserID]] {
			t.Errorf("user %s needs to act (%s), but its bank was asked again", r.UserID, ending[r.UserID])
		}
	}
	if asked == 0 {
		t.Error("nobody's bank was asked: nothing is shown")
	}
}
