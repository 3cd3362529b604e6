package sink

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// beside is a store in which something happens right before some look at it.
type beside struct {
	bucket.Store
	when string // the look: what it does, and the beginning of the key
	do   func() // set to nil once it has happened
}

func (s *beside) look(what, key string) {
	if do := s.do; do != nil && strings.HasPrefix(what+" "+key, s.when) {
		s.do = nil
		do()
	}
}

func (s *beside) List(ctx context.Context, prefix, after string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		s.look("list", prefix)
		s.Store.List(ctx, prefix, after)(yield)
	}
}

func (s *beside) PendingUploads(ctx context.Context, key string) ([]bucket.Upload, error) {
	s.look("pending", key)
	return s.Store.PendingUploads(ctx, key)
}

func (s *beside) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	s.look("get", key)
	return s.Store.Get(ctx, key)
}

func (s *beside) Open(ctx context.Context, key string) (bucket.Reader, error) {
	s.look("open", key)
	return s.Store.Open(ctx, key)
}

// TestWhatHappensBetweenTwoLooksIsNoDamage lets a whole run, or the rest of
// one, happen at the worst moments of a verification.
func TestWhatHappensBetweenTwoLooksIsNoDamage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		when string
		do   func(w *world) func() // prepares, and returns what happens
	}{
		"a commit, before tables are listed":          {"list contracts/", aNight},
		"a commit, before cursors are listed":         {"list _syncer/j/cursors/", aNight},
		"a commit, before staging records are listed": {"list _syncer/j/staging/", aNight},
		"a commit, before leases are listed":          {"list _syncer/j/leases/", aNight},
		"checkpoints and sweeping, before cursors are read": {"open _syncer/j/cursors/", func(w *world) func() {
			w.every = 1
			return func() {
				for range 3 {
					w.night()
					w.mustRun()
				}
			}
		}},
		"checkpoints and sweeping, before checkpoints are read": {"open _syncer/j/checkpoints/", func(w *world) func() {
			w.every = 1
			w.night()
			w.mustRun()
			return func() {
				for range 3 {
					w.night()
					w.mustRun()
				}
			}
		}},
		"the end of a run, while its upload is looked for": {"pending contracts/", theRestOfARun},
		"the end of a run, before its mark is looked for":  {"get _syncer/j/log/00000000000000000003.published", theRestOfARun},
		"the end of a run, before its leftovers are":       {"list _syncer/j/leases/", theRestOfARun},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemStore(), cursors.Shard{Index: 3, Count: 128}, 4)
			w.mustRun()
			store := &beside{Store: readOnly{w.store, t}, when: tt.when}
			store.do = tt.do(w)
			v, err := Verify(t.Context(), VerifyOptions{Store: store, Job: w.job, ScratchDir: t.TempDir()})
			if err != nil || v.ProblemCount > 0 {
				t.Errorf("%v; problems %q", err, lines(v.Problems))
			}
			if store.do != nil {
				t.Error("it was never looked at")
			}
			for _, n := range v.Notes {
				if !strings.Contains(n.What, "is not published yet") {
					t.Errorf("note %+v", n)
				}
			}
		})
	}
}

func aNight(w *world) func() {
	return func() {
		w.night()
		w.mustRun()
	}
}

// theRestOfARun stops a run in the middle of making its commit visible, and
// returns what is left of it.
func theRestOfARun(w *world) func() {
	w.night()
	w.half = false
	reached, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	pause := &pausing{Store: w.police, reached: reached, goOn: goOn}
	go func() { ended <- w.run(w.t.Context(), pause) }()
	<-reached
	return func() {
		close(goOn)
		if err := <-ended; err != nil {
			w.t.Errorf("run: %v", err)
		}
	}
}

// pausing waits before the first completion of an upload.
type pausing struct {
	bucket.Store
	reached, goOn chan struct{}
}

func (s *pausing) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if !strings.HasPrefix(up.Key, system) { // not the self-test's
		if !isClosed(s.reached) {
			close(s.reached)
		}
		<-s.goOn
	}
	return s.Store.CompleteUpload(ctx, up, parts)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestALivingRunsLeftoversAreItsOwn looks at a run that has begun uploads and
// committed nothing.
func TestALivingRunsLeftoversAreItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	wr := w.mustOpen()
	w.addAll(wr)
	f, err := wr.staged.dataKey(t.Context(), "contracts", w.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.police.CreateUpload(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(); v.ProblemCount+v.NoteCount > 0 {
		t.Errorf("alive: problems %q, notes %q", lines(v.Problems), lines(v.Notes))
	}
	wr.lease.halt()
	w.kill()
	v := w.verify()
	if v.ProblemCount > 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0].What, "uploads left pending: 1") {
		t.Errorf("dead: problems %q, notes %q", lines(v.Problems), lines(v.Notes))
	}
	if keys := w.list(jobKeys(w.job).stagings()); len(keys) != 1 || !slices.Contains(keys, v.Notes[0].Where) {
		t.Errorf("staged: %q", keys)
	}
}
