package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/attempts"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// hooked is a store that calls somebody before each request of some kinds.
type hooked struct {
	bucket.Store
	before func(what, key string)
	// complete stands in for completing an upload, where it is set.
	complete func(up bucket.Upload, next func() error) error
}

func (h *hooked) call(what, key string) {
	if h.before != nil {
		h.before(what, key)
	}
}

func (h *hooked) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	h.call("get", key)
	return h.Store.Get(ctx, key)
}

func (h *hooked) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	h.call("put", key)
	return h.Store.Put(ctx, key, body, cond)
}

func (h *hooked) Delete(ctx context.Context, key string) error {
	h.call("delete", key)
	return h.Store.Delete(ctx, key)
}

func (h *hooked) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	h.call("complete", up.Key)
	next := func() error { return h.Store.CompleteUpload(ctx, up, parts) }
	if h.complete != nil {
		return h.complete(up, next)
	}
	return next()
}

// once makes a hook of what happens at the first request that is named.
func once(what, key string, do func()) func(string, string) {
	done := false
	return func(w, k string) {
		if !done && w == what && strings.Contains(k, key) {
			done = true
			do()
		}
	}
}

// lastRecord is the newest of the log.
func (w *world) lastRecord() (last *Record) {
	w.t.Helper()
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		last = r
	}
	return last
}

// lose takes one file of a record away, whether it is completed or not.
func (w *world) lose(r *Record, tab string) {
	w.t.Helper()
	for _, f := range r.Files {
		if f.Table != tab {
			continue
		}
		if err := errors.Join(w.store.AbortUpload(w.t.Context(), f.Upload.Upload), w.store.Delete(w.t.Context(), f.Path)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// voids counts the records that take others back.
func (w *world) voids() (n int) {
	w.t.Helper()
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.Kind == KindVoid {
			n++
		}
	}
	return n
}

// TestWhoPublishesWhatWasTakenBackRemovesItAndStops lets another run take a record
// back at each request that publishing makes: a file was lost, the lease lapsed.
func TestWhoPublishesWhatWasTakenBackRemovesItAndStops(t *testing.T) {
	t.Parallel()
	mark := jobKeys("j").published(1)
	for _, at := range []struct{ what, key string }{
		{"get", mark}, {"complete", "contracts/"}, {"complete", "pulls/"}, {"put", mark},
	} {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprint(at.what, " ", at.key, ", dies: ", dies), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
				w.half = false
				late := &faulty{Store: w.police, plan: fault{at: -1, deadly: true}, stop: func(what, key string) bool { return dies && what == "delete" && strings.HasPrefix(key, "contracts/") }}
				h := &hooked{Store: late}
				wr, err := w.open(t.Context(), h)
				if err != nil {
					t.Fatal(err)
				}
				w.askedFor(wr, "user-0") // its row and one more
				w.addAll(wr)
				h.before = once(at.what, at.key, func() {
					w.lose(w.lastRecord(), "pulls")
					w.kill()
					w.mustClose(w.mustOpen())
					if w.voids() != 1 {
						t.Error("nobody has taken it back")
					}
					// An upload that was being completed then may appear now.
					if m, ok := w.store.(*memStore); ok && at.what != "get" {
						for _, f := range w.lastRecordOf("run001").Files {
							if f.Table == worldStream {
								m.set(f.Path, []byte("late"), f.Upload.Token)
							}
						}
					}
				})
				if r, err := wr.Commit(t.Context()); !errors.Is(err, ErrOvertaken) {
					t.Errorf("commit: %v, %v", r != nil, err)
				}
				if notes := w.list("_syncer/j/attempts/"); len(notes) != 1 {
					t.Errorf("notes of what banks were asked for: %v", notes)
				}
				if err := wr.Close(t.Context()); err != nil && !dies {
					t.Errorf("close: %v", err)
				}
				w.kill()
				w.mustRun()
				w.checkClean()
				w.checkCursors()
			})
		}
	}
}

// lastRecordOf is the newest record of a run.
func (w *world) lastRecordOf(run string) (last *Record) {
	w.t.Helper()
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.RunID == run {
			last = r
		}
	}
	return last
}

// TestAVoidThatComesTooLateDeletesNothing: the record is published between the
// void and its claim of the mark, or while it is looked at again.
func TestAVoidThatComesTooLateDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at    int // the completion of pulls before which it is published; 0 is before the mark
		voids int
	}{{0, 1}, {2, 0}, {3, 0}} {
		t.Run(strconv.Itoa(c.at), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
			w.half = false
			w.mustRun()
			w.night()
			w.die(func(what, _ string) bool { return what == "complete" })
			dead := w.lastRecord()
			before := w.visible()
			publish := func() {
				l := &ledger{store: w.store, keys: "j", patience: impatient}
				if m, err := l.publish(t.Context(), w.store, dead, "owner"); err != nil || m.VoidedBy != 0 {
					t.Errorf("published: %v, %v", m, err)
				}
			}
			asked := 0
			blind := &hooked{Store: w.police}
			blind.complete = func(up bucket.Upload, next func() error) error {
				if !strings.HasPrefix(up.Key, "pulls/") || !slices.ContainsFunc(dead.Files, func(f File) bool { return f.Path == up.Key }) {
					return next()
				}
				if asked++; asked == c.at {
					publish()
				}
				return fmt.Errorf("seen from here: %w", bucket.ErrNoUpload)
			}
			if c.at == 0 {
				blind.before = once("put", jobKeys("j").published(dead.Seq), publish)
			}
			wr, err := w.open(t.Context(), blind)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.voids(); got != c.voids {
				t.Errorf("%d voids, want %d", got, c.voids)
			}
			if after := w.visible(); len(after) <= len(before) {
				t.Errorf("what was published is gone: %v", after)
			}
			if err := w.work(t.Context(), wr); err != nil {
				t.Fatal(err)
			}
			w.mustClose(wr)
			w.mustRun()
			w.checkClean()
			w.checkCursors()
			if v := w.verify(); v.ProblemCount+v.NoteCount > 0 || v.Voided > 0 {
				t.Errorf("%d taken back, problems %q, notes %q", v.Voided, lines(v.Problems), lines(v.Notes))
			}
			w.lose(w.lastRecordOf(dead.RunID), worldStream)
			if v := w.verify(); v.ProblemCount == 0 {
				t.Error("a file of what stands after all is gone, and that is no problem")
			}
		})
	}
}

// TestACheckpointCoversNoRecordThatIsTakenBackBesideIt: a backfill is started again,
// and takes its record back, while a run that ends looks whether that is published.
func TestACheckpointCoversNoRecordThatIsTakenBackBesideIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 3, Count: 64}, 4)
	w.half, w.every = false, 1
	w.mustRun()
	h := &hooked{Store: w.police}
	nightly, err := w.open(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	w.beginBackfill()
	w.loseUploadBeside()
	lost := w.lastRecord()
	w.backfill = ""
	if err := nightly.Add(t.Context(), Batch{Cursors: []cursors.Cursor{{UserID: slices.Min(keysOf(w.truth)), Stream: "other", ExtractedAt: w.now}}}); err != nil {
		t.Fatal(err)
	}
	tail := w.mustCommit(nightly).Seq
	followed := false
	void := once("get", jobKeys("j").published(lost.Seq), func() {
		w.backfill = "history"
		w.mustClose(w.mustOpen())
		w.backfill = ""
	})
	h.before = func(what, key string) {
		if followed = followed || what == "get" && key == jobKeys("j").record(tail+1); followed {
			void(what, key)
		}
	}
	w.mustClose(nightly)
	if w.voids() != 1 {
		t.Fatal("nobody has taken the record back")
	}
	by := w.lastVoid()
	for _, key := range w.checkpoints() {
		if _, seq, _ := jobKeys("j").parseCheckpoint(key); seq >= lost.Seq && seq < by {
			t.Fatalf("%s covers record %d, which record %d takes back", key, lost.Seq, by)
		}
	}
	w.backfill = "history"
	w.mustRun()
	w.backfill = ""
	for range 3 {
		w.mustRun()
		w.night()
	}
	w.mustRun()
	w.checkOrphans()
	if v := w.verify(); v.ProblemCount > 0 {
		t.Errorf("problems: %q", lines(v.Problems))
	}
}

func keysOf(m map[string]int) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// lastVoid is the number of the newest void.
func (w *world) lastVoid() (seq uint64) {
	w.t.Helper()
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.Kind == KindVoid {
			seq = r.Seq
		}
	}
	return seq
}

// loseUploadBeside is loseUpload of a backfill, beside a run that goes on.
func (w *world) loseUploadBeside() {
	w.t.Helper()
	f := &faulty{Store: w.police, plan: fault{at: -1, deadly: true}, stop: func(what, _ string) bool { return what == "complete" }}
	if err := w.run(w.t.Context(), f); err == nil {
		w.t.Fatal("it was to die")
	}
	if err := w.store.Delete(w.t.Context(), jobKeys(w.job).lease(0, w.backfill)); err != nil {
		w.t.Fatal(err)
	}
	w.lose(w.lastRecord(), "pulls")
}

// TestWhatALivingRunHasCommittedIsNotTakenBack: it has its upload lost, and waits;
// when it has ended, the next run takes the record back.
func TestWhatALivingRunHasCommittedIsNotTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 3)
	w.half = false
	w.mustRun()
	w.beginBackfill()
	store := &hiding{Store: w.police}
	store.hides.Store(true)
	living, err := w.open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.fill(t.Context(), living); err == nil {
		t.Fatal("it is finished, and nothing is published")
	}
	lost := w.lastRecord()
	w.lose(lost, "pulls")
	w.backfill = ""
	w.mustClose(w.mustOpen())
	if w.voids() != 0 {
		t.Fatal("the record of a living backfill was taken back")
	}
	if w.lastRecordOf(lost.RunID).Published {
		t.Fatal("it is marked")
	}
	w.kill()
	w.mustClose(w.mustOpen())
	if w.voids() != 1 {
		t.Error("the record of a backfill that has ended was not taken back")
	}
	if err := living.Close(t.Context()); err == nil {
		t.Error("the sleeper was not told")
	}
	w.backfill = "history"
	w.mustRun()
	w.checkClean()
}

// TestNotesOfWhatWasTakenBackAreLeftToTheNextRun is for sync sessions: what the notes
// tell was in the record, and is nowhere else.
func TestNotesOfWhatWasTakenBackAreLeftToTheNextRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	f := &faulty{Store: w.police, plan: fault{at: -1, deadly: true}, stop: func(what, _ string) bool { return what == "complete" }}
	wr, err := w.open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	w.askedFor(wr, "user-0")
	if _, err := wr.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = wr.Close(t.Context()) // it is dead
	w.lose(w.lastRecord(), "pulls")
	w.kill()
	next := w.mustOpen()
	found := 0
	if err := next.AttemptsLeft(t.Context(), func(some []*attempts.Ticket) error {
		found += len(some)
		return nil
	}); err != nil || found != 1 || w.voids() != 1 {
		t.Errorf("%d notes are left, %d voids, %v", found, w.voids(), err)
	}
	w.mustClose(next)
}

// TestAMarkAloneIsNothingToDeleteBy: it names a void that is none.
func TestAMarkAloneIsNothingToDeleteBy(t *testing.T) {
	t.Parallel()
	for _, by := range []uint64{1, 2, 99} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 3)
		w.half = false
		w.mustRun()
		w.night()
		w.die(func(what, key string) bool { return what == "put" && strings.HasSuffix(key, publishedSuffix) })
		mark := jobKeys("j").published(2)
		if _, err := w.store.Put(t.Context(), mark, fmt.Appendf(nil, `{"run_id":"x","voided_by":%d}`, by), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		before := w.visible()
		l := &ledger{store: w.store, keys: "j", patience: impatient}
		if _, err := l.publish(t.Context(), w.police, w.lastRecordOf("run002"), "run"); err == nil || !strings.Contains(err.Error(), mark) {
			t.Errorf("taken back by %d: %v", by, err)
		}
		if after := w.visible(); len(after) != len(before) {
			t.Errorf("taken back by %d: %d rows, then %d", by, len(before), len(after))
		}
	}
}
