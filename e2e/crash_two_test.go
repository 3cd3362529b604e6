package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/bucket/s3test"
)

// onBothStores runs a test on a folder and on a real S3 server.
func onBothStores(t *testing.T, test func(t *testing.T, server *s3test.Server)) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs many processes")
	}
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		test(t, nil)
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		test(t, s3test.Start(t))
	})
}

// yardstick is the measure for what comes after this site, and the steps of the
// run that made it.
func (s *crashSite) yardstick(t *testing.T) (y *yardstick, steps []string) {
	t.Helper()
	reference := s.base.copy(t)
	steps = s.m.mustRun(t, reference)
	checkMeasure(t, reference, s.want)
	return newYardstick(t, reference, s.other), steps
}

// check fails the test where anything is wrong with a lake.
func (y *yardstick) check(t *testing.T, p place, what string) {
	t.Helper()
	for _, problem := range y.measure(t, p).problems {
		t.Errorf("%s: %s", what, problem)
	}
}

// runIDs are the runs that have commits in a lake's log.
func runIDs(t *testing.T, p place) []string {
	t.Helper()
	var ids []string
	for _, c := range readLog(t, p.dir) {
		if len(c.Files) > 0 {
			ids = append(ids, c.RunID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestOfTwoRunsStartedTogetherOneCommitsAndTheOtherSaysWhoIsAtWork(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, server *s3test.Server) {
		t.Helper()
		s := newSite(t, server, sandbox.Options{Users: crashUsers})
		y, _ := s.yardstick(t)
		s.m.s.job = append(s.m.s.job, "lease_wait: 1s")
		s.m.b.misbehave(t, sandbox.Faults{Latency: 300 * time.Millisecond})
		runs := []*mortalRun{s.m.start(t, s.base, ""), s.m.start(t, s.base, "")}
		var codes []int
		for i, r := range runs {
			e := r.wait(t)
			codes = append(codes, e.code)
			other := runs[1-i].Process.Pid
			if e.code == 7 && !strings.Contains(e.output, fmt.Sprintf("process %d", other)) {
				t.Errorf("the run that gave up does not name the other, %d:\n%s", other, e.output)
			}
		}
		slices.Sort(codes)
		if !slices.Equal(codes, []int{0, 7}) {
			t.Errorf("exit codes %v, want 0 and 7", codes)
		}
		if ids := runIDs(t, s.base); len(ids) != 1 {
			t.Errorf("commits of the runs %s, want those of one", ids)
		}
		y.check(t, s.base, "after both")
	})
}

// stopAt starts a run that stops itself before an operation, and waits until it
// has done so.
func (m mortals) stopAt(t *testing.T, p place, step int) *mortalRun {
	t.Helper()
	r := m.start(t, p, "stop:"+strconv.Itoa(step))
	stat := fmt.Sprintf("/proc/%d/stat", r.Process.Pid)
	state := func() string {
		body, err := os.ReadFile(stat)
		if err != nil {
			t.Fatalf("state of a process: %v", err)
		}
		_, after, _ := strings.Cut(string(body), ") ")
		return after[:1]
	}
	tooLong, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	await(tooLong.Done(), func() bool { return state() == "T" || state() == "Z" })
	if now := state(); now != "T" {
		t.Fatalf("process state %s, not stopped before step %d: %s", now, step, &r.out)
	}
	p.awaitLeases(t)
	return r
}

// asleep is stopAt in a copy of a site. One that stopped while it renewed its lease
// holds the folder's lock for as long as it sleeps, and so nobody could come in
// between: another one takes its place.
func (s *crashSite) asleep(t *testing.T, m mortals, step int) (p place, r *mortalRun, began time.Time) {
	t.Helper()
	for {
		p, began = s.base.copy(t), time.Now()
		if r = m.stopAt(t, p, step); !p.isLocked(t) {
			return p, r, began
		}
		if err := r.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		r.wait(t)
		p.remove(t)
	}
}

// isLocked says whether somebody holds the lock of a folder.
func (p place) isLocked(t *testing.T) bool {
	t.Helper()
	for _, path := range glob(t, p.dir, stateDir+"/pending/.lock") {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if closed := file.Close(); closed != nil {
			t.Fatal(closed)
		}
		if err != nil {
			return true
		}
	}
	return false
}

// awaitLeases waits until an S3 server has got what a stopped run had sent it to
// renew its lease: that would make the lease young again after endLeases.
func (p place) awaitLeases(t *testing.T) {
	t.Helper()
	if p.server == nil {
		return
	}
	const while = 200 * time.Millisecond
	renewed := func() (times []string) {
		for _, path := range glob(t, p.dir, stateDir+"/leases/*.json") {
			if info, err := os.Stat(path); err == nil {
				times = append(times, path+info.ModTime().String())
			}
		}
		return times
	}
	for before := []string{"unknown"}; !slices.Equal(before, renewed()); <-time.After(while) {
		before = renewed()
	}
}

func (r *mortalRun) wake(t *testing.T) ended {
	t.Helper()
	if err := r.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	return r.wait(t)
}

// sleeperLease is how long a sleeper thinks that its lease lives; it sleeps for
// longer.
const sleeperLease = 300 * time.Millisecond

// TestARunThatSleepsPastItsLeaseCommitsNothingMore stops a real process before
// each write, lets another run do the work, and wakes it.
func TestARunThatSleepsPastItsLeaseCommitsNothingMore(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, server *s3test.Server) {
		t.Helper()
		s := secondNight(t, server)
		y, steps := s.yardstick(t)
		var writing []int
		for i, op := range steps {
			if writes(op) {
				writing = append(writing, i+1)
			}
		}
		before := slices.IndexFunc(steps, func(op string) bool { return kindOf(op) == "put staging" }) + 1
		overtaken, tried := 0, 0
		for i, step := range writing {
			if !*crashFull && i%3 != before%3 {
				continue
			}
			tried++
			if s.sleep(t, y, step) {
				overtaken++
			}
		}
		t.Logf("%d of %d steps: %d sleepers were overtaken", tried, len(writing), overtaken)
		if overtaken < 4 {
			t.Errorf("%d sleepers were overtaken: too few to show anything", overtaken)
		}
	})
}

// sleep lets a run sleep before a step while another one does the work, and
// reports whether it learned that it was overtaken. One that had committed
// before may learn of it too, or end well.
func (s *crashSite) sleep(t *testing.T, y *yardstick, step int) bool {
	t.Helper()
	slow := s.m
	slow.tune = "lease=" + sleeperLease.String()
	p, r, began := s.asleep(t, slow, step)
	defer p.remove(t)
	op := r.trace(t)[step-1]
	what := fmt.Sprintf("slept before step %d, %s", step, op)
	mine := len(runIDs(t, p)) > 1 // it had committed before it slept
	p.endLeases(t)
	s.m.mustRun(t, p)
	<-time.After(time.Until(began.Add(2 * sleeperLease)))
	e := r.wake(t)
	switch {
	case e.code == 7:
		if !strings.Contains(e.output, "overtaken") {
			t.Errorf("%s: says nothing of having been overtaken:\n%s", what, e.output)
		}
	case e.code != 0:
		t.Errorf("%s: exit code %d (%v)\n%s", what, e.code, e.signal, e.output)
	case !mine && kindOf(op) != "put leases":
		t.Logf("%s: had nothing left to commit", what)
	}
	if n := len(runIDs(t, p)); n > 2 {
		t.Errorf("%s: commits of %d runs, want one for each night", what, n)
	}
	y.check(t, p, what)
	return e.code == 7
}

// TestASleeperWhoseUploadsWereSweptCommitsNothing lets the run that comes in
// between die before it commits: nothing but its fence tells the sleeper.
func TestASleeperWhoseUploadsWereSweptCommitsNothing(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, server *s3test.Server) {
		t.Helper()
		s := secondNight(t, server)
		y, steps := s.yardstick(t)
		slow := s.m
		slow.tune = "lease=" + sleeperLease.String()
		p, r, began := s.asleep(t, slow, slices.IndexFunc(steps, func(op string) bool { return kindOf(op) == "put log/N.json" })+1)
		p.endLeases(t)
		trial := p.copy(t)
		steps = s.m.mustRun(t, trial)
		trial.remove(t)
		work := slices.IndexFunc(steps, func(op string) bool { return kindOf(op) == "put staging" }) + 1
		if e := s.m.run(t, p, "before:"+strconv.Itoa(work)); !e.killed() {
			t.Fatalf("the run in between: exit code %d, not killed\n%s", e.code, e.output)
		}
		<-time.After(time.Until(began.Add(2 * sleeperLease)))
		if e := r.wake(t); e.code != 7 || !strings.Contains(e.output, "overtaken") {
			t.Errorf("the sleeper: exit code %d (%v)\n%s", e.code, e.signal, e.output)
		}
		p.endLeases(t)
		s.m.mustRun(t, p)
		y.check(t, p, "after a sleeper, a death and a run")
		for _, c := range readLog(t, p.dir) {
			if c.Voids > 0 {
				t.Errorf("record %d had to be taken back", c.Voids)
			}
		}
	})
}

// TestALivingRunIsLeftAlone stops a run of one shard in the middle, for less long
// than its lease lives.
func TestALivingRunIsLeftAlone(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, server *s3test.Server) {
		t.Helper()
		const users = 8
		s := newSite(t, server, sandbox.Options{Users: users})
		one, two := s.m, s.m
		one.args, two.args = []string{"--shard", "0/2"}, []string{"--shard", "1/2"}
		reference := s.base.copy(t)
		steps := one.mustRun(t, reference)
		two.mustRun(t, reference)
		checkMeasure(t, reference, s.want)
		y := newYardstick(t, reference, s.other)

		p := s.base
		commit := slices.IndexFunc(steps, func(op string) bool { return kindOf(op) == "put log/N.json" }) + 1
		r := one.stopAt(t, p, commit)
		pending := func() int {
			if server != nil {
				return len(server.PendingUploads(t, p.url))
			}
			return len(glob(t, p.dir, pendingFiles))
		}
		had := pending()
		if had == 0 {
			t.Fatal("nothing is pending before the commit")
		}
		two.mustRun(t, p)
		impatient := one
		impatient.s.job = append(slices.Clone(one.s.job), "lease_wait: 1s")
		if e := impatient.run(t, p, ""); e.code != 7 {
			t.Errorf("a second run of the same shard: exit code %d\n%s", e.code, e.output)
		}
		all := impatient
		all.args = nil
		if e := all.run(t, p, ""); e.code != 7 {
			t.Errorf("a run of all users: exit code %d\n%s", e.code, e.output)
		}
		if now := pending(); now != had {
			t.Errorf("%d uploads are pending, there were %d before others ran", now, had)
		}
		if e := r.wake(t); e.code != 0 {
			t.Errorf("the run that was left alone: exit code %d\n%s", e.code, e.output)
		}
		y.check(t, p, "after both shards")
	})
}
