package sink

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
)

// lakes are what objects are damaged in: one that was lived in, another by the same
// name with other rows, and the first one after a run that was killed.
type lakes struct {
	rest, other, killed *world
	// older are what stood at keys that are written more than once.
	older map[string][]byte
}

func memOf(t *testing.T, w *world) *memStore {
	t.Helper()
	m, ok := w.store.(*memStore)
	if !ok {
		t.Fatal("the lake is not in memory")
	}
	return m
}

func newLakes(t *testing.T) *lakes {
	t.Helper()
	l := &lakes{older: map[string][]byte{}}
	l.rest = livedIn(t, l.older)
	l.other = livedIn(t, map[string][]byte{})
	l.killed = l.rest.fork(t, memOf(t, l.rest).clone())
	l.killed.killHalfWay(l.older)
	return l
}

// livedIn is a lake with all kinds of objects in it: nights with checkpoints, a backfill
// that has ended, another job, what was handed over, and what a bank was asked for.
func livedIn(t *testing.T, older map[string][]byte) *world {
	t.Helper()
	m := newMemStore()
	w := newWorld(t, m, cursors.Shard{Index: 3, Count: 128}, 4)
	w.every = 2
	w.mustRun()
	w.pastHistory()
	older[jobKeys("j").backfillLedger("history")] = m.objects[jobKeys("j").backfillLedger("history")].body
	w.pastHistory()
	for range 4 {
		w.night()
		older[jobKeys("j").state("place")] = m.objects[jobKeys("j").state("place")].body
		w.mustRun()
	}
	other := newWorld(t, m, cursors.Shard{Index: 3, Count: 128}, 4)
	other.job, other.police, other.every, other.runs = "other", newPolice(t, m, "other"), 2, 100
	other.pastHistory()
	for range 3 {
		other.night()
		other.mustRun()
	}
	for _, job := range []*world{w, other} {
		job.handOverSomething()
		key := jobKeys(job.job).attempt("run900", 3, 1)
		body := fmt.Appendf(nil, `{"version":1,"run_id":"run900","attempts":[{"user_id":"u of %s","bank_login_id":"l","at":"2026-11-22T00:00:00Z"}]}`, job.job)
		m.set(key, seal.Add(key, body), "")
	}
	return w
}

// pastHistory is a run of a backfill that writes no rows, and has ended.
func (w *world) pastHistory() {
	w.t.Helper()
	w.backfill = "history"
	defer func() { w.backfill = "" }()
	wr := w.mustOpen()
	if _, err := wr.Define(w.t.Context(), BackfillDefinition{Since: "2024-11-22", Until: "2026-11-22", Streams: []string{worldStream}}); err != nil {
		w.t.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(w.truth)) {
		p := Progress{UserID: id, Stream: worldStream, ExtractedAt: w.now, DoneAt: w.now, State: fmt.Appendf(nil, "run %d", w.runs)}
		if err := wr.Add(w.t.Context(), Batch{Progress: []Progress{p}}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.mustCommit(wr)
	if done, err := wr.Finish(w.t.Context()); !done || err != nil {
		w.t.Fatal(done, err)
	}
	w.mustClose(wr)
}

func (w *world) handOverSomething() {
	w.t.Helper()
	w.police.offDuty = true
	defer func() { w.police.offDuty = false }()
	wr := w.mustOpen()
	h, err := wr.HandOver()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := h.Add(w.t.Context(), 5, []byte("a user of "+w.job)); err != nil {
		w.t.Fatal(err)
	}
	if err := h.Done(w.t.Context(), []byte("{}")); err != nil {
		w.t.Fatal(err)
	}
	w.mustClose(wr)
}

// killHalfWay leaves what a run does that is killed before its second commit is made
// visible, an hour ago.
func (w *world) killHalfWay(older map[string][]byte) {
	w.t.Helper()
	w.night()
	w.half = true
	for id := range w.truth {
		w.truth[id]++ // so that both commits have something
	}
	m := memOf(w.t, w)
	completed := 0
	f := &faulty{Store: w.police, plan: fault{at: -1, deadly: true}, stop: func(what, _ string) bool {
		if what == "complete" {
			completed++
		}
		if staged := w.list(jobKeys("j").stagings()); len(staged) > 0 && older[staged[0]] == nil {
			older[staged[0]] = m.objects[staged[0]].body
		}
		return what == "complete" && completed == 3
	}}
	if err := w.run(w.t.Context(), f); err == nil || !f.struck {
		w.t.Fatalf("the run was to die, and said: %v", err)
	}
	m.skew += time.Hour
}

// goesOn is the next night, and what has become of the lake then.
func (w *world) goesOn(except string) error {
	w.t.Helper()
	w.police.offDuty = true
	w.night()
	if err := w.run(w.t.Context(), w.police); err != nil {
		return err
	}
	want := map[string]int{}
	for id, version := range w.truth {
		for v := 1; v <= version; v++ {
			want[fmt.Sprintf("%s version %d", id, v)] = 1
		}
	}
	got := w.visibleBut(except)
	for row, n := range want {
		if got[row] != n && (except == "" || got[row] > n) {
			w.t.Errorf("%s is visible %d times", row, got[row])
		}
	}
	w.checkCursors()
	return nil
}

// visibleBut counts the rows of all files of the job but one.
func (w *world) visibleBut(except string) map[string]int {
	w.t.Helper()
	rows, others := map[string]int{}, map[string]bool{except: true}
	for r, err := range ReadLog(w.t.Context(), w.store, "other", 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range r.Files {
			others[f.Path] = true
		}
	}
	for _, key := range w.list("contracts/") {
		if others[key] {
			continue
		}
		for _, row := range readColumns(w.t, w.store, key, "user_id", "contract_id") {
			rows[strings.Join(row, " ")]++
		}
	}
	return rows
}

// fillsOn starts the backfill again, and compares what it knows of what it has done.
func (w *world) fillsOn() error {
	w.t.Helper()
	w.police.offDuty = true
	w.backfill = "history"
	defer func() { w.backfill = "" }()
	if _, _, err := FindBackfill(w.t.Context(), w.store, w.job, "history"); err != nil {
		return err
	}
	wr, err := w.open(w.t.Context(), w.police)
	if err != nil {
		return err
	}
	done := 0
	for b := range cursors.Buckets {
		for of, err := range wr.EachProgress(w.t.Context(), b) {
			if err != nil {
				return err
			}
			if at := of.Streams[worldStream]; !at.DoneAt.IsZero() && string(at.State) == "run 3" {
				done++
			}
		}
	}
	if done != len(w.truth) {
		w.t.Errorf("the backfill knows of %d users of %d", done, len(w.truth))
	}
	if _, err := wr.Define(w.t.Context(), BackfillDefinition{}); err != nil {
		return err
	}
	if done, err := wr.Finish(w.t.Context()); !done || err != nil {
		w.t.Errorf("finished: %v, %v", done, err)
	}
	return wr.Close(w.t.Context())
}
