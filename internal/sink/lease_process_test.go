//go:build linux

package sink

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"finoos-syncer/internal/process"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// stuckStore is one that never comes back from completing an upload: what runs
// over it has committed, and published nothing.
type stuckStore struct{ bucket.Store }

func (s stuckStore) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if strings.HasPrefix(up.Key, system) { // the self-test's
		return s.Store.CompleteUpload(ctx, up, parts)
	}
	_, _ = fmt.Fprintln(os.Stdout, "at work")
	select {}
}

// TestHolder is what the tests below start: this binary once more, as a process
// that holds the lease of a folder.
func TestHolder(t *testing.T) {
	t.Parallel()
	if flag.NArg() != 2 {
		t.Skip("started by other tests")
	}
	w := inFolder(t, flag.Arg(0))
	w.runs = 500
	if flag.Arg(1) == KindBackfill {
		w.beginBackfill()
	}
	t.Errorf("the run has come to an end: %v", w.run(t.Context(), stuckStore{w.store}))
}

func inFolder(t *testing.T, dir string) *world {
	t.Helper()
	store, err := bucket.Open(t.Context(), "file://"+dir, bucket.Options{Pending: PendingPrefix("j")})
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, store, cursors.Shard{Count: 1}, 4)
}

// startHolder returns a process that has committed and not published, and the
// lake that it works in.
func startHolder(t *testing.T, kind string) (*exec.Cmd, *world) {
	t.Helper()
	if process.Self() == (process.Identity{}) {
		if runtime.GOOS == "linux" {
			t.Fatal("this system does not tell who a process is")
		}
		t.Skip("only Linux tells who a process is: elsewhere such a lease is waited for")
	}
	dir := t.TempDir()
	w := inFolder(t, dir)
	if kind == KindBackfill {
		w.mustRun()
		w.beginBackfill()
	}
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHolder$", "--", dir, kind)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "at work") {
			return holder, w
		}
		t.Log(lines.Text())
	}
	t.Fatal("the holder has ended")
	return nil, nil
}

func killNow(t *testing.T, holder *exec.Cmd) {
	t.Helper()
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
}

// wantHeld tries to begin a run that waits for nobody.
func (w *world) wantHeld(what string) {
	w.t.Helper()
	wr, err := w.open(w.t.Context(), w.store)
	var held *HeldError
	if !errors.As(err, &held) || held.Holder != "host of run 501" {
		w.t.Errorf("%s: %v, want that run 501 holds the lease", what, err)
	}
	if err == nil {
		w.mustClose(wr)
	}
	if living, err := Living(w.t.Context(), w.store, "j"); len(living) != 1 || err != nil {
		w.t.Errorf("%s: at work: %v, %v; want one", what, living, err)
	}
}

func TestTheLeaseOfAKilledProcessOfThisMachineIsTakenOverAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{KindRun, KindBackfill} {
		holder, w := startHolder(t, kind)
		killNow(t, holder)
		if living, err := Living(t.Context(), w.store, "j"); len(living) > 0 || err != nil {
			t.Errorf("at work: %v, %v; want nobody", living, err)
		}
		w.mustRun() // waits for nobody
		w.checkClean()
		w.checkPlace(true)
	}
}

// TestAKilledProcessOfAnotherNumberOfShardsBlocksNobody: what it left is fenced
// off and swept as if its lease had expired.
func TestAKilledProcessOfAnotherNumberOfShardsBlocksNobody(t *testing.T) {
	t.Parallel()
	holder, w := startHolder(t, KindRun)
	killNow(t, holder)
	for _, part := range w.shards(2) {
		part.mustRun()
	}
	fenced := false
	for r, err := range ReadLog(t.Context(), w.store, "j", 0) {
		if err != nil {
			t.Fatal(err)
		}
		fenced = fenced || r.Kind == KindFence && r.Fences == "run501"
	}
	if !fenced {
		t.Error("the log has no fence")
	}
	w.checkReaders()
}

func TestALivingOrStoppedProcessIsWaitedFor(t *testing.T) {
	t.Parallel()
	holder, w := startHolder(t, KindRun)
	w.wantHeld("alive")
	if err := holder.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.wantHeld("stopped")
	looks := 0
	o := w.options(listHook{w.store, func(prefix string) {
		if looks++; looks == 2 && prefix == jobKeys("j").leases() {
			killNow(t, holder) // while it is waited for
		}
	}})
	o.LeaseTTL, o.LeaseWait = 30*time.Second, 20*time.Second // which looks every second
	wr, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.mustClose(wr)
	w.mustRun()
	w.checkClean()
}

// TestAProcessThatMayLiveElsewhereIsWaitedFor: all that tells it from others has
// to be of this machine.
func TestAProcessThatMayLiveElsewhereIsWaitedFor(t *testing.T) {
	t.Parallel()
	holder, w := startHolder(t, KindRun)
	killNow(t, holder)
	key := jobKeys("j").lease(0, "")
	left, err := testLeases(w.store).get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(p process.Identity) {
		t.Helper()
		body := left.leaseBody
		body.Process = p
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Put(t.Context(), key, text, bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	for what, change := range map[string]func(p *process.Identity){
		"another host":          func(p *process.Identity) { p.Host += "x" },
		"another boot":          func(p *process.Identity) { p.BootID += "x" },
		"another container":     func(p *process.Identity) { p.PIDNamespace += "x" },
		"an earlier version":    func(p *process.Identity) { *p = process.Identity{} },
		"no number":             func(p *process.Identity) { p.PID = 0 },
		"the process that asks": func(p *process.Identity) { *p = process.Self() },
	} {
		p := left.Process
		change(&p)
		rewrite(p)
		w.wantHeld(what)
	}
	again := process.Self()
	again.Start--
	rewrite(again) // the number is another process's by now
	w.mustRun()
	w.checkClean()
}

// TestTwoRunsOfOneProcessWaitForEachOther: neither is dead.
func TestTwoRunsOfOneProcessWaitForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	w.runs = 500
	wr := w.mustOpen()
	w.wantHeld("of this process")
	w.mustClose(wr)
}
