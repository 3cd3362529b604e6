package sink

import (
	"fmt"
	"maps"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// shards divides a world's users; all share the store, the police and the
// clock.
func (w *world) shards(count int) []*world {
	all := make([]*world, count)
	for i := range all {
		part := *w
		part.shard = cursors.Shard{Index: i, Count: count}
		part.truth = map[string]int{}
		for id, v := range w.truth {
			if part.shard.Owns(cursors.BucketOf(id)) {
				part.truth[id] = v
			}
		}
		part.runs = w.runs + 1000*(i+1)
		all[i] = &part
	}
	w.runs += 1000 * (count + 1)
	return all
}

// TestShardsShareOneLogAndDoNotDisturbEachOther runs shards side by side for
// some nights, in changing numbers.
func TestShardsShareOneLogAndDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 24)
	for _, count := range []int{4, 4, 1, 2, 3} {
		var runs []func()
		for _, part := range w.shards(count) {
			runs = append(runs, func() {
				if err := part.run(t.Context(), w.police); err != nil {
					t.Errorf("shard %d of %d: %v", part.shard.Index, count, err)
				}
			})
		}
		group(runs...)
		w.checkClean()
		w.night()
	}
	w.mustRun()
	w.checkClean()
	w.checkCursors()
}

func TestALivingShardsUploadsAreNotSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 12)
	parts := w.shards(2)
	alive := parts[1].mustOpen()
	parts[1].addAll(alive)
	parts[0].mustRun()
	parts[1].mustCommit(alive)
	parts[1].mustClose(alive)
	w.checkClean()
}

func TestALivingBackfillsUploadsAreNotSweptAndADeadOnesAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.mustRun()
	backfill := func() *Writer {
		o := w.options(w.police)
		o.Kind, o.Backfill = KindBackfill, "history"
		wr, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for id, v := range w.truth {
			if err := wr.Add(t.Context(), Batch{Rows: w.batch(id, v, v+1).Rows}); err != nil {
				t.Fatal(err)
			}
		}
		return wr
	}
	alive := backfill()
	w.mustClose(w.mustOpen())
	if r := w.mustCommit(alive); r.Kind != KindBackfill || r.Backfill != "history" {
		t.Errorf("record: %+v", r)
	}
	w.mustClose(alive)
	for id := range w.truth {
		w.truth[id]++
	}
	w.checkClean()

	dead := backfill()
	w.kill()
	w.mustClose(w.mustOpen())
	w.wantOvertaken(dead)
	w.checkClean()
}

func TestABackfillStandsBesideARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	run := w.mustOpen()
	w.addAll(run)
	o := w.options(w.police)
	o.Kind, o.Backfill = KindBackfill, "history"
	backfill, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	rows := []table.Row{&table.SyncSession{UserID: "user", BankLoginID: "login", Meta: table.Meta{Op: table.Upsert, ExtractedAt: w.now}}}
	if err := backfill.Add(t.Context(), Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	w.mustCommit(backfill)
	w.mustCommit(run) // not overtaken
	if err := backfill.Add(t.Context(), w.batch("user", 0, 1)); err == nil {
		t.Error("a backfill has moved a cursor")
	}
	w.mustClose(backfill)
	w.mustClose(run)
	w.checkClean()
}

func TestADeadShardIsLeftToWhoHasItsUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 12)
	parts := w.shards(2)
	dead := parts[1].mustOpen()
	parts[1].addAll(dead)
	w.kill()
	parts[0].mustRun()
	if got := len(w.list(jobKeys("j").stagings())); got != 1 {
		t.Errorf("%d staging records, want that of the dead shard", got)
	}
	parts[1].mustRun()
	w.checkClean()
	parts[1].wantOvertaken(dead)
}

func TestWithFewerShardsTheDeadOfAllAreSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 12)
	var dead []*Writer
	parts := w.shards(4)
	for _, part := range parts {
		wr := part.mustOpen()
		part.addAll(wr)
		dead = append(dead, wr)
	}
	w.kill()
	w.mustRun()
	w.checkClean()
	for i, part := range parts {
		part.wantOvertaken(dead[i])
	}
	w.checkClean()
}

func TestRecoveryTouchesNothingOfAnotherJob(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	other := newWorld(t, store, cursors.Shard{Count: 1}, 4)
	other.job = "other"
	other.police = newPolice(t, store, "other")
	dead := other.mustOpen()
	other.addAll(dead)
	dead.lease.halt()
	if _, err := store.Put(t.Context(), jobKeys("other").selfTest("x").Conditions, []byte("x"), bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
	objects, uploads := maps.Clone(store.objects), len(store.uploads)

	w := newWorld(t, store, cursors.Shard{Count: 1}, 4)
	w.runs = 500
	w.die(func(what, _ string) bool { return what == "complete" })
	for info, err := range store.List(t.Context(), jobKeys("other").leases(), "") {
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("still there: %s", info.Key)
	}
	w.mustRun()
	w.checkOrphans()
	for key, o := range objects {
		if store.objects[key].etag != o.etag {
			t.Errorf("%s was touched", key)
		}
	}
	if len(store.uploads) != uploads {
		t.Errorf("%d uploads are pending, want the %d of the other job", len(store.uploads), uploads)
	}
}

func TestCursorsOfUsersOfOtherShardsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 0, Count: 2}, 2)
	wr := w.mustOpen()
	for i := range 100 {
		if id := fmt.Sprintf("stranger-%d", i); !w.shard.Owns(cursors.BucketOf(id)) {
			if err := wr.Add(t.Context(), w.batch(id, 0, 1)); err == nil {
				t.Error("added a user of another shard")
			}
			break
		}
	}
	w.mustClose(wr)
}
