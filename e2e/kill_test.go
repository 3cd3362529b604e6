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
var slow = settings{job: []string{"checkpoint_every: 1s", "full_refresh_every: 8760h"}}

// All runs are killed first and taken up again after that: the leases that the
// dead have left then run out at the same time.
func TestARunKilledAtAnyInstantIsTakenUpWithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the leases of killed runs to end")
	}
	b := newBank(t, sandbox.Options{
		Users: 30, Today: daysBefore(nights), Nightly: sandbox.Odds{Analysed: 0.7},
		Faults: sandbox.Faults{Latency: 30 * time.Millisecond},
	})
	first := killEach(t, b, func() string { return t.TempDir() })
	b.takeUpEach(t, first)

	// The same on a lake that holds a night already: here the cursors decide.
	known := t.TempDir()
	b.run(t, 0, folderURL(known), settings{job: []string{"full_refresh_every: 8760h"}})
	b.Night()
	second := killEach(t, b, func() string { return copyOf(t, known) })
	b.takeUpEach(t, second)
}

// killEach runs the job once for each instant, each into a lake of its own, and
// kills it there.
func killEach(t *testing.T, b *bank, newLake func() string) []string {
	t.Helper()
	b.ResetRequests()
	b.run(t, 0, folderURL(newLake()), slow)
	whole := len(b.Requests())

	dirs := make([]string, 0, len(killInstants))
	for _, at := range killInstants {
		dir := newLake()
		dirs = append(dirs, dir)
		killOnce(t, b, dir, at, whole)
	}
	return dirs
}

func killOnce(t *testing.T, b *bank, dir string, at killAt, whole int) {
	t.Helper()
	b.ResetRequests()
	before := len(glob(t, dir, at.trace))
	c := b.start(t, folderURL(dir), slow)
	reached := func() bool {
		if at.asked > 0 {
			return len(b.Requests()) >= int(at.asked*float64(whole))
		}
		return len(glob(t, dir, at.trace)) >= before+at.count
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait()
	}()
	if !await(ended, reached) {
		t.Errorf("%s: the run ended before: exit code %d\n%s", at.name, c.ProcessState.ExitCode(), &c.stderr)
		return
	}
	if err := c.Process.Kill(); err != nil {
		t.Errorf("%s: kill: %v", at.name, err)
	}
	<-ended
	if visible := uncommitted(t, dir); len(visible) > 0 {
		t.Errorf("%s: visible, but not committed: %s", at.name, visible)
	}
}

// takeUpEach lets a new run go on where each killed one was, and looks at the
// lake that it leaves.
func (b *bank) takeUpEach(t *testing.T, dirs []string) {
	t.Helper()
	for i, dir := range dirs {
		t.Logf("take up the run that was killed %s", killInstants[i].name)
		b.run(t, 0, folderURL(dir), slow)
		checkLake(t, dir, b)
		if t.Failed() {
			t.Fatalf("killed %s", killInstants[i].name)
		}
	}
}

// await looks every now and then until the condition holds; false if the
// channel is closed before.
func await(ended <-chan struct{}, holds func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ended:
			return holds()
		case <-tick.C:
		}
	}
	return true
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

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}
