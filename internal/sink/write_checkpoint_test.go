package sink

import (
	"context"
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

// cursorsOf reads all cursors of a shard as a run that begins now would.
func (w *world) cursorsOf() map[string][]cursors.Cursor {
	w.t.Helper()
	wr := w.mustOpen()
	all := map[string][]cursors.Cursor{}
	for _, b := range w.shard.Buckets() {
		for _, u := range collect(w.t, wr.EachUser(w.t.Context(), b)) {
			all[u.UserID] = u.Cursors
		}
	}
	w.mustClose(wr)
	return all
}

func (w *world) checkpoints() (keys []string) {
	w.t.Helper()
	return w.list(jobKeys(w.job).checkpoints())
}

// TestCheckpointsChangeNothingThatIsRead lets two worlds go through the same
// nights, with users that end, and one of them writes checkpoints.
func TestCheckpointsChangeNothingThatIsRead(t *testing.T) {
	t.Parallel()
	shard := cursors.Shard{Index: 1, Count: 64}
	with, without := newWorld(t, newMemStore(), shard, 8), newWorld(t, newMemStore(), shard, 8)
	with.every = 2
	for night := range 7 {
		for _, w := range []*world{with, without} {
			w.mustRun()
			if night == 3 {
				w.end()
			}
			w.night()
		}
		got, want := with.cursorsOf(), without.cursorsOf()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("night %d: cursors (-without +with checkpoints):\n%s", night, diff)
		}
	}
	if len(with.checkpoints()) == 0 {
		t.Fatal("no checkpoint was written")
	}
	if len(without.checkpoints()) > 0 {
		t.Fatal("the other world has checkpoints")
	}
	with.mustRun()
	with.checkCursors()
	with.checkOrphans()
}

// end ends the cursor of one user, as if the API knew it no longer.
func (w *world) end() {
	w.t.Helper()
	wr := w.mustOpen()
	id := slices.Sorted(maps.Keys(w.truth))[0]
	if err := wr.Add(w.t.Context(), Batch{Cursors: []cursors.Cursor{{UserID: id, Stream: worldStream, Ended: true}}}); err != nil {
		w.t.Fatal(err)
	}
	w.mustCommit(wr)
	w.mustClose(wr)
	delete(w.truth, id)
}

func TestOldCursorsAreSweptButTheLastTwoCheckpointsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 1, Count: 64}, 8)
	w.every = 2
	for range 6 {
		w.mustRun()
		w.night()
	}
	perBucket := map[string]int{}
	for _, key := range w.checkpoints() {
		perBucket[strings.Split(key, "/")[3]]++
	}
	want := map[string]int{}
	for _, b := range w.shard.Buckets() {
		want[fmt.Sprintf("%03d", b)] = keptCheckpoints
	}
	if diff := cmp.Diff(want, perBucket); diff != "" {
		t.Errorf("checkpoints by bucket (-want +got):\n%s", diff)
	}
	_, oldest, _ := jobKeys("j").parseCheckpoint(w.checkpoints()[0])
	for r, err := range ReadLog(t.Context(), w.store, "j", 0) {
		if err != nil {
			t.Fatal(err)
		}
		_, err := w.store.Stat(t.Context(), r.Cursors.Path)
		if stands := err == nil; stands != (r.Seq > oldest) {
			t.Errorf("cursors of record %d stand: %v; the older checkpoint is %d", r.Seq, stands, oldest)
		}
	}
	w.mustRun()
	w.checkCursors()
}

func TestNothingIsSweptThatALivingRunMayRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 1, Count: 64}, 8)
	w.every = 2
	w.mustRun()
	w.night()
	body := []byte(`{"run_id":"reader","kind":"backfill","backfill":"history","shards":1,"base_seq":1}`)
	key := jobKeys("j").lease(0, "history")
	if _, err := w.store.Put(t.Context(), key, body, bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.mustRun()
		w.night()
	}
	if got := len(w.list("_syncer/j/cursors/")); got != 12 {
		t.Errorf("%d cursor objects, want all 12", got)
	}
	if err := w.store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	w.mustRun()
	if got := len(w.list("_syncer/j/cursors/")); got > 6 {
		t.Errorf("%d cursor objects are left when the reader has gone", got)
	}
	w.checkClean()
	w.checkCursors()
}

func TestCheckpointsOutliveChangesInTheNumberOfShards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 24)
	w.every = 3
	counts := []int{1, 1, 4, 4, 4, 2, 2, 3, 1, 1}
	if raceEnabled {
		counts = []int{1, 4, 3, 1, 1}
	}
	for _, count := range counts {
		for _, part := range w.shards(count) {
			part.mustRun()
		}
		w.night()
	}
	w.mustRun()
	w.checkClean()
	w.checkCursors()
	if got := len(w.list("_syncer/j/cursors/")); got > 40 {
		t.Errorf("%d cursor objects are left", got)
	}
}

// A shard's objects are swept once its own checkpoints cover them, however far
// the others have got.
func TestWhoeverLooksAtAllUsersNeedsNothingThatAShardHasSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 24)
	parts := w.shards(2)
	parts[0].every, parts[1].every = 1, 1000
	for range 4 {
		for _, part := range parts {
			part.night()
			part.mustRun()
		}
	}
	records := len(w.list("_syncer/j/log/")) / 2 // each with its .published
	if got := len(w.list("_syncer/j/cursors/")); got >= records {
		t.Fatalf("%d cursor objects of %d records: none has been swept", got, records)
	}
	for _, part := range parts {
		part.checkCursors()
		maps.Copy(w.truth, part.truth)
	}
	w.checkCursors()
}

func TestACheckpointCoversPublishedRecordsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 12)
	parts := w.shards(128)
	var stuck, other *world
	for _, part := range parts {
		switch {
		case len(part.truth) == 0:
		case stuck == nil:
			stuck = part
		case other == nil:
			other = part
		}
	}
	stuck.loseUpload()
	other.every = 1
	for range 3 {
		other.mustRun()
		other.night()
	}
	if got := other.checkpoints(); len(got) > 0 {
		t.Errorf("record 1 is not published, and there are checkpoints: %v", got)
	}
	stuck.mustRun()
	other.mustRun()
	if got := other.checkpoints(); len(got) == 0 {
		t.Error("no checkpoints when all is published")
	}
	other.checkCursors()
}

func TestARunInAHurryWritesNoCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 1, Count: 64}, 2)
	w.every = 1
	wr := w.mustOpen()
	w.addAll(wr)
	w.mustCommit(wr)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := wr.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := w.checkpoints(); len(got) > 0 {
		t.Errorf("checkpoints: %v", got)
	}
}
