package sink

import (
	"context"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// loseUpload leaves a committed record behind of which the upload that is
// completed last is gone.
func (w *world) loseUpload() {
	w.t.Helper()
	w.die(func(what, _ string) bool { return what == "complete" })
	var last *Record
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		last = r
	}
	if last.Published || len(last.Files) < 2 {
		w.t.Fatalf("record %d has %d files, published: %v", last.Seq, len(last.Files), last.Published)
	}
	for _, f := range last.Files {
		if f.Table == "pulls" {
			if err := w.store.AbortUpload(w.t.Context(), f.Upload.Upload); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func TestACommitWhoseUploadIsGoneIsTakenBackAndPulledAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 6)
	w.half = false
	w.mustRun()
	w.night()
	before := w.visible()
	w.loseUpload()
	wr := w.mustOpen()

	var void, lost *Record
	for r, err := range ReadLog(t.Context(), w.store, w.job, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == KindVoid {
			void = r
		}
		if !r.Published {
			t.Errorf("record %d is not marked: loaders are stuck", r.Seq)
		}
	}
	if void == nil {
		t.Fatal("no record takes it back")
	}
	for r, err := range ReadLog(t.Context(), w.store, w.job, void.Voids-1) {
		if err != nil {
			t.Fatal(err)
		}
		lost = r
		break
	}
	for _, f := range lost.Files {
		if len(w.list(f.Path)) > 0 {
			t.Errorf("%s stands", f.Path)
		}
	}
	// All that the record spoke of starts anew, and its users are known.
	known := map[string]bool{}
	for id, err := range wr.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		known[id] = true
	}
	if len(known) != len(w.truth) {
		t.Errorf("known users: %v", known)
	}
	empty := 0
	for id := range w.truth {
		cs, err := wr.Cursors(t.Context(), cursors.BucketOf(id), id)
		if err != nil {
			t.Fatal(err)
		}
		if c := cs[id][0]; c.CorrelationID == "" {
			empty++
			if c.Stream != worldStream || !c.Erased || !c.ExtractedAt.Equal(w.now) || string(c.State) != "state" {
				t.Errorf("erased cursor of %s: %+v", id, c)
			}
		}
	}
	if want := int(lost.Cursors.Rows); empty != want {
		t.Errorf("%d cursors are erased, want %d", empty, want)
	}
	if err := w.work(t.Context(), wr); err != nil {
		t.Fatal(err)
	}
	if err := wr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.checkReadersAllowing(before)
	w.checkOrphans()
}

// checkReadersAllowing checks that all versions are visible; those in twice
// may be so once more, since a pull in full writes them again.
func (w *world) checkReadersAllowing(twice map[string]int) {
	w.t.Helper()
	rows := w.visible()
	for id, version := range w.truth {
		for v := 1; v <= version; v++ {
			row := id + " version " + string(rune('0'+v))
			if n := rows[row]; n != 1 && (n != 2 || twice[row] == 0) {
				w.t.Errorf("%s is visible %d times", row, n)
			}
		}
	}
}

// slowToShow is a store in which an upload that somebody completes is gone a
// moment before its object is there.
type slowToShow struct {
	bucket.Store
	asked map[string]int
}

func (s slowToShow) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if s.asked[up.Key]++; s.asked[up.Key] == 1 && !strings.HasPrefix(up.Key, system) {
		return bucket.ErrNoUpload
	}
	return s.Store.CompleteUpload(ctx, up, parts)
}

func TestAnUploadThatSeemsGoneForAMomentTakesNothingBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.die(func(what, _ string) bool { return what == "complete" })
	wr, err := w.open(t.Context(), slowToShow{w.police, map[string]int{}})
	if err != nil {
		t.Fatal(err)
	}
	w.mustClose(wr)
	w.mustRun()
	for r, err := range ReadLog(t.Context(), w.store, w.job, 0) {
		if err != nil || r.Kind == KindVoid {
			t.Errorf("record %d takes back %d, %v", r.Seq, r.Voids, err)
		}
	}
	w.checkClean()
}

func TestTheMarkOfATakenBackRecordSaysWhatTookItBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	w.half = false
	w.loseUpload()
	w.mustRun()
	body, _, err := w.store.Get(t.Context(), jobKeys("j").published(1))
	if err != nil || !strings.Contains(string(body), `"voided_by":2`) {
		t.Errorf("mark: %s, %v", body, err)
	}
	w.checkClean()
}
