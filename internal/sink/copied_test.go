package sink

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/sink/cursors"
)

// rewritten gives all objects new times, as a copy of a lake has them: in the order in
// which somebody has copied them.
func (m *memStore) rewritten(order func(keys []string)) *memStore {
	c := m.clone()
	keys := slices.Sorted(maps.Keys(c.objects))
	order(keys)
	begin := time.Now().Add(-time.Duration(len(keys)) * time.Second)
	for i, key := range keys {
		o := c.objects[key]
		o.modified = begin.Add(time.Duration(i) * time.Second)
		c.objects[key] = o
	}
	return c
}

// TestACopiedLakeGoesOnWhateverItsTimes copies a lake that has checkpoints and a
// backfill, whose cursor objects stay for ever, in several orders.
func TestACopiedLakeGoesOnWhateverItsTimes(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Index: 3, Count: 128}, 4)
	w.every = 2
	w.mustRun()
	fill := *w
	fill.backfill, fill.runs = "history", 500
	fill.mustRun()
	for range 4 {
		w.night()
		w.mustRun()
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name, order := range map[string]func([]string){
		"sorted":    func([]string) {},
		"backwards": slices.Reverse[[]string],
		"shuffled": func(keys []string) {
			random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		},
	} {
		c := w.fork(t, store.rewritten(order))
		if v := c.verify(); v.ProblemCount+v.NoteCount > 0 {
			t.Errorf("%s: problems %q, notes %q", name, lines(v.Problems), lines(v.Notes))
		}
		c.night()
		if err := c.run(t.Context(), c.police); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v := c.verify(); v.ProblemCount+v.NoteCount > 0 {
			t.Errorf("%s, a night later: problems %q, notes %q", name, lines(v.Problems), lines(v.Notes))
		}
	}
}

// TestOfACopiedLakeALostRecordIsStillMissed takes the newest record away from a copy.
func TestOfACopiedLakeALostRecordIsStillMissed(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Index: 3, Count: 128}, 4)
	w.every = 2
	for range 5 {
		w.mustRun()
		w.night()
	}
	w.every = 1000
	w.mustRun()
	copied := store.rewritten(slices.Reverse[[]string])
	keys, tail := jobKeys(w.job), uint64(len(logOf(t, store)))
	delete(copied.objects, keys.record(tail))
	delete(copied.objects, keys.published(tail))
	delete(copied.objects, keys.state("place"))
	c := w.fork(t, copied)
	if err := c.run(t.Context(), c.police); !errors.Is(err, ErrLog) {
		t.Errorf("record %d is lost: %v", tail, err)
	}
}

// TestWhatASleeperLeftLongAgoStopsNoRun lets a run that was fenced off wake up when all
// is checkpointed, write its cursors, and die.
func TestWhatASleeperLeftLongAgoStopsNoRun(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Index: 3, Count: 128}, 4)
	w.every = 1
	w.die(func(op, key string) bool { return op == "put" && key == jobKeys(w.job).record(1) })
	var sleeper string
	for key := range store.objects {
		if strings.HasPrefix(key, jobKeys(w.job).cursorObjects()) {
			sleeper = key
		}
	}
	body := store.objects[sleeper].body
	for range 4 {
		w.mustRun()
		w.night()
	}
	store.set(sleeper, body, "")
	w.mustRun()
}

// TestCursorsThatCameLateMayBeDeleted lets the write of a run's cursors arrive when the
// run has given it up, and cleared up.
func TestCursorsThatCameLateMayBeDeleted(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Index: 3, Count: 128}, 4)
	w.half = false
	w.mustRun()
	keys := jobKeys(w.job)
	body, _, err := cursors.About{Key: keys.cursors("late", 3, 1), RunID: "late", Seq: 1}.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	late := keys.cursors("late", 3, 1)
	store.set(late, body, "")
	if err := w.run(t.Context(), w.police); !errors.Is(err, ErrLog) || !strings.Contains(err.Error(), "delete this object alone") {
		t.Errorf("run: %v", err)
	}
	v := w.verify()
	if v.ProblemCount != 1 || v.Problems[0].Where != late || !strings.Contains(v.Problems[0].Do, "delete this object alone") {
		t.Errorf("verify: %+v", v.Problems)
	}
	delete(store.objects, late)
	w.mustRun()
}
