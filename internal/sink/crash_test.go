package sink

import (
	"math/rand/v2"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

func folderOf(t *testing.T) bucket.Store {
	t.Helper()
	store, err := bucket.Open(t.Context(), "file://"+t.TempDir(), bucket.Options{Pending: PendingPrefix("j")})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// scenario prepares a world in which a run with work to do comes next.
type scenario struct {
	name string
	make func(t *testing.T, store bucket.Store) *world
}

var scenarios = []scenario{
	{"first night", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		return newWorld(t, store, cursors.Shard{Count: 1}, 3)
	}},
	{"first night, a part on its way while rows come", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.bulky = true
		return w
	}},
	{"another night", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.mustRun()
		w.night()
		return w
	}},
	{"checkpoint and sweep", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Index: 3, Count: 128}, 3)
		w.every = 1
		for range 3 {
			w.mustRun()
			w.night()
		}
		for id := range w.truth {
			w.truth[id]++ // so that both commits have something
		}
		return w
	}},
	{"after a crash", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.mustRun()
		w.night()
		// Dead between the record and its publication; uploads and cursors
		// of a second commit never came to be.
		w.die(func(what, _ string) bool { return what == "complete" })
		return w
	}},
	{"backfill", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.mustRun()
		w.beginBackfill()
		return w
	}},
	{"backfill after a crash", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.mustRun()
		w.beginBackfill()
		w.die(func(what, _ string) bool { return what == "complete" })
		return w
	}},
	{"after a lost upload", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.loseUpload()
		return w
	}},
	{"another night, after an upload was damaged", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.mustRun()
		w.night()
		w.damageUpload()
		return w
	}},
	{"after a record was taken back and not removed", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.loseUpload()
		w.die(func(what, key string) bool { return what == "delete" && strings.HasPrefix(key, "contracts/") })
		return w
	}},
	{"backfill after a lost upload", func(t *testing.T, store bucket.Store) *world {
		t.Helper()
		w := newWorld(t, store, cursors.Shard{Count: 1}, 3)
		w.mustRun()
		w.beginBackfill()
		w.loseUpload()
		return w
	}},
}

func (w *world) mustRun() {
	w.t.Helper()
	if err := w.run(w.t.Context(), w.police); err != nil {
		w.t.Fatalf("run: %v", err)
	}
}

// die runs until the first write that stop names, and leaves what a dead
// process leaves. It returns the writes that took place.
func (w *world) die(stop func(what, key string) bool) []string {
	w.t.Helper()
	f := &faulty{Store: w.police, plan: fault{at: -1, deadly: true}, stop: stop}
	if err := w.run(w.t.Context(), f); err == nil || !f.struck {
		w.t.Fatalf("the run was to die, and said: %v", err)
	}
	w.kill()
	return f.trace
}

// crash lets a run meet a fault, and reports whether it came to it.
func (w *world) crash(plan fault) (struck bool) {
	w.t.Helper()
	f := &faulty{Store: w.police, plan: plan}
	err := w.run(w.t.Context(), f)
	switch {
	case !f.struck && err != nil:
		w.t.Fatalf("without a fault: %v", err)
	case f.struck && err == nil && plan.deadly:
		// Dying with the last step undone is no error to the run if the
		// step was for tidiness only; there is none such.
		w.t.Errorf("died at %s, and was told that all is well", f.trace[len(f.trace)-1])
	case f.struck && err == nil:
		w.checkReaders()
	}
	if f.struck {
		w.kill()
		w.checkReaders()
		w.checkPlace(false)
	}
	return f.struck
}

// countWrites does a run that nothing happens to.
func (w *world) countWrites() int {
	w.t.Helper()
	f := &faulty{Store: w.police, plan: fault{at: -1}}
	if err := w.run(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
	return f.writes
}

// everyFault is each way in which a write can go wrong: the process dies
// before or after it, or only the answer is lost, or it was refused.
var everyFault = []fault{{deadly: true}, {deadly: true, applied: true}, {}, {applied: true}}

// survives lets a run meet a fault and another one set everything right. It
// reports whether the run came to the fault.
func (w *world) survives(plan fault) bool {
	w.t.Helper()
	if !w.crash(plan) {
		return false
	}
	w.mustRun()
	w.checkClean()
	w.checkPlace(true)
	if w.t.Failed() {
		w.t.Fatalf("fault: %+v", plan)
	}
	return true
}

// TestACrashAtAnyWriteLosesAndDoublesNothing lets each write of a run go wrong
// in turn, in every way, until a run ends without having come to the fault.
func TestACrashAtAnyWriteLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			prepared := sc.make(t, store)
			writes := prepared.fork(t, store.clone()).countWrites()
			for _, plan := range everyFault {
				first, step := sample(24)
				for plan.at = first; prepared.fork(t, store.clone()).survives(plan); plan.at += step {
				}
				if step == 1 && plan.at != writes {
					t.Errorf("%+v: %d writes were tried, a run has %d", plan, plan.at, writes)
				}
			}
		})
	}
}

// TestACrashInAFolderLosesAndDoublesNothing does the same with real files;
// every other write goes wrong, in one way each.
func TestACrashInAFolderLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			for n, step := sample(11); ; n += step {
				plan := everyFault[n%len(everyFault)]
				plan.at = 2*n + n/len(everyFault)%2
				if !sc.make(t, folderOf(t)).survives(plan) {
					break
				}
			}
		})
	}
}

// TestCrashesUponCrashesLoseAndDoubleNothing kills the runs that clear up as
// well.
func TestCrashesUponCrashesLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	_, step := sample(5)
	rounds := 20 / step
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 0))
			store := newMemStore()
			prepared := sc.make(t, store)
			for range rounds {
				w := prepared.fork(t, store.clone())
				for range 1 + random.IntN(4) {
					w.crash(fault{at: random.IntN(50), deadly: random.IntN(3) > 0, applied: random.IntN(2) > 0})
				}
				w.mustRun()
				w.checkClean()
				if w.backfill == "" {
					w.checkCursors()
				}
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}
