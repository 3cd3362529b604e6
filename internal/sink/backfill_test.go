package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// beginBackfill lets the runs from now on be those of a backfill, for which
// every user has one version more.
func (w *world) beginBackfill() {
	w.backfill = "history"
	for id := range w.truth {
		w.truth[id]++
	}
}

// fill brings the newest version of each user whom the progress does not name.
func (w *world) fill(ctx context.Context, wr *Writer) error {
	if _, err := wr.Define(ctx, BackfillDefinition{Since: "2024-11-22", Until: "2026-11-22", Streams: []string{worldStream}}); err != nil {
		return err
	}
	wr.SetUsers(int64(len(w.truth)))
	for i, id := range slices.Sorted(maps.Keys(w.truth)) {
		done := false
		for of, err := range wr.EachProgress(ctx, cursors.BucketOf(id)) {
			if err != nil {
				return err
			}
			done = done || of.UserID == id && !of.Streams[worldStream].DoneAt.IsZero()
		}
		if done {
			continue
		}
		if err := wr.Add(ctx, w.filled(id)); err != nil {
			return err
		}
		if w.half && i == len(w.truth)/2 {
			if _, err := wr.Commit(ctx); err != nil {
				return err
			}
		}
	}
	if _, err := wr.Commit(ctx); err != nil {
		return err
	}
	_, err := wr.Finish(ctx)
	return err
}

// filled is what the backfill brings of one user.
func (w *world) filled(id string) Batch {
	b := w.batch(id, w.truth[id]-1, w.truth[id])
	b.Cursors = nil
	b.Progress = []Progress{{UserID: id, Stream: worldStream, ExtractedAt: w.now, DoneAt: w.now, State: []byte("all")}}
	return b
}

// marks tells of each user whether a run that opens now sees that its next
// pull must be full.
func (w *world) marks() map[string]bool {
	w.t.Helper()
	nightly := *w
	nightly.backfill = ""
	nightly.runs += 500
	marks := map[string]bool{}
	for id, cs := range nightly.cursorsOf() {
		if len(cs) != 1 || cs[0].Stream != worldStream {
			w.t.Errorf("cursors of %s: %+v", id, cs)
		}
		marks[id] = cs[0].Backfilled
	}
	return marks
}

func (w *world) all(v bool) map[string]bool {
	m := map[string]bool{}
	for id := range w.truth {
		m[id] = v
	}
	return m
}

func (w *world) wantMarks(when string, want map[string]bool) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.marks()); diff != "" {
		w.t.Errorf("marks %s (-want +got):\n%s", when, diff)
	}
}

// refresh is a nightly run that pulls everyone in full.
func (w *world) refresh() *Writer {
	w.t.Helper()
	wr := w.mustOpen()
	for id := range w.truth {
		w.refreshOne(wr, id)
	}
	return wr
}

func (w *world) refreshOne(wr *Writer, id string) {
	w.t.Helper()
	c := cursors.Cursor{UserID: id, Stream: worldStream, CorrelationID: "version 1", ExtractedAt: w.now, FullAt: w.now, FullSeq: wr.Opened()}
	if err := wr.Add(w.t.Context(), Batch{Cursors: []cursors.Cursor{c}}); err != nil {
		w.t.Fatal(err)
	}
}

func TestABackfillMarksItsStreamsUntilAFullPullBeginsAfterIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.mustRun()
	w.wantMarks("before the backfill", w.all(false))
	underway := w.refresh() // begins before the backfill commits, and commits after it
	w.beginBackfill()
	w.mustRun()
	w.backfill = ""
	w.mustCommit(underway)
	w.mustClose(underway)
	w.wantMarks("after a full pull that began before", w.all(true))

	wr := w.mustOpen() // a pull of another kind moves the cursor, and not the mark
	for id := range w.truth {
		if err := wr.Add(t.Context(), Batch{Cursors: []cursors.Cursor{{UserID: id, Stream: worldStream, CorrelationID: "x", FullSeq: 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.mustCommit(wr)
	w.mustClose(wr)
	w.wantMarks("after a diff", w.all(true))

	wr = w.refresh()
	w.mustCommit(wr)
	w.mustClose(wr)
	w.wantMarks("after a full pull", w.all(false))
	w.checkClean()
}

func TestMarksOutliveCheckpointsAndGoWithThemWhenSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.every = 1
	w.mustRun()
	w.beginBackfill()
	w.mustRun()
	w.backfill = ""
	settled := slices.Sorted(maps.Keys(w.truth))[0]
	want := w.all(true)
	for night := range 4 { // each writes checkpoints and sweeps
		wr := w.mustOpen()
		if night == 1 {
			w.refreshOne(wr, settled)
			want[settled] = false
		} else if err := wr.Add(t.Context(), Batch{Cursors: []cursors.Cursor{{UserID: "other", Stream: worldStream, ExtractedAt: w.now}}}); err != nil {
			t.Fatal(err)
		}
		w.mustCommit(wr)
		w.mustClose(wr)
		got := w.marks()
		delete(got, "other")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("marks after night %d (-want +got):\n%s", night, diff)
		}
	}
	left := 0
	s, err := locate(t.Context(), w.store, "j", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for b := range cursors.Buckets {
		for _, u := range collect(t, s.each(t.Context(), b, 1000, true)) {
			for _, c := range u.Cursors {
				if isMark(c.Stream) {
					left++
					if len(c.State) > 0 {
						t.Errorf("a checkpoint holds the progress of a backfill: %+v", c)
					}
				}
			}
		}
	}
	if left != len(w.truth)-1 {
		t.Errorf("%d marks stand in the checkpoints, want %d", left, len(w.truth)-1)
	}
	if v := w.verify(); v.ProblemCount+v.NoteCount > 0 {
		t.Errorf("problems %q, notes %q", lines(v.Problems), lines(v.Notes))
	}
	// What the nightly runs have swept away was not the backfill's.
	w.backfill = "history"
	before := w.visible()
	w.mustRun()
	if diff := cmp.Diff(before, w.visible()); diff != "" {
		t.Errorf("it was brought again (-before +after):\n%s", diff)
	}
}

func TestABackfillMakesNobodyKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	w.beginBackfill()
	w.mustRun()
	w.backfill = ""
	wr := w.mustOpen()
	for id, err := range wr.Users(t.Context()) {
		t.Errorf("%s is known, %v", id, err)
	}
	for id := range w.truth {
		cs, err := wr.Cursors(t.Context(), cursors.BucketOf(id), id)
		if err != nil || len(cs[id]) != 1 || !cs[id][0].BackfilledAt.Equal(w.now) || !cs[id][0].MarkOnly {
			t.Errorf("cursors of %s: %+v, %v", id, cs[id], err)
		}
	}
	w.mustClose(wr)
	look, err := OpenLook(t.Context(), LookOptions{Store: w.store, Job: "j", Source: Source{BaseURL: "https://finoos.test", Tenant: "bank"}, ScratchDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	for b := range cursors.Buckets {
		if users := collect(t, look.EachUser(t.Context(), b)); len(users) > 0 {
			t.Errorf("who looks sees %+v", users)
		}
	}
}

func TestABackfillThatIsTakenBackIsDoneAgainAndItsMarksStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.half = false
	w.mustRun()
	w.beginBackfill()
	w.loseUpload()
	w.backfill = ""
	w.mustClose(w.mustOpen()) // a nightly run takes it back
	w.wantMarks("after the void", w.all(true))
	w.backfill = "history"
	w.mustRun()
	w.checkClean()
	w.wantMarks("after it was done again", w.all(true))
	if _, done, err := FindBackfill(t.Context(), w.store, "j", "history"); done == nil || err != nil {
		t.Errorf("finished: %v, %v", done, err)
	}
}

func TestABackfillWhoseCommitWasTakenBackBesideItIsNotFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	w.beginBackfill()
	wr := w.mustOpen()
	if _, err := wr.Define(t.Context(), BackfillDefinition{}); err != nil {
		t.Fatal(err)
	}
	commit, void := wr.newRecord(KindBackfill, nil), wr.newRecord(KindVoid, cursors.Shard{Count: 1}.Buckets())
	commit.RunID, commit.Backfill = "somebody", "another"
	void.RunID, void.Voids, void.Backfill = "somebody", 1, "history"
	others := testLedger(w.store)
	for _, r := range []*Record{commit, void} {
		if err := others.append(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if done, err := wr.Finish(t.Context()); done || err != nil {
		t.Errorf("finished: %v, %v", done, err)
	}
	w.police.offDuty = true
	w.mustClose(wr)
}

// TestWithoutItsLedgerABackfillKnowsTheSame takes away what is derived.
func TestWithoutItsLedgerABackfillKnowsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 6)
	w.mustRun()
	w.beginBackfill()
	w.die(func(what, key string) bool { return what == "put" && strings.HasSuffix(key, "04.json") })
	w.mustRun()
	summary := func() BackfillSummary {
		t.Helper()
		all, err := Backfills(t.Context(), w.store, "j", t.TempDir())
		if err != nil || len(all) != 1 {
			t.Fatalf("%d backfills, %v", len(all), err)
		}
		return all[0]
	}
	with := summary()
	if with.Done[worldStream] != 6 || with.Found != 6 || with.Finished == nil {
		t.Errorf("summary: %+v", with)
	}
	ledger := jobKeys("j").backfillLedger("history")
	for what, body := range map[string]string{"gone": "", "of no use": "{"} {
		if err := w.store.Delete(t.Context(), ledger); err != nil {
			t.Fatal(err)
		}
		if body != "" {
			if _, err := w.store.Put(t.Context(), ledger, []byte(body), bucket.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
		without := summary()
		without.Found = with.Found // the one thing that it alone says
		if diff := cmp.Diff(with, without); diff != "" {
			t.Errorf("the ledger is %s (-with +without):\n%s", what, diff)
		}
		before := w.visible()
		w.mustRun()
		if diff := cmp.Diff(before, w.visible()); diff != "" {
			t.Errorf("the ledger is %s: rows (-before +after):\n%s", what, diff)
		}
	}
	w.checkClean()
}

func TestARunHasNoProgressAndABackfillNoCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	run := w.mustOpen()
	if err := run.Add(t.Context(), Batch{Progress: []Progress{{UserID: "user-0"}}}); err == nil {
		t.Error("a run has added progress of a backfill")
	}
	for _, err := range run.EachProgress(t.Context(), 0) {
		if err == nil {
			t.Error("a run has read progress of a backfill")
		}
	}
	if _, err := run.Define(t.Context(), BackfillDefinition{}); err == nil {
		t.Error("a run was defined")
	}
	w.mustClose(run)
}

// TestProgressIsOfTheBackfillThatMadeIt lets two backfills go over one user.
func TestProgressIsOfTheBackfillThatMadeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	for i, name := range []string{"first", "second"} {
		w.backfill = name
		wr := w.mustOpen()
		if _, err := wr.Define(t.Context(), BackfillDefinition{}); err != nil {
			t.Fatal(err)
		}
		p := Progress{UserID: "user-0", Stream: worldStream, ExtractedAt: w.now.Add(time.Duration(i) * time.Hour), State: fmt.Append(nil, name)}
		if err := wr.Add(t.Context(), Batch{Progress: []Progress{p}}); err != nil {
			t.Fatal(err)
		}
		w.mustCommit(wr)
		w.mustClose(wr)
	}
	for _, name := range []string{"first", "second"} {
		w.backfill = name
		wr := w.mustOpen()
		got := collect(t, wr.EachProgress(t.Context(), cursors.BucketOf("user-0")))
		if len(got) != 1 || got[0].UserID != "user-0" {
			t.Fatalf("progress of the %s: %+v", name, got)
		}
		if p := got[0].Streams[worldStream]; string(p.State) != name || p.Stream != worldStream {
			t.Errorf("progress of the %s: %+v", name, p)
		}
		w.mustClose(wr)
	}
}

func TestVerifyKnowsTheObjectsOfABackfill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	w.mustRun()
	w.beginBackfill()
	w.mustRun()
	if v := w.verify(); v.ProblemCount+v.NoteCount > 0 || v.Cursors == 0 {
		t.Errorf("problems %q, notes %q, %d cursors", lines(v.Problems), lines(v.Notes), v.Cursors)
	}
	k := jobKeys("j")
	for _, key := range []string{k.definition("history"), k.backfillLedger("history"), k.finished("history"), k.backfill("history") + "stray"} {
		if _, err := w.store.Put(t.Context(), key, []byte("{"), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if v := w.verify(); v.ProblemCount != 3 || v.NoteCount != 1 {
		t.Errorf("problems %q, notes %q", lines(v.Problems), lines(v.Notes))
	}
	var last *Record
	for r, err := range ReadLog(t.Context(), w.store, "j", 0) {
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	if err := w.store.Delete(t.Context(), last.Cursors.Path); err != nil || last.Kind != KindBackfill {
		t.Fatalf("record %d of kind %s: %v", last.Seq, last.Kind, err)
	}
	if v := w.verify(); v.ProblemCount != 4 {
		t.Errorf("progress is gone, but the problems are %q", lines(v.Problems))
	}
}

// TestWhoSweepsUpAfterADeadBackfillLetsTheLivingOneBe: a nightly run has seen
// that one is dead, and fences it off when it has been taken up again.
func TestWhoSweepsUpAfterADeadBackfillLetsTheLivingOneBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	w.mustRun()
	w.beginBackfill()
	w.die(func(what, _ string) bool { return what == "complete" })
	living := w.mustOpen() // has swept up itself; a fence for the dead one comes all the same
	fence := living.newRecord(KindFence, cursors.Shard{Count: 1}.Buckets())
	fence.Seq, fence.RunID, fence.Fences, fence.Backfill = living.log.tail+1, "nightly", "run002", "history"
	body, err := json.Marshal(fence)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Put(t.Context(), jobKeys("j").record(fence.Seq), body, bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
	if err := w.fill(t.Context(), living); err != nil {
		t.Errorf("the living one: %v", err)
	}
	w.mustClose(living)
	w.mustRun()
	w.checkClean()
}
