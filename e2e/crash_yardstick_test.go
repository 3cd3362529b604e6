package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// yardstick is a lake that was made without any trouble and equals the truth.
// Others are measured by it: they must hold the same rows, each as often, but
// for when and by whom they were written.
type yardstick struct {
	*lake

	others     map[string]string // files of other jobs
	compareSQL map[string]string // by table, and view of the current state

	mu sync.Mutex // held while lakes are compared: the schema in use is the connection's
	n  int
}

// unlike are columns that differ from run to run.
var unlike = []string{"_extracted_at", "_run_id", "duration_ms", "requests", "bytes", "first_seen_at", "last_seen_at"}

// checkMeasure fails unless a lake is the truth, and so can be a measure.
func checkMeasure(t *testing.T, p place, want truth) {
	t.Helper()
	l := openLake(t, p.dir)
	defer l.close()
	n := l.checkTruth(t, want)
	l.checkRowsOnce(t)
	if n < 100 || t.Failed() {
		t.Fatalf("%d rows compared: no measure for others", n)
	}
}

// newYardstick makes a lake that was checked the measure.
func newYardstick(t *testing.T, p place, others map[string]string) *yardstick {
	t.Helper()
	y := &yardstick{lake: openLake(t, t.TempDir()), others: others, compareSQL: map[string]string{}}
	y.exec(t, "SET threads = 1") // what is parallel are lakes
	y.load(t, "measure", p.dir)
	for _, tb := range tables {
		names := []string{tb.name}
		if !tb.history {
			names = append(names, "current_"+tb.name)
		}
		cols := slices.DeleteFunc(tb.all(), func(c column) bool { return slices.Contains(unlike, c.Name) })
		list := make([]string, 0, len(cols))
		for _, c := range cols {
			list = append(list, quote(c.Name))
		}
		for _, name := range names {
			hashed := fmt.Sprintf("SELECT hash(%s) AS h, count(*) AS n FROM %s GROUP BY h", strings.Join(list, ", "), name)
			y.exec(t, fmt.Sprintf("CREATE TABLE memory.main.hashed_%s AS %s", name, hashed))
			y.compareSQL[name] = fmt.Sprintf(`
SELECT coalesce(-sum(n) FILTER (n < 0), 0)::BIGINT AS lost, coalesce(sum(n) FILTER (n > 0), 0)::BIGINT AS twice FROM (
	SELECT sum(n) AS n FROM (%s UNION ALL SELECT h, -n FROM memory.main.hashed_%s) GROUP BY h)`, hashed, name)
		}
	}
	return y
}

// load makes a folder's tables and current state readable in a schema.
func (y *yardstick) load(t *testing.T, schema, dir string) {
	t.Helper()
	y.exec(t, "CREATE SCHEMA "+schema)
	y.exec(t, "USE "+schema)
	l := &lake{dir: dir, db: y.db}
	l.load(t)
}

// measured is what is wrong with a lake.
type measured struct {
	lost, twice, orphans int
	problems             []string
}

func (m *measured) orphan(format string, args ...any) {
	m.orphans++
	m.problems = append(m.problems, "orphan: "+fmt.Sprintf(format, args...))
}

// measure compares a lake that no run is working on, after one that ended well.
func (y *yardstick) measure(t *testing.T, p place) measured {
	t.Helper()
	var m measured
	y.mu.Lock()
	defer y.mu.Unlock()
	y.n++
	schema := fmt.Sprintf("lake_%d", y.n)
	y.load(t, schema, p.dir)
	for name, query := range y.compareSQL {
		var lost, twice int64
		if err := y.db.QueryRowContext(t.Context(), query).Scan(&lost, &twice); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if lost > 0 || twice > 0 {
			m.problems = append(m.problems, fmt.Sprintf("%s: %d rows missing, %d too many", name, lost, twice))
		}
		m.lost += int(lost)
		m.twice += int(twice)
	}
	y.exec(t, "USE main")
	y.exec(t, "DROP SCHEMA "+schema+" CASCADE")
	y.inspect(t, p, &m)
	return m
}

// logged is what the log says of a lake's files.
type logged struct {
	sizes   map[string]int64 // of data files that are committed
	cursors map[string]bool
}

// fullRecord is a record of the log with what does not concern data.
type fullRecord struct {
	commit
	Cursors struct {
		Path string `json:"path"`
	} `json:"cursors"`
}

func readFullLog(t *testing.T, dir string, m *measured) logged {
	t.Helper()
	l := logged{sizes: map[string]int64{}, cursors: map[string]bool{}}
	voided := map[uint64]bool{}
	var records []fullRecord
	for _, path := range glob(t, dir, stateDir+"/log/*.json") {
		var r fullRecord
		body, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(body, &r)
		}
		if err != nil {
			t.Fatalf("read log: %v", err)
		}
		if _, err := os.Stat(strings.TrimSuffix(path, ".json") + ".published"); err != nil {
			m.problems = append(m.problems, fmt.Sprintf("record %d is not published: %v", r.Seq, err))
		}
		voided[r.Voids] = true
		records = append(records, r)
	}
	for _, r := range records {
		l.cursors[r.Cursors.Path] = true
		for _, f := range r.Files {
			if voided[r.Seq] {
				continue
			}
			if _, twice := l.sizes[f.Path]; twice {
				m.problems = append(m.problems, fmt.Sprintf("record %d names a file that another has named: %s", r.Seq, f.Path))
				m.twice++ // a loader that reads the log gets its rows again
			}
			l.sizes[f.Path] = f.Bytes
		}
	}
	return l
}

// inspect finds files that should not be there, and those that should and are
// not.
func (y *yardstick) inspect(t *testing.T, p place, m *measured) {
	t.Helper()
	log, files := readFullLog(t, p.dir, m), p.files(t)
	for path, size := range log.sizes {
		if body, ok := files[path]; !ok || int64(len(body)) != size {
			m.problems = append(m.problems, "committed, but not there or of another size: "+path)
			m.lost++
		}
	}
	for path, body := range y.others {
		if now, ok := files[path]; !ok || now != body {
			m.orphan("of another job, and touched: %s", path)
		}
	}
	for path := range files {
		_, others := y.others[path]
		_, committed := log.sizes[path]
		if !others && !committed && !log.cursors[path] && !keptState(path) {
			m.orphan("%s", path)
		}
	}
	if p.server == nil {
		return
	}
	for _, key := range p.server.PendingUploads(t, p.url) {
		if !strings.Contains(key, bystanderDay) {
			m.orphan("a pending upload to %s", key)
		}
	}
}

// keptState says whether a file is one that the job keeps beside data and
// cursors.
func keptState(path string) bool {
	for _, kept := range []string{"log", "checkpoints", "runs", "state"} {
		if strings.HasPrefix(path, stateDir+"/"+kept+"/") {
			return true
		}
	}
	return path == stateDir+"/pending/.lock" || filepath.Base(path) == ".lock" && strings.HasPrefix(path, "_syncer/")
}
