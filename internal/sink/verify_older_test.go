package sink

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/sink/cursors"
)

// unsealed is a file of cursors as earlier versions wrote it, with changes.
func unsealed(t *testing.T, body []byte, change func(*cursors.Cursor)) []byte {
	t.Helper()
	f, err := cursors.Open(bytes.NewReader(body), true)
	if err != nil {
		t.Fatal(err)
	}
	var all []cursors.Cursor
	for b := range cursors.Buckets {
		next := f.Bucket(b, true)
		for more := true; more; {
			var cs []cursors.Cursor
			if cs, more, err = next(); err != nil {
				t.Fatal(err)
			}
			for _, c := range cs {
				if cursors.BucketOf(c.UserID) == b {
					change(&c)
					all = append(all, c)
				}
			}
		}
	}
	if body, _, err = cursors.Encode(all); err != nil {
		t.Fatal(err)
	}
	return body
}

// asBefore makes a lake one of an earlier version: records do not say what they follow,
// nothing has a sum, and cursor files say nothing of themselves.
func asBefore(t *testing.T, m *memStore) {
	t.Helper()
	sizes := map[string]int{}
	for key, o := range m.objects {
		if !strings.HasSuffix(key, ".parquet") || !strings.HasPrefix(key, system) {
			continue
		}
		body := unsealed(t, o.body, func(*cursors.Cursor) {})
		o.body, sizes[key] = body, len(body)
		m.objects[key] = o
	}
	for key, o := range m.objects {
		if strings.HasSuffix(key, ".parquet") || !strings.HasPrefix(key, system) || !json.Valid(o.body) {
			continue
		}
		var fields map[string]any
		if err := json.Unmarshal(o.body, &fields); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"sha256", "prev_sha256", "record_sha256", "seq", "sums", "finished"} {
			if name != "seq" || strings.Contains(key, "/state/") {
				delete(fields, name)
			}
		}
		if c, ok := fields["cursors"].(map[string]any); ok {
			delete(c, "sha256")
			if path, _ := c["path"].(string); sizes[path] > 0 {
				c["bytes"] = sizes[path]
			}
		}
		if commits, ok := fields["commits"].([]any); ok {
			for _, e := range commits {
				entry, _ := e.(map[string]any)
				if c, ok := entry["cursors"].(map[string]any); ok {
					delete(c, "sha256")
					if path, _ := c["path"].(string); sizes[path] > 0 {
						c["bytes"] = sizes[path]
					}
				}
			}
		}
		body, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		o.body = body
		m.objects[key] = o
	}
}

// TestALakeOfAnEarlierVersionIsSoundAndGoesOn: one note says what cannot be checked, and
// less of it is left with every checkpoint.
func TestALakeOfAnEarlierVersionIsSoundAndGoesOn(t *testing.T) {
	t.Parallel()
	l := newLakes(t)
	for name, w := range map[string]*world{"at rest": l.rest, "after a kill": l.killed} {
		before := lines(w.verify().Notes)
		m := memOf(t, w).clone()
		asBefore(t, m)
		w = w.fork(t, m)
		v := w.verify()
		if said := newFindings(v, before); v.ProblemCount > 0 || len(said) != 1 || !strings.Contains(said[0], "no checksum is known") {
			t.Errorf("%s: %q", name, said)
		}
		for range 4 {
			if err := w.goesOn(""); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		v = w.verify()
		if said := newFindings(v, before); v.ProblemCount > 0 || len(said) != 1 || !strings.Contains(said[0], "of 2 cursor objects and 0 checkpoints") {
			t.Errorf("%s, later: %q", name, said) // those of the backfill stay
		}
		if err := w.fillsOn(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestACheckpointBehindAVoidIsSound: it holds what the void has left of the cursors,
// which of earlier versions was less.
func TestACheckpointBehindAVoidIsSound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 3, Count: 64}, 6)
	w.half, w.every = false, 1
	wr := w.mustOpen()
	for id := range w.truth { // what no run pulls again
		if err := wr.Add(t.Context(), Batch{Cursors: []cursors.Cursor{{UserID: id, Stream: "other", CorrelationID: "version 1", ExtractedAt: w.now}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.mustCommit(wr)
	w.mustClose(wr)
	w.mustRun()
	w.night()
	w.loseUpload()
	w.mustRun()
	keys := w.checkpoints()
	if w.lastVoid() == 0 || len(keys) != 2*len(w.shard.Buckets()) || keys[1] < jobKeys(w.job).checkpoint(3, w.lastVoid()) {
		t.Fatalf("after record %d there are %v", w.lastVoid(), keys)
	}
	if v := w.verify(); v.ProblemCount > 0 {
		t.Errorf("%q", lines(v.Problems))
	}
	m := memOf(t, w).clone()
	asBefore(t, m)
	for i, key := range keys {
		if i%2 == 1 { // the newer one
			forget := func(c *cursors.Cursor) {
				c.ExtractedAt, c.PulledAt, c.FirstSeenAt = time.Time{}, time.Time{}, time.Time{}
			}
			m.set(key, unsealed(t, m.objects[key].body, forget), "")
		}
	}
	if v := w.fork(t, m).verify(); v.ProblemCount > 0 {
		t.Errorf("of an earlier version: %q", lines(v.Problems))
	}
}

// TestAPageBesideAReportIsNoStranger looks at what demo leaves.
func TestAPageBesideAReportIsNoStranger(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Index: 3, Count: 128}, 2)
	w.mustRun()
	store.set(jobKeys(w.job).reports()+"run001.html", []byte("<html>"), "")
	if v := w.verify(); v.ProblemCount+v.NoteCount > 0 {
		t.Errorf("problems %q, notes %q", lines(v.Problems), lines(v.Notes))
	}
}
