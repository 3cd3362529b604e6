package sink

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// seen is what a look finds, by user: the version that its cursor names.
func (w *world) seen(shard cursors.Shard) map[string]string {
	w.t.Helper()
	l, err := OpenLook(w.t.Context(), LookOptions{
		Store: readOnly{w.store, w.t}, Job: w.job, Shard: shard, Source: w.options(w.store).Source, ScratchDir: w.t.TempDir(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	got := map[string]string{}
	for b := range cursors.Buckets {
		if shard.Count > 1 && !shard.Owns(b) {
			continue
		}
		var all []UserCursors
		for u, err := range l.EachUser(w.t.Context(), b) {
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, u)
			got[u.UserID] = u.Cursors[0].CorrelationID
		}
		for _, u := range all {
			named, err := l.Cursors(w.t.Context(), b, "nobody", u.UserID, "zzz")
			if diff := cmp.Diff(map[string][]cursors.Cursor{u.UserID: u.Cursors}, named); diff != "" || err != nil {
				w.t.Errorf("the same, asked for by name: %v\n%s", err, diff)
			}
		}
	}
	return got
}

func TestALookSeesWhatWasCommittedBesideALivingRunAndWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 20)
	w.every = 2 // checkpoints, too
	if got := w.seen(cursors.Shard{}); len(got) != 0 {
		t.Errorf("before the first run: %v", got)
	}
	for range 5 {
		w.night()
		w.mustRun()
	}
	alive := w.mustOpen() // holds the lease
	want := map[string]string{}
	for id, v := range w.truth {
		want[id] = fmt.Sprintf("version %d", v)
	}
	got := w.seen(cursors.Shard{Count: 1})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	half := w.seen(cursors.Shard{Index: 0, Count: 2})
	maps.Copy(half, w.seen(cursors.Shard{Index: 1, Count: 2}))
	if diff := cmp.Diff(got, half); diff != "" {
		t.Errorf("two shards together (-one +two):\n%s", diff)
	}
	if err := alive.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestALookAtAnotherSourceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 3)
	w.mustRun()
	_, err := OpenLook(t.Context(), LookOptions{Store: w.store, Job: w.job, Source: Source{BaseURL: "elsewhere"}, ScratchDir: t.TempDir()})
	if !errors.Is(err, ErrSource) {
		t.Errorf("got %v, want ErrSource", err)
	}
}

func TestReportsComeNewestFirst(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	keys := jobKeys("j")
	for _, key := range []string{keys.report("A"), keys.report("B"), keys.report("C"), keys.reports() + "notes.txt", jobKeys("other").report("D")} {
		if _, err := store.Put(t.Context(), key, []byte(key), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for body, err := range Reports(t.Context(), store, "j", "A") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(body))
	}
	if want := []string{keys.report("C"), keys.report("B")}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
