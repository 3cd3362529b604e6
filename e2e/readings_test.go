package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// reader is a bank of one reading and the lake of a job that reads it night for
// night, in a synctest bubble each and without a network: waiting takes no time.
type reader struct {
	*sandbox.Sandbox
	readings sandbox.Readings
	job      []string // lines of it, beside those that all jobs have
	dir      string
	nights   []readNight
	runs     int
	since    []string // the runs since the last of the nights
}

// readNight is what one run said, and what was true when it had ended.
type readNight struct {
	report *report.Report
	err    error
	before []string                    // the runs before it that nobody has looked at
	truth  map[string]map[string][]row // by table and key: the row, and what may stand in its place
	log    string
}

// period is the full_refresh_every of these jobs: a refresh of some users falls
// into the three nights, and of all into one that is as long after them.
const period = 72 * time.Hour

func newReader(t *testing.T, dir string, readings sandbox.Readings) *reader {
	t.Helper()
	users := 6
	if readings.List != "" {
		users = 12 // a tenth of them is somebody
	}
	if readings.Joined != "" {
		users = 60 // of the first twenty it is seen whether one body is dependable
	}
	return newReaderOf(t, dir, readings, users, 0.6)
}

// newReaderOf is one of so many users, of whom so large a share changes a night.
func newReaderOf(t *testing.T, dir string, readings sandbox.Readings, users int, changed float64) *reader {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{
		Users: users, Past: 75, Seed: 20261119, PageSize: 2, CacheUsers: 100, Readings: readings,
		Nightly: sandbox.Odds{Analysed: changed, Gone: -1, Joined: -1},
		Sync:    sandbox.SyncOdds{Deprecated: -1, Credentials: -1, Blocked: -1, SCA: -1, Lost: -1},
	})
	if err != nil {
		t.Fatalf("new sandbox: %v", err)
	}
	return &reader{Sandbox: sb, readings: readings, dir: dir}
}

func (r *reader) config(t *testing.T) *config.Config {
	t.Helper()
	lines := []string{
		"finoos: {base_url: http://bank.test, client_id: sandbox, client_secret: sandbox, requests_per_second: 10000}",
		"sink: {url: '" + folderURL(r.dir) + "', compression: none}",
		"jobs:", "  nightly:", "    concurrency: 4", "    checkpoint_every: 599s", fmt.Sprintf("    full_refresh_every: %s", period),
	}
	for _, l := range r.job {
		lines = append(lines, "    "+l)
	}
	if r.readings.SyncAnswer != "" {
		lines = append(lines, "    sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 60s}")
	}
	cfg, err := config.Parse("jobs.yaml", []byte(strings.Join(lines, "\n")+"\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatalf("parse configuration: %v", err)
	}
	return cfg
}

// run reads once.
func (r *reader) run(t *testing.T) (n readNight) {
	t.Helper()
	warm(t)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Duration(r.runs) * 24 * time.Hour) // each bubble's clock begins in 2000
		var log strings.Builder
		n.report, n.err = r.once(t, &log)
		n.log = log.String()
	})
	if n.report == nil {
		t.Fatalf("no report, and %v", n.err)
	}
	r.runs++
	return n
}

// quietNights read so many nights in which nothing happens, of which only the last is
// looked at.
func (r *reader) quietNights(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		r.Later(24 * time.Hour)
		if i == n-1 {
			r.night(t)
			return
		}
		r.since = append(r.since, r.run(t).report.RunID)
	}
}

// night reads one night, and notes the truth of it.
func (r *reader) night(t *testing.T) *readNight {
	t.Helper()
	n := r.run(t)
	n.before, r.since = r.since, nil
	n.truth = map[string]map[string][]row{}
	for _, tb := range tables {
		if !tb.history {
			n.truth[tb.name] = r.truth(tb)
		}
	}
	r.nights = append(r.nights, n)
	return &r.nights[len(r.nights)-1]
}

func (r *reader) once(t *testing.T, log *strings.Builder) (*report.Report, error) {
	t.Helper()
	begun := time.Now()
	return jobs.Run(context.WithoutCancel(t.Context()), jobs.RunOptions{
		Config: r.config(t), Job: "nightly", Version: "test", Holder: "readings", Transport: r.Transport(),
		Now:    func() time.Time { return r.Now().Add(time.Since(begun)) },
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// truth is what a table must hold now, by key.
func (r *reader) truth(tb table) map[string][]row {
	all := map[string][]row{}
	for full := range r.Truth(tb.name) {
		one := canonicalRow(tb, full)
		k := apiKey(tb, one)
		all[k] = append(all[k], one)
		for _, other := range r.Alternatives(tb.name, full) {
			all[k] = append(all[k], canonicalRow(tb, other))
		}
	}
	return all
}

// The compressor of Parquet files is one for the whole process and holds
// channels: it must be made outside of any bubble.
var warmed sync.Once

func warm(t *testing.T) {
	t.Helper()
	warmed.Do(func() {
		r := newReader(t, t.TempDir(), sandbox.Readings{})
		for range 2 { // the second reads what the first has written
			if _, err := r.once(t, &strings.Builder{}); err != nil {
				t.Errorf("warm up: %v", err)
			}
		}
	})
}

// apiKey is keyOf for keys of text, of which there are many here.
func apiKey(tb table, r row) string {
	var k strings.Builder
	for i, name := range tb.key {
		if i > 0 {
			k.WriteByte(' ')
		}
		if s, isText := r[name].(string); isText {
			k.WriteString(s)
		} else {
			k.WriteString("null")
		}
	}
	return k.String()
}

// canonicalRow is canonical for rows whose JSON is canonical already.
func canonicalRow(tb table, r row) row {
	out := make(row, len(tb.columns)+1)
	for _, c := range tb.withExtra() {
		out[c.Name] = nil
	}
	for name, v := range r {
		out[name] = canonicalValue(v)
	}
	return out
}
