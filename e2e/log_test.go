package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// commit is a record of the commit log, as far as it speaks of data.
type commit struct {
	Seq    uint64             `json:"seq"`
	RunID  string             `json:"run_id"`
	Voids  uint64             `json:"voids"` // the commit that is taken back
	Files  []commitFile       `json:"files"`
	Tables map[string]changes `json:"tables"`

	published bool
}

type commitFile struct {
	Table string `json:"table"`
	Path  string `json:"path"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// changes is what a commit says to have done to a table.
type changes struct {
	Upserts int64             `json:"upserts"`
	Deletes int64             `json:"deletes"`
	Sums    map[string]string `json:"sums,omitempty"` // of each money column
}

// Where the job keeps its state, and a folder the uploads that no reader may
// see, relative to the lake.
const (
	stateDir     = "_syncer/nightly"
	pendingFiles = stateDir + "/pending/.*.pending"
)

// readLog reads the commit log of the job as any loader could.
func readLog(t *testing.T, dir string) []commit {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, stateDir, "log", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(paths)
	log := make([]commit, 0, len(paths))
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatalf("read log: %v", err)
		}
		var c commit
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatalf("read log: %s: %v", p, err)
		}
		if want := fmt.Sprintf("%020d.json", c.Seq); filepath.Base(p) != want {
			t.Errorf("commit %d stands in %s", c.Seq, filepath.Base(p))
		}
		_, err = os.Stat(strings.TrimSuffix(p, ".json") + ".published")
		c.published = err == nil
		log = append(log, c)
	}
	return log
}

// committedFiles are the paths of all data files that the log names.
func committedFiles(log []commit) []string {
	var paths []string
	for _, c := range log {
		for _, f := range c.Files {
			paths = append(paths, f.Path)
		}
	}
	sort.Strings(paths)
	return paths
}

// checkCommits fails unless what is visible is what was committed, exactly and
// once, and nothing is left over. It holds whenever no run is at work.
func (l *lake) checkCommits(t *testing.T) {
	t.Helper()
	log := readLog(t, l.dir)
	for i, c := range log {
		if c.Seq != uint64(i)+1 {
			t.Errorf("commit %d stands at place %d of the log", c.Seq, i+1)
		}
		if !c.published {
			t.Errorf("commit %d is not published", c.Seq)
		}
		l.checkCommit(t, c)
	}
	if diff := cmp.Diff(committedFiles(log), parquetFiles(t, l.dir)); diff != "" {
		t.Errorf("files (-committed +visible):\n%s", diff)
	}
	l.checkRowsOnce(t)
	l.checkMeta(t)
	for _, left := range []string{pendingFiles, stateDir + "/pending/.*.tmp", stateDir + "/staging/*", stateDir + "/attempts/*"} {
		if files := glob(t, l.dir, left); len(files) > 0 {
			t.Errorf("left over: %s", files)
		}
	}
}

// checkCommit compares what a record says of its files with the files.
func (l *lake) checkCommit(t *testing.T, c commit) {
	t.Helper()
	files := map[string][]string{} // by table
	for _, f := range c.Files {
		path := filepath.Join(l.dir, f.Path)
		info, err := os.Stat(path)
		if err != nil {
			t.Errorf("commit %d: %v", c.Seq, err)
			continue
		}
		rows := l.count(t, "SELECT count(*) FROM read_parquet(?)", path)
		if info.Size() != f.Bytes || rows != f.Rows {
			t.Errorf("commit %d: %s has %d rows in %d bytes, the record says %d in %d", c.Seq, f.Path, rows, info.Size(), f.Rows, f.Bytes)
		}
		if n := l.count(t, "SELECT count(*) FROM read_parquet(?) WHERE _run_id IS DISTINCT FROM ?", path, c.RunID); n > 0 {
			t.Errorf("commit %d: %s has %d rows of another run", c.Seq, f.Path, n)
		}
		files[f.Table] = append(files[f.Table], "'"+path+"'")
	}
	got := map[string]changes{}
	for name, paths := range files {
		got[name] = l.changesIn(t, tableNamed(name), paths)
	}
	if diff := cmp.Diff(got, c.Tables, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("commit %d (-files +record):\n%s", c.Seq, diff)
	}
}

// changesIn counts what a table's files hold.
func (l *lake) changesIn(t *testing.T, tb table, paths []string) changes {
	t.Helper()
	from := " FROM read_parquet([" + strings.Join(paths, ", ") + "])"
	c := changes{
		Upserts: l.count(t, "SELECT count(*)"+from+" WHERE _op = 'upsert'"),
		Deletes: l.count(t, "SELECT count(*)"+from+" WHERE _op = 'delete'"),
		Sums:    map[string]string{},
	}
	for _, col := range tb.columns {
		if col.Type != money {
			continue
		}
		for _, r := range l.query(t, "SELECT coalesce(sum("+quote(col.Name)+"), 0)::VARCHAR AS total"+from) {
			c.Sums[col.Name] = fmt.Sprint(r["total"])
		}
	}
	return c
}

// checkRowsOnce fails where a row is visible twice: a key occurs once per pull.
func (l *lake) checkRowsOnce(t *testing.T) {
	t.Helper()
	for _, tb := range tables {
		key := []string{"_extracted_at"}
		for _, k := range tb.key {
			if k != "_extracted_at" {
				key = append(key, quote(k))
			}
		}
		twice := l.query(t, fmt.Sprintf("SELECT %[1]s, count(*) AS times FROM %[2]s GROUP BY %[1]s HAVING count(*) > 1 LIMIT %[3]d",
			strings.Join(key, ", "), tb.name, maxDiffs))
		for _, r := range twice {
			t.Errorf("%s: visible more than once: %v", tb.name, r)
		}
	}
}

// checkMeta fails where a row does not say what it is and where it came from.
func (l *lake) checkMeta(t *testing.T) {
	t.Helper()
	for _, tb := range tables {
		pull := "coalesce(_pull NOT IN ('full', 'diff', 'backfill'), true)"
		if tb.history {
			pull = "_pull IS NOT NULL OR _op <> 'upsert'"
		}
		if n := l.count(t, "SELECT count(*) FROM "+tb.name+" WHERE coalesce(_op NOT IN ('upsert', 'delete'), true)"+
			" OR _extracted_at IS NULL OR _run_id IS NULL OR _extra IN ('', '{}', 'null') OR "+pull); n > 0 {
			t.Errorf("%s: %d rows without a proper _op, _pull, _extracted_at, _run_id or _extra", tb.name, n)
		}
		for _, k := range tb.key {
			// A session for all logins of a user names none.
			if n := l.count(t, "SELECT count(*) FROM "+tb.name+" WHERE "+quote(k)+" IS NULL"); n > 0 && tb.name != "sync_sessions" {
				t.Errorf("%s: %d rows without %s", tb.name, n, k)
			}
		}
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
