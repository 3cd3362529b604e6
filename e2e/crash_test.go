package e2e

import (
	commandline "flag" // flag is a type of columns here
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/sink/bucket/s3test"
)

// crashFull is set by make crash: every step, and two hundred kills at random.
var crashFull = commandline.Bool("crash", false, "kill runs at every step, not at a sample of them")

// crashRandom is set by make crash-random, which leaves the steps out.
var crashRandom = commandline.Int("crash-random", 0, "kill so many runs at any time, and none at a step")

const (
	atRandom = "random" // the plan of a kill at any time
	// sampleEvery is how many steps are left out between two of a sample.
	sampleEvery = 61
	randomKills = 200
)

// TestARunKilledAtAnyStepLosesAndDoublesNothing kills a real process at each
// operation on its store, before and after, lets another one run, and compares
// the lake with one whose runs were left in peace, which is the truth.
func TestARunKilledAtAnyStepLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs many processes")
	}
	results := &crashTally{begun: time.Now(), kinds: map[string]int{}}
	t.Cleanup(func() { results.print(t) })
	shared := s3test.Start(t)
	for _, store := range []string{"folder", "s3"} {
		for _, sc := range crashScenarios {
			t.Run(store+"/"+sc.name, func(t *testing.T) {
				t.Parallel()
				var server *s3test.Server
				if store == "s3" {
					server = shared
				}
				s := sc.make(t, server)
				crashEverywhere(t, s, results.row(store, sc.name), results)
			})
		}
	}
}

// crashEverywhere tries the steps of a site's run, in as many workers as there
// are processors.
func crashEverywhere(t *testing.T, s *crashSite, row *crashRow, results *crashTally) {
	t.Helper()
	reference := s.base.copy(t)
	steps := s.m.mustRun(t, reference)
	checkMeasure(t, reference, s.want)
	again := s.base.copy(t)
	begun := time.Now()
	s.m.mustRun(t, again) // not the first: the bank was asked for all this before
	whole := time.Since(begun)
	again.remove(t)
	steps, plans := plansFor(s, steps)
	row.steps = len(steps)
	results.expect(steps)
	if !*crashFull {
		plans = sampleOf(plans)
	}
	// Two stores, of which one scenario is for certain steps only. Some are too
	// late to kill anything.
	inEach := func(kills int) []string { return slices.Repeat([]string{atRandom}, kills/2/(len(crashScenarios)-1)+2) }
	switch {
	case *crashRandom > 0 && s.only != nil:
		plans = nil
	case *crashRandom > 0:
		plans = inEach(*crashRandom * 3 / 2)
	case s.only != nil:
	case *crashFull:
		plans = append(plans, inEach(randomKills)...)
	default:
		plans = append(plans, atRandom)
	}
	todo := make(chan string, len(plans))
	for _, plan := range plans {
		todo <- plan
	}
	close(todo)
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprintf("worker %d", worker), func(t *testing.T) {
			t.Parallel()
			y := newYardstick(t, reference, s.other)
			for plan := range todo {
				killed, m := s.crash(t, y, plan, whole)
				results.add(row, killed, m)
				for _, problem := range m.problems {
					t.Errorf("%s: %s", plan, problem)
				}
			}
		})
	}
}

// plansFor is every place where a run with these operations can die, and the
// operations that are meant. What is before an operation is after the one before
// it; after one that writes it is tried once more, since other workers may be in
// the middle of theirs.
func plansFor(s *crashSite, operations []string) (steps, plans []string) {
	for i, op := range operations {
		if s.only != nil && !s.only(operations, op) || inSelfTest(op) && !s.tests {
			continue
		}
		steps = append(steps, op)
		n := strconv.Itoa(i + 1)
		plans = append(plans, "before:"+n)
		if writes(op) {
			plans = append(plans, "after:"+n)
		}
	}
	return steps, plans
}

func writes(op string) bool {
	what, _, _ := strings.Cut(op, " ")
	switch what {
	case "put", "delete", "create", "part", "complete", "abort":
		return true
	}
	return false
}

// sampleOf begins somewhere else at each call.
func sampleOf(plans []string) []string {
	var some []string
	for i := rand.IntN(sampleEvery); i < len(plans); i += sampleEvery {
		some = append(some, plans[i])
	}
	return some
}

// crash lets a run die by a plan, and every other one at random the run after
// it too. The next run has to set everything right.
func (s *crashSite) crash(t *testing.T, y *yardstick, plan string, whole time.Duration) (died []string, m measured) {
	t.Helper()
	p := s.base.copy(t)
	defer p.remove(t)
	plans := []string{plan}
	if plan == atRandom && rand.IntN(2) == 0 {
		plans = append(plans, plan)
	}
	for _, plan := range plans {
		var e ended
		if plan == atRandom {
			e = s.m.killLater(t, p, rand.N(whole*9/10))
		} else {
			e = s.m.run(t, p, plan)
		}
		switch {
		case e.killed() && plan == atRandom:
			died = append(died, atRandom)
		case e.killed():
			_, n, _ := strings.Cut(plan, ":")
			at, _ := strconv.Atoi(n)
			died = append(died, kindOf(e.trace[at-1])) // others may have begun meanwhile
		case e.code != 0:
			m.problems = append(m.problems, fmt.Sprintf("exit code %d (%v), neither done nor killed\n%s", e.code, e.signal, e.output))
		}
		if files := uncommitted(t, p.dir); len(files) > 0 {
			m.problems = append(m.problems, fmt.Sprintf("visible, but not committed: %s", files))
		}
		if files := early(t, p.dir); len(files) > 0 {
			m.problems = append(m.problems, fmt.Sprintf("visible before what they speak of: %s", files))
		}
		p.endLeases(t)
	}
	if e := s.m.run(t, p, ""); e.code != 0 {
		m.problems = append(m.problems, fmt.Sprintf("the run after it: exit code %d (%v)\n%s", e.code, e.signal, e.output))
	}
	after := y.measure(t, p)
	after.problems = append(m.problems, after.problems...)
	return died, after
}

// killLater kills a run after a time, if it is still there.
func (m mortals) killLater(t *testing.T, p place, d time.Duration) ended {
	t.Helper()
	r := m.start(t, p, "")
	timer := time.AfterFunc(d, func() { _ = r.Process.Kill() }) // it may have ended
	defer timer.Stop()
	return r.wait(t)
}

// crashTally adds up what came of all kills.
type crashTally struct {
	begun time.Time

	mu    sync.Mutex
	order []*crashRow
	kinds map[string]int // kills by kind of step, 0 for those that were counted only
}

type crashRow struct {
	store, scenario                           string
	steps, kills, random, lost, twice, orphan int
}

func (c *crashTally) row(store, scenario string) *crashRow {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &crashRow{store: store, scenario: scenario}
	c.order = append(c.order, r)
	return r
}

// expect notes the steps that were counted.
func (c *crashTally) expect(steps []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range steps {
		c.kinds[kindOf(op)] += 0
	}
}

func (c *crashTally) add(r *crashRow, died []string, m measured) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kind := range died {
		if kind == atRandom {
			r.random++
			continue
		}
		r.kills++
		c.kinds[kind]++
	}
	r.lost += m.lost
	r.twice += m.twice
	r.orphan += m.orphans
}

// print writes the table that make crash is run for.
func (c *crashTally) print(t *testing.T) {
	t.Helper()
	var b strings.Builder
	line := func(r *crashRow) {
		fmt.Fprintf(&b, "%-7s %-32s %6d %6d %8d %6d %6d %8d\n", r.store, r.scenario, r.steps, r.kills, r.random, r.lost, r.twice, r.orphan)
	}
	fmt.Fprintf(&b, "\n%-7s %-32s %6s %6s %8s %6s %6s %8s\n", "store", "killed run", "steps", "kills", "+random", "lost", "twice", "orphans")
	all := &crashRow{store: "all"}
	for _, r := range c.order {
		line(r)
		all.steps += r.steps
		all.kills += r.kills
		all.random += r.random
		all.lost += r.lost
		all.twice += r.twice
		all.orphan += r.orphan
	}
	line(all)
	fmt.Fprintf(&b, "in %v\n", time.Since(c.begun).Round(time.Second))
	if *crashRandom == 0 {
		c.printKinds(t, &b)
	}
	if *crashFull || *crashRandom > 0 {
		_, _ = fmt.Fprint(os.Stdout, b.String())
	} else {
		t.Log(b.String())
	}
	if all.kills == 0 && *crashRandom == 0 || all.random < max(*crashRandom, 1) {
		t.Error("too little was killed")
	}
}

// printKinds says before or after which operations runs were killed.
func (c *crashTally) printKinds(t *testing.T, b *strings.Builder) {
	t.Helper()
	b.WriteString("\nkilled before or after")
	for i, kind := range slices.Sorted(maps.Keys(c.kinds)) {
		if i%4 == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "%4d × %-24s", c.kinds[kind], kind)
		if c.kinds[kind] == 0 && *crashFull {
			t.Errorf("runs have the step %q, and none was killed there", kind)
		}
	}
	b.WriteString("\n")
}
