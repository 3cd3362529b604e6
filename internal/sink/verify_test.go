package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// readOnly is a store that fails the test when it is written to.
type readOnly struct {
	bucket.Store
	t *testing.T
}

func (s readOnly) Put(_ context.Context, key string, _ []byte, _ bucket.Condition) (bucket.Info, error) {
	s.t.Errorf("%s is written", key)
	return bucket.Info{}, errInjected
}

func (s readOnly) Delete(_ context.Context, key string) error {
	s.t.Errorf("%s is deleted", key)
	return errInjected
}

func (s readOnly) CreateUpload(_ context.Context, key string) (bucket.Upload, error) {
	s.t.Errorf("an upload to %s is begun", key)
	return bucket.Upload{}, errInjected
}

func (s readOnly) CompleteUpload(_ context.Context, up bucket.Upload, _ []bucket.Part) error {
	s.t.Errorf("%s is completed", up.Key)
	return errInjected
}

func (s readOnly) AbortUpload(_ context.Context, up bucket.Upload) error {
	s.t.Errorf("%s is aborted", up.Key)
	return errInjected
}

func (s readOnly) CheckUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	return bucket.CheckUpload(ctx, s.Store, up, parts)
}

func (w *world) verify() *Verification {
	w.t.Helper()
	v, err := Verify(w.t.Context(), VerifyOptions{Store: readOnly{w.store, w.t}, Job: w.job, ScratchDir: w.t.TempDir()})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func lines(findings []Finding) (text []string) {
	for _, f := range findings {
		text = append(text, f.Where+": "+f.What)
		if f.Do == "" {
			text = append(text, "and does not say what to do")
		}
	}
	return text
}

// threeNights is a lake with checkpoints, two commits a night, and two jobs.
func threeNights(t *testing.T) *world {
	t.Helper()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Index: 3, Count: 128}, 4)
	w.every = 2
	for range 3 {
		w.mustRun()
		w.night()
	}
	other := newWorld(t, store, cursors.Shard{Count: 1}, 2)
	other.job, other.police = "other", newPolice(t, store, "other")
	other.runs = 100 // runs have ids of their own
	other.mustRun()
	return w
}

func TestASoundLakeIsVerifiedAndSummedUp(t *testing.T) {
	t.Parallel()
	w := threeNights(t)
	v := w.verify()
	if len(v.Problems)+len(v.Notes) > 0 || v.ProblemCount+v.NoteCount > 0 {
		t.Errorf("problems %q, notes %q", lines(v.Problems), lines(v.Notes))
	}
	want := VerifiedTable{Sums: map[string]string{}}
	var sum, records int64
	for r, err := range ReadLog(t.Context(), w.store, w.job, 0) {
		if err != nil {
			t.Fatal(err)
		}
		records++
		for _, f := range r.Files {
			if f.Table == "contracts" {
				want.Files++
				want.Bytes += f.Bytes
			}
		}
	}
	for row := range w.visible() { // of both jobs
		var user string
		var version int64
		if _, err := fmt.Sscanf(row, "%s version %d", &user, &version); err != nil {
			t.Fatal(err)
		}
		if w.truth[user] > 0 {
			want.Rows++
			sum += version
		}
	}
	want.Upserts = want.Rows
	want.Sums["amount"] = fmt.Sprintf("%d.0000", sum)
	if diff := cmp.Diff(want, v.Tables["contracts"]); diff != "" || want.Rows == 0 {
		t.Errorf("contracts (-want +got):\n%s", diff)
	}
	if v.Records != records || v.LastSeq != uint64(records) || records < 4 || v.Unpublished != 0 || v.Voided != 0 || v.Cursors == 0 {
		t.Errorf("got %+v", v)
	}
}

func TestAFolderIsVerifiedLikeAnyStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, folderOf(t), cursors.Shard{Index: 3, Count: 128}, 3)
	w.mustRun()
	if v := w.verify(); v.ProblemCount+v.NoteCount > 0 || v.Tables["contracts"].Rows != 3 {
		t.Errorf("%+v", v)
	}
	f, _ := w.file("contracts", 0)
	if err := w.store.Delete(t.Context(), f.Path); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(); v.ProblemCount != 1 {
		t.Errorf("a file is gone: problems %q", lines(v.Problems))
	}
}

func TestAJobThatNeverRanIsSound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	if v := w.verify(); v.ProblemCount+v.NoteCount+v.Records > 0 {
		t.Errorf("got %+v", v)
	}
}

func TestAGapIsOneProblemHoweverWide(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
	l := &ledger{store: w.store, keys: jobKeys(w.job), patience: impatient, tail: 1 << 40}
	if err := l.append(t.Context(), testRecord("run"), nil); err != nil {
		t.Fatal(err)
	}
	v := w.verify()
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].What, "records 1 to 1099511627776 are missing") {
		t.Errorf("problems %q", lines(v.Problems))
	}
}

func TestWhatWasTakenBackMustBeGone(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Count: 1}, 4)
	w.half = false
	w.loseUpload()
	if v := w.verify(); len(v.Problems) != 1 || !strings.Contains(v.Problems[0].What, "neither is its pending upload") || v.Unpublished != 1 {
		t.Errorf("before: problems %q", lines(v.Problems))
	}
	w.mustRun()
	v := w.verify()
	if v.ProblemCount+v.NoteCount > 0 || v.Voided != 1 {
		t.Errorf("problems %q, notes %q, %d voided", lines(v.Problems), lines(v.Notes), v.Voided)
	}
	f, _ := w.file("contracts", 0)
	store.set(f.Path, []byte("PAR1"), "")
	if v := w.verify(); len(v.Problems) != 1 || !strings.Contains(v.Problems[0].What, "took it back, but it is visible") {
		t.Errorf("after: problems %q", lines(v.Problems))
	}
	// The mark decides: where it says that the record is published, its files must be there.
	delete(store.objects, f.Path)
	for seq := range v.LastSeq {
		if m := store.objects[jobKeys(w.job).published(seq+1)]; strings.Contains(string(m.body), "voided_by") {
			store.set(jobKeys(w.job).published(seq+1), []byte(`{"run_id":"x"}`), "")
		}
	}
	if v := w.verify(); v.ProblemCount != 2 || !strings.Contains(v.Problems[0].What, "but it is not there") || v.Voided != 0 {
		t.Errorf("with the usual mark: problems %q", lines(v.Problems))
	}
}

func TestWhatADeadRunLeftIsNotedAndNotCalledDamage(t *testing.T) {
	t.Parallel()
	for what, notes := range map[string][]string{
		"create":   {"has ended without clearing up; uploads left pending: 0"},
		"complete": {"is not published yet", "has ended without clearing up"},
	} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		w.die(func(op, key string) bool { return op == what && !strings.HasPrefix(key, system) })
		v := w.verify()
		if v.ProblemCount > 0 || len(v.Notes) != len(notes) {
			t.Fatalf("%s: problems %q, notes %q", what, lines(v.Problems), lines(v.Notes))
		}
		for i, want := range notes {
			if !strings.Contains(v.Notes[i].What, want) {
				t.Errorf("%s: note %q, want %q", what, v.Notes[i].What, want)
			}
		}
		w.mustRun()
		if v := w.verify(); v.ProblemCount+v.NoteCount > 0 {
			t.Errorf("%s, after the next run: problems %q, notes %q", what, lines(v.Problems), lines(v.Notes))
		}
	}
}

func TestCursorsThatNobodyAnnouncedAreNoted(t *testing.T) {
	t.Parallel()
	w := threeNights(t)
	if _, err := w.store.Put(t.Context(), jobKeys(w.job).cursors("stray", 0, 1), []byte("PAR1"), bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(); v.ProblemCount != 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0].What, "no run has announced it") {
		t.Errorf("problems %q, notes %q", lines(v.Problems), lines(v.Notes))
	}
}

// TestARunAtWorkDisturbsNoVerification lets nights pass while a lake is being
// verified over and over: by two shards, with checkpoints and sweeping.
func TestARunAtWorkDisturbsNoVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 12)
	w.every = 2
	done, verified := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for range 8 {
			var runs []func()
			for _, part := range w.shards(2) {
				runs = append(runs, func() {
					if err := part.run(t.Context(), w.store); err != nil {
						t.Errorf("shard %d: %v", part.shard.Index, err)
					}
				})
			}
			group(runs...)
			w.night()
		}
	})
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		v, err := Verify(t.Context(), VerifyOptions{Store: readOnly{w.store, t}, Job: w.job, ScratchDir: t.TempDir()})
		if err != nil || v.ProblemCount > 0 {
			t.Fatalf("verification %d: %v; problems %q", verified, err, lines(v.Problems))
		}
		for _, n := range v.Notes {
			if !strings.Contains(n.What, "is not published yet") {
				t.Errorf("verification %d: note %+v", verified, n)
			}
		}
		verified++
	}
	wg.Wait()
	if v := w.verify(); v.ProblemCount+v.NoteCount > 0 || verified < 3 {
		t.Errorf("after %d: problems %q, notes %q", verified, lines(v.Problems), lines(v.Notes))
	}
}

func TestAStoreThatDoesNotAnswerIsAnErrorAndNoDamage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 3, Count: 128}, 4)
	w.every = 2
	for range 2 {
		w.mustRun()
		w.night()
	}
	calls := &failingReads{Store: w.store, at: -1}
	if _, err := Verify(t.Context(), VerifyOptions{Store: calls, Job: w.job, ScratchDir: t.TempDir()}); err != nil || calls.n < 20 {
		t.Fatalf("%d reads: %v", calls.n, err)
	}
	for at := range calls.n {
		failing := &failingReads{Store: w.store, at: at}
		v, err := Verify(t.Context(), VerifyOptions{Store: failing, Job: w.job, ScratchDir: t.TempDir()})
		if !errors.Is(err, errInjected) || v != nil {
			t.Errorf("read %d of %d: %v, %+v; want the error", at, calls.n, err, v)
		}
	}
}

// failingReads fails one read.
type failingReads struct {
	bucket.Store
	mu    sync.Mutex
	n, at int
}

func (s *failingReads) fail() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if s.n-1 == s.at {
		return errInjected
	}
	return nil
}

func (s *failingReads) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	if err := s.fail(); err != nil {
		return nil, bucket.Info{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *failingReads) Open(ctx context.Context, key string) (bucket.Reader, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key)
}

func TestFindingsAreCappedAndCounted(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	for i := range maxFindings + 5 {
		store.set(fmt.Sprintf("users/%d.parquet", i), []byte("PAR1"), "")
	}
	w := newWorld(t, store, cursors.Shard{Count: 1}, 1)
	v := w.verify()
	if len(v.Problems) != maxFindings || v.ProblemCount != maxFindings+5 {
		t.Errorf("%d problems of %d", len(v.Problems), v.ProblemCount)
	}
	if got := slices.Sorted(maps.Keys(v.Tables)); len(got) > 0 {
		t.Errorf("tables %v", got)
	}
}
