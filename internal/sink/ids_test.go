package sink

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// noIDs are texts that name nobody.
var noIDs = []string{"a\nb", "\x00", "\u0085", "a\x1b[31m", strings.Repeat("x", id.Max+1)}

// TestNothingIsCommittedThatCouldNotBeReadAgain: an id that is refused when it is
// read back would stop every run from then on.
func TestNothingIsCommittedThatCouldNotBeReadAgain(t *testing.T) {
	t.Parallel()
	for _, user := range append([]string{"", "\xff"}, noIDs...) {
		for _, backfill := range []bool{false, true} {
			w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
			batch := Batch{Cursors: []cursors.Cursor{{UserID: user, Stream: worldStream}}}
			if backfill {
				w.beginBackfill()
				batch = Batch{Progress: []Progress{{UserID: user, Stream: worldStream}}}
			}
			wr := w.openOver(w.police)
			if err := wr.Add(t.Context(), batch); !errors.Is(err, cursors.ErrUserID) {
				t.Errorf("%.40q, backfill %v: add: %v", user, backfill, err)
			}
		}
	}
	for _, group := range noIDs {
		o := Options{Job: "j", RunID: "run", RunGroup: group}
		if err := o.complete(); err == nil {
			t.Errorf("run group %.40q is accepted", group)
		}
	}
}

func TestARecordWithANameThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for what, set := range map[string]func(*Record, string){
		"run":        func(r *Record, name string) { r.RunID = name },
		"group":      func(r *Record, name string) { r.RunGroup = name },
		"backfill":   func(r *Record, name string) { r.Backfill = name },
		"fenced run": func(r *Record, name string) { r.Fences = name },
	} {
		for _, name := range append([]string{"2026-11-22 night"}, noIDs...) {
			r := testRecord("run")
			r.Seq = 1
			set(r, name)
			body, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseRecord(body, 1)
			if valid := !slices.Contains(noIDs, name); valid != (err == nil) {
				t.Errorf("%s %.40q: %v", what, name, err)
			}
			if err != nil && (len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\n\x00\x1b\u0085")) {
				t.Errorf("%s: the error repeats what it refuses: %q", what, err)
			}
		}
	}
}

// TestARunThatIsNoneIsNotFencedOff: the fence could not be read again.
func TestARunThatIsNoneIsNotFencedOff(t *testing.T) {
	t.Parallel()
	for _, name := range append([]string{"", "../run"}, noIDs...) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
		body, err := json.Marshal(stagingRecord{RunID: name, Kind: KindRun, Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		key := jobKeys("j").staging("foreign", 0)
		if _, err := w.store.Put(t.Context(), key, body, bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		if wr, err := w.open(t.Context(), w.police); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%.40q: open: %v, %v; want an error that names %s", name, wr, err, key)
		}
		if got := logOf(t, w.store); len(got) > 0 {
			t.Errorf("%.40q: the log has %v", name, got)
		}
	}
}
