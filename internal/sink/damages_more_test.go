package sink

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/cursors"
)

// loseLog loses the records from a number on, with their marks.
func loseLog(m *memStore, from, to uint64) {
	for seq := from; seq <= to; seq++ {
		delete(m.objects, jobKeys("j").record(seq))
		delete(m.objects, jobKeys("j").published(seq))
	}
}

func lose(w *world, m *memStore, prefixes ...string) {
	for _, prefix := range prefixes {
		for _, key := range w.list(prefix) {
			delete(m.objects, key)
		}
	}
}

// losses are damages of more than one object, and records that no run has written.
var losses = []struct {
	name string
	do   func(w *world, m *memStore)
}{
	{"the whole log is lost", func(_ *world, m *memStore) { loseLog(m, 1, 10) }},
	{"its last record is lost", func(_ *world, m *memStore) { loseLog(m, 10, 10) }},
	{"its last four records are lost", func(_ *world, m *memStore) { loseLog(m, 7, 10) }},
	{"the last record is lost, and checkpoints", func(w *world, m *memStore) {
		loseLog(m, 10, 10)
		lose(w, m, jobKeys("j").checkpoints()+"003/", jobKeys("j").checkpoints()+"131/")
	}},
	{"the last record is lost, and state", func(w *world, m *memStore) {
		loseLog(m, 10, 10)
		lose(w, m, jobKeys("j").states())
	}},
	{"the last record is lost, and its cursors", func(w *world, m *memStore) {
		delete(m.objects, w.lastCursors())
		loseLog(m, 10, 10)
	}},
	{"the log is lost, and checkpoints and state", func(w *world, m *memStore) {
		loseLog(m, 1, 10)
		lose(w, m, jobKeys("j").checkpoints(), jobKeys("j").states())
	}},
	{"a hole in the log, behind checkpoints", func(_ *world, m *memStore) { loseLog(m, 5, 5) }},
	{"a hole in the log, at the last checkpoint", func(_ *world, m *memStore) { loseLog(m, 9, 9) }},
	{"the newest checkpoints are lost", func(_ *world, m *memStore) {
		delete(m.objects, jobKeys("j").checkpoint(3, 9))
		delete(m.objects, jobKeys("j").checkpoint(131, 9))
	}},
	{"all checkpoints are lost", func(w *world, m *memStore) { lose(w, m, jobKeys("j").checkpoints()) }},
	{"all cursor objects are lost", func(w *world, m *memStore) { lose(w, m, jobKeys("j").cursorObjects()) }},
	{"a checkpoint for a record that is not there yet", func(_ *world, m *memStore) {
		m.set(jobKeys("j").checkpoint(3, 12), m.objects[jobKeys("j").checkpoint(3, 9)].body, "")
	}},
	{"a record speaks for nobody", func(w *world, m *memStore) { w.rewrite(m, 10, func(r *Record) { r.Buckets = nil }) }},
	{"a record speaks for others", func(w *world, m *memStore) { w.rewrite(m, 10, func(r *Record) { r.Buckets = []int{4} }) }},
	{"a record has no cursors", func(w *world, m *memStore) { w.rewrite(m, 10, func(r *Record) { r.Cursors = CursorObject{} }) }},
	{"a record is of no kind", func(w *world, m *memStore) { w.rewrite(m, 10, func(r *Record) { r.Kind = "x" }) }},
	{"a record names the cursors of another", func(w *world, m *memStore) {
		w.rewrite(m, 10, func(r *Record) { r.Cursors.Path = jobKeys("j").cursors("run006", 3, 10) })
	}},
	{"a record that checkpoints cover has changed", func(w *world, m *memStore) {
		w.rewrite(m, 5, func(r *Record) { r.CommittedAt = r.CommittedAt.AddDate(1, 0, 0) })
	}},
	{"all of it is that of another lake but the log", nil},
}

// TestLossesAreToldAndNeverGoOnSilently: see TestEveryDamageOfALake….
func TestLossesAreToldAndNeverGoOnSilently(t *testing.T) { //nolint:tparallel // the one that is not waits for those that are
	t.Parallel()
	l := newLakes(t)
	before := lines(l.rest.verify().Notes)
	rows := make([]string, len(losses))
	first, step := sample(3)
	t.Run("losses", func(t *testing.T) {
		for i, loss := range losses {
			if i%step != first {
				continue
			}
			t.Run(loss.name, func(t *testing.T) {
				t.Parallel()
				m := memOf(t, l.rest).clone()
				w := l.rest.fork(t, m)
				if loss.do == nil {
					other, _ := l.other.store.(*memStore)
					for key, o := range other.objects {
						if strings.HasPrefix(key, jobKeys("j").root()) && !strings.HasPrefix(key, jobKeys("j").log()) {
							m.objects[key] = o
						}
					}
				} else {
					loss.do(w, m)
				}
				said := newFindings(w.verify(), before)
				if len(said) == 0 {
					t.Error("verify says nothing")
				}
				w.runs += 40
				next := "right"
				visible := w.visible()
				if err := w.goesOn(""); err != nil {
					t.Log("the next run: ", err)
					next = "refuses"
					for row, n := range w.visible() {
						if n != visible[row] {
							t.Errorf("it refuses, and %s is visible %d times", row, n)
						}
					}
				} else if len(newFindings(w.verify(), before)) == 0 {
					next = "right, and heals it"
				}
				t.Logf("verify: %q", said)
				rows[i] = fmt.Sprintf("| the job's | %s | %s | %s |\n", loss.name, inShort(said, ""), next)
			})
		}
	})
	if !t.Failed() && step == 1 { // the page has all of them
		checkDamagesPage(t, "losses", strings.Join(rows, ""))
	}
}

// TestADamagedPendingUploadIsTold damages the pending upload of a committed record, in a
// folder, where it can be read.
func TestADamagedPendingUploadIsTold(t *testing.T) {
	t.Parallel()
	var rows []string
	for _, harm := range []struct {
		name string
		do   func(name string, body []byte) error
		want string // of what verify says
	}{
		{"deleted", func(name string, _ []byte) error { return os.Remove(name) }, "neither is its pending upload"},
		{"emptied", func(name string, _ []byte) error { return os.Truncate(name, 0) }, "its pending upload is damaged"},
		{"cut off", func(name string, body []byte) error { return os.Truncate(name, int64(len(body)/2)) }, "its pending upload is damaged"},
		{"a bit flipped", func(name string, body []byte) error {
			body[len(body)/2] ^= 1
			return os.WriteFile(name, body, 0o600)
		}, "its pending upload is damaged"},
		{"something appended", func(name string, body []byte) error { return os.WriteFile(name, append(body, 'x'), 0o600) }, ""},
	} {
		w := newWorld(t, folderOf(t), cursors.Shard{Count: 1}, 4)
		w.half = false
		w.die(func(what, _ string) bool { return what == "complete" })
		before := lines(w.verify().Notes)
		dir := strings.TrimPrefix(w.store.String(), "file://")
		pending, err := filepath.Glob(filepath.Join(dir, PendingPrefix("j"), ".contracts*.pending"))
		if err != nil || len(pending) != 1 {
			t.Fatal(pending, err)
		}
		body, err := os.ReadFile(pending[0])
		if err = errors.Join(err, harm.do(pending[0], slices.Clone(body))); err != nil {
			t.Fatal(err)
		}
		said := newFindings(w.verify(), before)
		if (len(said) > 0) != (harm.want != "") || harm.want != "" && !strings.Contains(said[0], harm.want) {
			t.Errorf("%s: verify says %q", harm.name, said)
		}
		next := "right"
		if err := w.run(t.Context(), w.store); err != nil {
			next = "refuses"
			t.Log(harm.name, ":", err)
		} else {
			w.checkClean()
		}
		rows = append(rows, fmt.Sprintf("| pending upload, committed | %s | %s | %s |\n", harm.name, inShort(said, "what is published are the parts"), next))
	}
	if !t.Failed() {
		checkDamagesPage(t, "uploads", strings.Join(rows, ""))
	}
}
