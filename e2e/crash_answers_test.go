package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket/s3test"
)

var ambiguous = []flaw{lost, cut, failed, slowDown, twiceDone, late}

// TestAnyWriteWithAnAmbiguousAnswerLosesAndDoublesNothing lets one write after
// the other go wrong between a real process and a real S3 server, and all its
// repetitions too where that leaves the run no way out.
func TestAnyWriteWithAnAmbiguousAnswerLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs many processes")
	}
	s := secondNight(t, s3test.Start(t))
	y, _ := s.yardstick(t)

	counted := s.base.copy(t)
	proxied, f := behindProxy(t, counted, func(int) flaw { return "" })
	s.m.mustRun(t, proxied)
	kinds, _ := f.seen()
	writes := len(kinds)
	if writes < 30 {
		t.Fatalf("a run has %d writes: too few to be all", writes)
	}
	y.check(t, counted, "without a flaw")

	for _, what := range ambiguous {
		t.Run(string(what), func(t *testing.T) {
			t.Parallel()
			first, step := 1, 1
			if !*crashFull {
				first, step = 1+rand.IntN(writes/3), writes/3
			}
			ended := map[int]int{}
			for k := first; k <= writes; k += step {
				ended[s.flaw(t, y, what, k, k)]++
			}
			// From some write on, for as long as a client is patient.
			ended[s.flaw(t, y, what, first, first+5)]++
			t.Logf("of %d writes; runs by exit code: %v", writes, ended)
		})
	}
}

// flaw lets the writes from one to another go wrong. The run may fail, with the
// exit code of the sink; the next one may not.
func (s *crashSite) flaw(t *testing.T, y *yardstick, what flaw, from, to int) (code int) {
	t.Helper()
	p := s.base.copy(t)
	defer p.remove(t)
	proxied, f := behindProxy(t, p, func(write int) flaw {
		if write < from || write > to {
			return ""
		}
		return what
	})
	e := s.m.run(t, proxied, "")
	f.lates.Wait()
	where := fmt.Sprintf("%s: writes %d to %d", what, from, to)
	kinds, struck := f.seen()
	if struck == 0 {
		t.Errorf("%s: the run had %d only", where, len(kinds))
		return e.code
	}
	where += ", " + kinds[from-1]
	if e.code != 0 && e.code != 5 {
		t.Errorf("%s: exit code %d (%v)\n%s", where, e.code, e.signal, e.output)
	}
	if files := uncommitted(t, p.dir); len(files) > 0 {
		t.Errorf("%s: visible, but not committed: %s", where, files)
	}
	p.endLeases(t)
	s.m.mustRun(t, p)
	m := y.measure(t, p)
	if what == late && strings.HasPrefix(kinds[from-1], "POST uploads") && m.lost+m.twice == 0 && m.orphans == len(m.problems) {
		// An upload that begins when its run, and who swept up after it, have
		// gone: nobody is left who knows of it. See docs/crash-proof.md.
		t.Logf("%s: %s", where, m.problems)
		return e.code
	}
	for _, problem := range m.problems {
		t.Errorf("%s: %s", where, problem)
	}
	return e.code
}

// The store goes on refusing: the run has to end, and to say why.
func TestAStoreThatBeginsToRefuseEndsARunAndTheNextOneCompletes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs many processes")
	}
	s := secondNight(t, s3test.Start(t))
	y, _ := s.yardstick(t)
	for what, why := range map[flaw]string{denied: "access denied", expired: "credentials have expired"} {
		t.Run(string(what), func(t *testing.T) {
			t.Parallel()
			for _, from := range []int{1, 6, 9, 15, 22, 24, 28} {
				p := s.base.copy(t)
				proxied, f := behindProxy(t, p, func(write int) flaw {
					if write < from {
						return ""
					}
					return what
				})
				e := s.m.run(t, proxied, "")
				kinds, _ := f.seen()
				t.Logf("from write %d on, %s: exit code %d", from, kinds[from-1], e.code)
				s.stopsAtSink(t, y, p, e, why)
				p.remove(t)
			}
		})
	}
}
