package sink

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/cursors"
)

// asBefore makes a lake one of an earlier version: records do not say what they follow,
// nothing has a sum, and cursor files say nothing of themselves.
func asBefore(t *testing.T, m *memStore) {
	t.Helper()
	sizes := map[string]int{}
	for key, o := range m.objects {
		if !strings.HasSuffix(key, ".parquet") || !strings.HasPrefix(key, system) {
			continue
		}
		f, err := cursors.Open(bytes.NewReader(o.body), true)
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
						all = append(all, c)
					}
				}
			}
		}
		body, _, err := cursors.Encode(all)
		if err != nil {
			t.Fatal(err)
		}
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
