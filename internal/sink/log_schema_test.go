package sink

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/cursors"
)

// unsay takes the schema out of a record, as it was before records had one.
func (w *world) unsay(m *memStore, seq uint64) {
	w.t.Helper()
	key := jobKeys(w.job).record(seq)
	said := fmt.Appendf(nil, `"schema":%d,`, Schema)
	body := m.objects[key].body
	if !bytes.Contains(body, said) {
		w.t.Fatalf("%s does not tell its schema: %s", key, body)
	}
	m.set(key, bytes.Replace(body, said, nil, 1), "")
}

// inMemory is a lake of three nights in memory, with its store.
func inMemory(t *testing.T) (*world, *memStore) {
	t.Helper()
	w := threeNights(t)
	store, ok := w.store.(*memStore)
	if !ok {
		t.Fatal("the lake is not in memory")
	}
	return w, store
}

// refused are the ways into a lake, each of which has to end with ErrSchema.
func (w *world) refused() map[string]error {
	opened := func() error {
		wr, err := w.open(w.t.Context(), w.store)
		if err == nil {
			w.mustClose(wr)
		}
		return err
	}
	looked := func() error {
		l, err := OpenLook(w.t.Context(), LookOptions{Store: w.store, Job: w.job, Source: w.options(w.store).Source, ScratchDir: w.t.TempDir()})
		if err == nil {
			l.Close()
		}
		return err
	}
	_, verified := Verify(w.t.Context(), VerifyOptions{Store: w.store, Job: w.job, ScratchDir: w.t.TempDir()})
	return map[string]error{"open": opened(), "look": looked(), "verify": verified, "check": CheckSchema(w.t.Context(), w.store, w.job)}
}

func TestALakeOfAnotherSchemaIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*world, *memStore, uint64)
		says   []string
	}{
		"none":  {(*world).unsay, []string{"is of schema 1", "reads and writes 2", "sink.url"}},
		"first": {func(w *world, m *memStore, seq uint64) { w.rewrite(m, seq, func(r *Record) { r.Schema = 1 }) }, []string{"is of schema 1"}},
		"newer": {func(w *world, m *memStore, seq uint64) { w.rewrite(m, seq, func(r *Record) { r.Schema = 3 }) }, []string{"is of schema 3", "use a newer program"}},
	} {
		w, store := inMemory(t)
		for seq := uint64(1); seq <= 3; seq++ {
			tt.change(w, store, seq)
		}
		before := store.clone()
		for way, err := range w.refused() {
			if !errors.Is(err, ErrSchema) {
				t.Errorf("%s, %s: %v, want ErrSchema", name, way, err)
				continue
			}
			for _, says := range append(tt.says, jobKeys(w.job).record(1), "mem://test") {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%s, %s: %q does not say %q", name, way, err, says)
				}
			}
		}
		if diff := cmp.Diff(bodies(before), bodies(store)); diff != "" {
			t.Errorf("%s: the store (-before +after):\n%s", name, diff)
		}
	}
}

// bodies are all that a store holds.
func bodies(m *memStore) map[string]string {
	all := map[string]string{}
	for key, o := range m.objects {
		all[key] = string(o.body)
	}
	return all
}

func TestAJobDoesNotBeginBesideALakeOfAnotherSchema(t *testing.T) {
	t.Parallel()
	w, store := inMemory(t)
	other := w.fork(t, store)
	other.job = "other"
	other.unsay(store, 1)
	third := w.fork(t, store)
	third.job = "third"
	for way, err := range third.refused() {
		if !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), jobKeys("other").record(1)) {
			t.Errorf("%s of a job that has nothing yet: %v, want ErrSchema that names the other job", way, err)
		}
	}
	// A job that has a log of its own goes by that; verify tells of the other.
	wr, err := w.open(t.Context(), store)
	if err != nil {
		t.Fatalf("open a job with a log of its own: %v", err)
	}
	w.mustClose(wr)
	v := w.verify()
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].What, "job other writes to the same tables by schema 1") {
		t.Errorf("problems %q, want the other job's schema", lines(v.Problems))
	}
}

// Two programs that begin at once both find nothing: the one that commits second
// meets the other's record, and gives way.
func TestNothingIsCommittedOnTopOfAnotherSchema(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Index: 0, Count: 2}, 4)
	wr := w.mustOpen()
	w.addAll(wr)
	theirs := testLedger(store)
	r := testRecord("theirs")
	r.Schema, r.Shard, r.Shards, r.Buckets = 1, 1, 2, cursors.Shard{Index: 1, Count: 2}.Buckets()
	if err := theirs.append(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	if rec, err := wr.Commit(t.Context()); !errors.Is(err, ErrSchema) || rec != nil {
		t.Errorf("commit: %v, %v, want ErrSchema", rec, err)
	}
	_ = wr.Close(t.Context()) // it cannot commit, which was said
	if diff := cmp.Diff([]string{"1 theirs"}, logOf(t, store)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if rows := w.visible(); len(rows) > 0 {
		t.Errorf("visible: %v", rows)
	}
}

func TestALaterRecordOfAnotherSchemaIsFound(t *testing.T) {
	t.Parallel()
	w, store := inMemory(t)
	w.unsay(store, w.verify().LastSeq)
	if _, err := w.open(t.Context(), store); !errors.Is(err, ErrSchema) {
		t.Errorf("open: %v, want ErrSchema", err)
	}
	v := w.verify()
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].What, "is of schema 1, the log began with 2") {
		t.Errorf("problems %q, want that record", lines(v.Problems))
	}
}

func TestCheckpointsBeyondTheLogAreNotBelieved(t *testing.T) {
	t.Parallel()
	w, store := inMemory(t)
	if len(w.list(jobKeys(w.job).checkpoints())) == 0 {
		t.Fatal("there are no checkpoints: nothing is shown")
	}
	for i, key := range w.list(jobKeys(w.job).log()) {
		if i > 1 { // the first record and its mark stay
			delete(store.objects, key)
		}
	}
	for way, err := range w.refused() {
		if (way == "open" || way == "look") && (err == nil || !strings.Contains(err.Error(), "is a checkpoint, which tells of record")) {
			t.Errorf("%s: %v, want that the log is gone", way, err)
		}
	}
}
