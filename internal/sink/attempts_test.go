package sink

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"finoos-syncer/internal/sink/attempts"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// hiding is a store that completes no upload while it is told not to.
type hiding struct {
	bucket.Store
	hides atomic.Bool
}

func (s *hiding) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if s.hides.Load() && !strings.HasPrefix(up.Key, system) { // not of the self-test
		return errors.New("not now")
	}
	return s.Store.CompleteUpload(ctx, up, parts)
}

// askedFor notes an attempt of a user, and tells what came of it.
func (w *world) askedFor(wr *Writer, id string) {
	w.t.Helper()
	ticket, err := wr.Attempts().Note(w.t.Context(), attempts.Attempt{UserID: id, LoginID: "l", At: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	b := w.batch(id, 0, 1)
	b.Attempts = []*attempts.Ticket{ticket}
	if err := wr.Add(w.t.Context(), b); err != nil {
		w.t.Fatal(err)
	}
}

// What is committed and not published may be taken back: the note is then all that
// is known.
func TestANoteStaysUntilWhatItTellsCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	store := &hiding{Store: w.police}
	wr, err := w.open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	const notes = "_syncer/j/attempts/"
	w.askedFor(wr, "user-0")
	if len(w.list(notes)) != 1 {
		t.Fatalf("%v", w.list(notes))
	}
	store.hides.Store(true)
	if rec, err := wr.Commit(t.Context()); err != nil || rec == nil {
		t.Fatalf("%v, %v", rec, err)
	}
	if len(w.list(notes)) != 1 {
		t.Error("the note is gone, though the commit is not published")
	}
	var left []*attempts.Ticket
	next := attempts.NewBook(attempts.Options{Store: w.store, Prefix: notes, RunID: "other"})
	if err := next.Left(t.Context(), func(string) bool { return true }, func(some []*attempts.Ticket) error {
		left = append(left, some...)
		return nil
	}); err != nil || len(left) != 1 || left[0].UserID != "user-0" {
		t.Errorf("the next run finds %v, %v", left, err)
	}
	store.hides.Store(false)
	if err := wr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.list(notes); len(got) > 0 {
		t.Errorf("published, and still there: %v", got)
	}
}

func TestANoteOfAFailedCommitStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	wr := w.mustOpen()
	w.askedFor(wr, "user-0")
	if err := wr.Close(t.Context()); err != nil { // nothing was committed
		t.Fatal(err)
	}
	if got := w.list("_syncer/j/attempts/"); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
	v, err := Verify(t.Context(), VerifyOptions{Store: w.store, Job: "j", ScratchDir: t.TempDir()})
	if err != nil || len(v.Notes) != 1 || len(v.Problems) > 0 {
		t.Errorf("%v, %+v", err, v)
	}
}

// What no run can read stays until somebody deletes it, and is not said to go by itself.
func TestANoteThatCannotBeReadIsToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	wr := w.mustOpen()
	w.askedFor(wr, "user-0")
	if err := wr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	const key = "_syncer/j/attempts/01J-0-7.json"
	if _, err := w.store.Put(t.Context(), key, []byte(`{"version":1,"attempts":[{"user_id":"secret-user"`), bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
	v, err := Verify(t.Context(), VerifyOptions{Store: w.store, Job: "j", ScratchDir: t.TempDir()})
	if err != nil || len(v.Notes) != 2 || len(v.Problems) > 0 {
		t.Fatalf("%v, %+v", err, v)
	}
	for _, note := range v.Notes {
		if deleted := strings.Contains(note.Do, "delete it"); deleted != (note.Where == key) || strings.Contains(note.What, "secret-user") {
			t.Errorf("%+v", note)
		}
	}
}
