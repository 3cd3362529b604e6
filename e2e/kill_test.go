package e2e

import (
	"os"
	"slices"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
)

// instant to kill a run at: when it has left this trace.
type killAt struct {
	name string
	// asked is a share of all requests of a whole run; 0 looks for trace.
	asked float64
	trace string // a glob in the lake
	count int    // how many matches there must be
}

var killInstants = []killAt{
	{name: "when it holds the lease", trace: stateDir + "/leases/*", count: 1},
	{name: "after a fifth of the requests", asked: 0.2},
	{name: "when files are pending", trace: pendingFiles, count: 1},
	{name: "when cursors are uploaded", trace: stateDir + "/cursors/*", count: 1},
	{name: "when a commit is written", trace: stateDir + "/log/*.json", count: 1},
	{name: "when files become visible", trace: "*/ingest_date=*/*.parquet", count: 1},
	{name: "when a second commit is written", trace: stateDir + "/log/*.json", count: 2},
	{name: "after nine tenths of the requests", asked: 0.9},
}

// slow makes a run long enough to be killed within, with commits on the way.
var slow = settings{job: []string{"concurrency: 2", "checkpoint_every: 1s", "full_refresh_every: 8760h"}}

// quick takes up what is left of it.
var quick = settings{job: []string{"concurrency: 32", "full_refresh_every: 8760h"}}

// killed is a lake that a run was killed in the middle of.
type killed struct {
	bank *bank
	dir  string
	at   killAt
}

func TestARunKilledAtAnyInstantIsTakenUpWithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the leases of killed runs to end")
	}
	newKillBank := func(t *testing.T) *bank {
		t.Helper()
		return newBank(t, sandbox.Options{
			Users: 12, Today: daysBefore(nights), Nightly: sandbox.Odds{Analysed: 0.7},
			Faults: sandbox.Faults{Latency: 50 * time.Millisecond},
		})
	}
	t.Run("in the first night", func(t *testing.T) {
		t.Parallel()
		takeUpEach(t, killEach(t, newKillBank(t), func() string { return t.TempDir() }))
	})
	t.Run("on a lake that holds a night, where the cursors decide", func(t *testing.T) {
		t.Parallel()
		b, known := newKillBank(t), t.TempDir()
		b.run(t, 0, folderURL(known), quick)
		b.Night()
		takeUpEach(t, killEach(t, b, func() string { return copyOf(t, known) }))
	})
}

// takeUpEach comes after all runs were killed: the leases that the dead have
// left then run out at the same time.
func takeUpEach(t *testing.T, lakes []killed) {
	t.Helper()
	for _, k := range lakes {
		k.bank.run(t, 0, folderURL(k.dir), quick)
		checkLake(t, k.dir, k.bank)
		if t.Failed() {
			t.Fatalf("killed %s", k.at.name)
		}
	}
}

// killEach runs the job once for each instant, each into a lake of its own, and
// kills it there.
func killEach(t *testing.T, b *bank, newLake func() string) []killed {
	t.Helper()
	b.ResetRequests()
	b.run(t, 0, folderURL(newLake()), quick) // asks for as much as a slow one
	whole := len(b.Requests())

	lakes := make([]killed, 0, len(killInstants))
	for _, at := range killInstants {
		k := killed{bank: b, dir: newLake(), at: at}
		lakes = append(lakes, k)
		killOnce(t, k, whole)
	}
	return lakes
}

func killOnce(t *testing.T, k killed, whole int) {
	t.Helper()
	k.bank.ResetRequests()
	before := len(glob(t, k.dir, k.at.trace))
	c := k.bank.start(t, folderURL(k.dir), slow)
	reached := func() bool {
		if k.at.asked > 0 {
			return len(k.bank.Requests()) >= int(k.at.asked*float64(whole))
		}
		return len(glob(t, k.dir, k.at.trace)) >= before+k.at.count
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait()
	}()
	await(ended, reached)
	_ = c.Process.Kill()
	<-ended
	if code := c.ProcessState.ExitCode(); code != -1 {
		t.Errorf("%s: the run had ended before: exit code %d\n%s", k.at.name, code, &c.stderr)
	}
	if visible := uncommitted(t, k.dir); len(visible) > 0 {
		t.Errorf("%s: visible, but not committed: %s", k.at.name, visible)
	}
}

// await looks every now and then until the condition holds or the channel is
// closed.
func await(ended <-chan struct{}, holds func() bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
	}
}

// uncommitted are the files that a reader sees, though no commit names them.
// What is visible is looked at first: a commit may come between.
func uncommitted(t *testing.T, dir string) []string {
	t.Helper()
	visible := parquetFiles(t, dir)
	committed := committedFiles(readLog(t, dir))
	return slices.DeleteFunc(visible, func(path string) bool {
		_, found := slices.BinarySearch(committed, path)
		return found
	})
}

// early are files of pulls whose commit is not visible as a whole: a reader
// that sees a full pull there believes its rows to be all.
func early(t *testing.T, dir string) (files []string) {
	t.Helper()
	visible := map[string]bool{}
	for _, path := range parquetFiles(t, dir) {
		visible[path] = true
	}
	for _, c := range readLog(t, dir) {
		hidden := slices.ContainsFunc(c.Files, func(f commitFile) bool { return f.Table != "pulls" && !visible[f.Path] })
		for _, f := range c.Files {
			if hidden && f.Table == "pulls" && visible[f.Path] {
				files = append(files, f.Path)
			}
		}
	}
	return files
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}
