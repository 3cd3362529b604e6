package e2e

import (
	"bytes"
	commandline "flag" // flag is a type of columns here
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

// backfillFull is set by make backfill.
var backfillFull = commandline.Bool("backfill", false, "backfill two years of 500 users, not of a few")

// TestABackfillKilledBesideNightlyRunsEqualsTheTruthOfItsRange takes a lake that
// nightly runs have fed by windows, while bookings from long ago were corrected,
// and repairs it by a backfill that is killed again and again while further
// nights go on. These correct nothing old: what is corrected behind a backfill's
// back, it has not seen either.
func TestABackfillKilledBesideNightlyRunsEqualsTheTruthOfItsRange(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs many processes")
	}
	users, kills, commit := 4, 3, "100ms"
	if *backfillFull {
		users, kills, commit = 500, 5, "1s"
	}
	b := newBank(t, sandbox.Options{
		Users: users, Today: daysBefore(kills + 3), OldCorrections: 2, Nightly: sandbox.Odds{Analysed: 0.5, Gone: -1, Joined: -1},
	})
	p := newPlace(t, nil)
	nightly := mortals{b: b, dir: t.TempDir(), s: seldom, tune: "look=5ms,lease=1s,commit=" + commit}
	filling := nightly
	filling.verb = []string{"backfill", "nightly", "--since", "2024-01-01", "--name", "history"}
	nightly.mustRun(t, p)
	for range 2 {
		b.Night()
		nightly.mustRun(t, p)
	}
	wrong := len(wrongBookings(t, p.dir, b))
	if wrong == 0 {
		t.Fatal("the nightly runs have seen every correction: nothing is shown")
	}
	begun, killed, share := time.Now(), 0, 12*users/(kills+2) // requests
	for killed < kills {
		b.Night()
		b.misbehave(t, sandbox.Faults{Latency: 2 * time.Millisecond})
		b.ResetRequests()
		r := filling.start(t, p, "")
		r.untidy = true
		at := share/2 + rand.IntN(share)
		ended := make(chan struct{})
		watch := func() {
			await(ended, func() bool { return len(b.Requests()) >= at })
			_ = r.Process.Kill() // it may have ended
		}
		go watch()
		nightly.mustRun(t, p)
		e := r.wait(t)
		close(ended)
		switch {
		case e.killed():
			killed++
		case e.code != 0:
			t.Fatalf("exit code %d\n%s", e.code, e.output)
		default:
			t.Fatalf("it came to its end after %d kills", killed)
		}
		if files := uncommitted(t, p.dir); len(files) > 0 {
			t.Errorf("visible, but not committed: %s", files)
		}
		p.endLeases(t)
	}
	b.misbehave(t, sandbox.Faults{})
	filling.mustRun(t, p)
	nightly.mustRun(t, p)
	if e := filling.run(t, p, ""); e.code != 0 || !strings.Contains(e.output, "nothing to do") {
		t.Errorf("the finished backfill: exit code %d\n%s", e.code, e.output)
	}
	rows := checkLake(t, p.dir, b)
	brought := onceByBackfill(t, p.dir)
	if e := (mortals{b: b, dir: nightly.dir, s: seldom, verb: []string{"verify", "nightly"}}).run(t, p, ""); e.code != 0 {
		t.Errorf("verify: exit code %d\n%s", e.code, e.output)
	}
	t.Logf("%d users, %d kills, %d nights beside: %d rows brought, none twice, %d old corrections repaired, %d rows of current state equal the truth; %v",
		users, killed, killed, brought, wrong, rows, time.Since(begun).Round(time.Second))
}

// wrongBookings are the transactions of which the lake says something else than
// the bank.
func wrongBookings(t *testing.T, dir string, want truth) []string {
	t.Helper()
	l := openLake(t, dir)
	defer l.close()
	tb := tableNamed("transactions")
	wanted, _ := byKey(tb, collect(want.Truth(tb.name)))
	var wrong []string
	for key, got := range index(tb, l.current(t, tb)) {
		if w, known := wanted[key]; !known || !sameRow(w, got) {
			wrong = append(wrong, key)
		}
	}
	return wrong
}

func index(tb table, rows []row) map[string]row {
	m, _ := byKey(tb, rows)
	return m
}

// onceByBackfill fails where a backfill has brought a row twice, and counts its
// rows.
func onceByBackfill(t *testing.T, dir string) (rows int64) {
	t.Helper()
	l := openLake(t, dir)
	defer l.close()
	for _, tb := range tables {
		if tb.history {
			continue
		}
		rows += l.count(t, "SELECT count(*) FROM "+tb.name+" WHERE _pull = 'backfill'")
		key := make([]string, 0, len(tb.key))
		for _, k := range tb.key {
			key = append(key, quote(k))
		}
		twice := l.query(t, fmt.Sprintf("SELECT %[1]s, count(*) AS times FROM %[2]s WHERE _pull = 'backfill' GROUP BY %[1]s HAVING count(*) > 1 LIMIT %[3]d",
			strings.Join(key, ", "), tb.name, maxDiffs))
		for _, r := range twice {
			t.Errorf("%s: brought more than once: %v", tb.name, r)
		}
	}
	if rows == 0 {
		t.Error("nothing was brought")
	}
	return rows
}

// forger is a bank that says something else of one booking for a while, without
// a new analysis: its purpose is not what it was.
type forger struct {
	*sandbox.Sandbox
	purpose string
	forged  atomic.Bool
}

const forgery = "gefaelscht"

func (f *forger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.forged.Load() || !strings.HasSuffix(r.URL.Path, "/transactions") {
		f.Sandbox.ServeHTTP(w, r)
		return
	}
	seen := httptest.NewRecorder()
	f.Sandbox.ServeHTTP(seen, r)
	w.Header().Set("Content-Type", seen.Header().Get("Content-Type"))
	w.WriteHeader(seen.Code)
	_, _ = w.Write(bytes.ReplaceAll(seen.Body.Bytes(), []byte(f.purpose), []byte(forgery))) // who reads it would notice
}

// uniquePurpose is that of one booking only, which the windows of nightly pulls
// know and no night changes.
func uniquePurpose(t *testing.T, b *bank) string {
	t.Helper()
	times := map[string]int{}
	var within []string
	from, to := b.Now().AddDate(0, 0, -40).Format(time.DateOnly), b.Now().AddDate(0, 0, -20).Format(time.DateOnly)
	for _, r := range collect(b.Truth("transactions")) {
		purpose, _ := r["purpose"].(string)
		times[purpose]++
		if d := fmt.Sprint(r["booking_date"]); d > from && d < to && strings.Trim(purpose, "0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == "" && len(purpose) > 12 {
			within = append(within, purpose)
		}
	}
	for _, purpose := range within {
		if times[purpose] == 1 {
			return purpose
		}
	}
	t.Fatal("no booking has a purpose of its own")
	return ""
}

// TestWhatABackfillChangedAndTheAPIChangedBackEndsAsItWas: the nightly run's
// fingerprint is that of A, so without the backfill's mark it would write nothing.
func TestWhatABackfillChangedAndTheAPIChangedBackEndsAsItWas(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{Users: 2, Plain: true, Nightly: sandbox.Odds{Analysed: 1, Gone: -1, Joined: -1}})
	f := &forger{Sandbox: b.Sandbox, purpose: uniquePurpose(t, b)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	b.url = server.URL
	dir, s := t.TempDir(), settings{job: append([]string{"streams: [transactions]"}, seldom.job...)}
	b.night(t, dir, s)
	f.forged.Store(true)
	b.night(t, dir, s) // no new analysis: not seen
	if wrong := wrongBookings(t, dir, b); len(wrong) > 0 {
		t.Fatalf("before the backfill: %s", wrong)
	}
	cfg, err := config.Parse("jobs.yaml", []byte(b.jobsYAML(folderURL(dir), s)), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := jobs.Backfill(t.Context(), jobs.BackfillOptions{
		RunOptions: jobs.RunOptions{
			Config: cfg, Job: "nightly", Holder: t.Name(),
			Now: func() time.Time { return b.Now().Add(time.Minute + time.Since(begun)) },
		},
		Since: "2025-01-01",
	}); err != nil {
		t.Fatal(err)
	}
	if wrong := wrongBookings(t, dir, b); len(wrong) != 1 {
		t.Fatalf("after the backfill, %d bookings are other than they were, want 1: %s", len(wrong), wrong)
	}
	f.forged.Store(false)
	b.Night()
	b.night(t, dir, s)
	if wrong := wrongBookings(t, dir, b); len(wrong) > 0 {
		t.Errorf("after the night, %d bookings are other than they are: %s", len(wrong), wrong)
	}
}
