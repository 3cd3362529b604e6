package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/report"
)

// nights is how many simulated nights a test looks at: the first is full, the
// second is the first that pulls changes only, the third builds on those.
const nights = 3

func TestThreeNightsEqualTheTruthAfterEachNight(t *testing.T) {
	t.Parallel()
	threeNights(t, newBank(t, sandbox.Options{Users: 20}), settings{})
}

func TestThreeNightsWithBankSynchronisationsEqualTheTruthAfterEachNight(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{Users: 20, AnalysisDelay: 200 * time.Millisecond})
	threeNights(t, b, settings{job: []string{"sync: {when: stale, user_ip: 203.0.113.7, settle_timeout: 60s}"}})
	asked := b.Counts()["synchronize"]
	if asked == 0 {
		t.Error("nobody's bank was asked: nothing is shown")
	}
}

func TestThreeNightsOfTheRealAccountsEqualTheTruthAfterEachNight(t *testing.T) {
	t.Parallel()
	data := filepath.Join("..", "..", "shared", "data", "berka")
	if _, err := os.Stat(data); err != nil {
		t.Skipf("the Berka accounts are not at hand: %v", err)
	}
	threeNights(t, newBank(t, sandbox.Options{Data: data, Users: 25}), settings{})
}

func threeNights(t *testing.T, b *bank, s settings) {
	t.Helper()
	dir := t.TempDir()
	var kept []stateThen
	for n := 1; n <= nights; n++ {
		if n > 1 {
			b.Night()
		}
		report := b.night(t, dir, s)
		if report.Users.Failed > 0 {
			t.Fatalf("night %d: %d users failed: %+v", n, report.Users.Failed, report.Failures)
		}
		l := openLake(t, dir)
		rows := l.checkTruth(t, b)
		l.checkCommits(t)
		kept = append(kept, l.keepState(t))
		if n == nights {
			l.checkHistory(t, kept)
		}
		l.close()
		t.Logf("night %d: %d rows of current state equal the truth", n, rows)
		if t.Failed() {
			t.Fatalf("night %d is not the truth: no need to look at later ones", n)
		}
	}
}

func TestANightInWhichNothingMovedWritesNothing(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{})
	dir := t.TempDir()
	b.night(t, dir, settings{})
	files, log := parquetFiles(t, dir), readLog(t, dir)

	report := b.night(t, dir, settings{})
	if report.Commits != 0 {
		t.Errorf("%d commits, want none", report.Commits)
	}
	if after := parquetFiles(t, dir); len(after) != len(files) {
		t.Errorf("%d files, %d after a night in which nothing moved", len(files), len(after))
	}
	if after := readLog(t, dir); len(after) != len(log) {
		t.Errorf("%d commits in the log, %d after a night in which nothing moved", len(log), len(after))
	}
}

// seldom keeps a pull from being full only because time went by.
var seldom = settings{job: []string{"full_refresh_every: 8760h"}}

func TestLaterNightsWriteOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{Users: 20, Nightly: sandbox.Odds{Analysed: 0.5}})
	dir := t.TempDir()
	b.night(t, dir, seldom)
	for n := 2; n <= nights; n++ {
		before := openLake(t, dir)
		b.Night()
		report := b.night(t, dir, seldom)
		after := openLake(t, dir)
		wroteOnlyChanges(t, before, after, report)
		before.close()
		after.close()
		if t.Failed() {
			t.Fatalf("in night %d", n)
		}
	}
}

// wroteOnlyChanges fails where a diff pull of a run wrote a row that was in the
// lake already, or deleted one that was not. Full pulls (of new users, say) may
// repeat themselves.
func wroteOnlyChanges(t *testing.T, before, after *lake, report *report.Report) {
	t.Helper()
	written := 0
	for _, tb := range tables {
		if tb.history {
			continue
		}
		known, _ := byKey(tb, before.current(t, tb))
		rows := after.query(t, "SELECT "+selectList(tb.all())+" FROM "+tb.name+
			" WHERE _run_id = ? AND coalesce(_pull, 'diff') = 'diff'", report.RunID)
		written += len(rows)
		changed := map[string]bool{}
		for _, r := range rows {
			changed[writtenUnit(tb, r)] = changed[writtenUnit(tb, r)] || isChange(tb, known, r)
		}
		for unit, ok := range changed {
			if !ok {
				t.Errorf("%s: %s was written, but nothing of it has changed", tb.name, unit)
			}
		}
	}
	if written == 0 {
		t.Error("nothing was written: nothing is shown")
	}
}

// isChange says whether a written row adds anything to the current state.
func isChange(tb table, known map[string]row, r row) bool {
	op := r["_op"]
	old, there := known[keyOf(tb, r)]
	if op == "delete" {
		return there
	}
	r = canonical(tb, r)
	for _, c := range tb.withExtra() {
		if !there || !sameValue(old[c.Name], r[c.Name]) {
			return true
		}
	}
	return false
}

// writtenUnit is what is written as a whole: a row, or of the history a month.
func writtenUnit(tb table, r row) string {
	if tb.name != "account_history" {
		return keyOf(tb, r)
	}
	month, _ := r["date"].(string)
	return keyOf(table{key: []string{"user_id", "account_id"}}, r) + " " + month[:len("2006-01")]
}

// daysBefore is the real day n days ago: the first simulated day of a test in
// which the command runs by the real clock.
func daysBefore(n int) time.Time {
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -n)
}
