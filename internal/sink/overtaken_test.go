package sink

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// addAll adds what is new of every user, and commits nothing.
func (w *world) addAll(wr *Writer) {
	w.t.Helper()
	for id := range w.truth {
		if err := w.pull(w.t.Context(), wr, id); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) mustClose(wr *Writer) {
	w.t.Helper()
	if err := wr.Close(w.t.Context()); err != nil {
		w.t.Errorf("close: %v", err)
	}
}

func (w *world) mustCommit(wr *Writer) *Record {
	w.t.Helper()
	r, err := wr.Commit(w.t.Context())
	if err != nil || r == nil {
		w.t.Fatalf("commit: %v, %v", r, err)
	}
	return r
}

// wantOvertaken commits in vain and closes.
func (w *world) wantOvertaken(wr *Writer) {
	w.t.Helper()
	if r, err := wr.Commit(w.t.Context()); !errors.Is(err, ErrOvertaken) {
		w.t.Errorf("commit: %v, %v; want %v", r, err, ErrOvertaken)
	}
	if err := wr.Add(w.t.Context(), Batch{}); !errors.Is(err, ErrOvertaken) {
		w.t.Errorf("add: %v, want %v", err, ErrOvertaken)
	}
	w.mustClose(wr)
}

// sleep stops a run, as SIGSTOP would, until its lease has expired.
func (w *world) sleep(wr *Writer) {
	wr.lease.halt()
	time.Sleep(2 * testTTL)
}

func TestOfTwoRunsFromOneBaseOneCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		w.mustRun()
		w.night()
		sleeper := w.mustOpen()
		w.addAll(sleeper)
		w.sleep(sleeper)
		w.mustRun()
		w.wantOvertaken(sleeper)
		w.checkClean()
	})
}

func TestAFenceStopsASleeperThoughNothingElseWasCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		w.mustRun()
		w.night()
		sleeper := w.mustOpen()
		w.addAll(sleeper)
		w.sleep(sleeper)
		w.mustClose(w.mustOpen())
		last := logOf(t, w.store)
		if got := last[len(last)-1]; !strings.HasSuffix(got, "run003") {
			t.Fatalf("the log ends with %q: no fence of run003", got)
		}
		w.wantOvertaken(sleeper)
		w.mustRun()
		w.checkClean()
	})
}

// TestASleeperThatWakesAndDiesIsSweptUpAgain: what it began after it was swept
// up for the first time is found by the run after.
func TestASleeperThatWakesAndDiesIsSweptUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		f := &faulty{Store: w.police, plan: fault{at: -1, deadly: true}, stop: func(what, key string) bool {
			_, _, isLog := jobKeys("j").parseLog(key)
			return what == "put" && isLog
		}}
		sleeper, err := w.open(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		w.addAll(sleeper)
		w.sleep(sleeper)
		w.mustClose(w.mustOpen())
		if _, err := sleeper.Commit(t.Context()); err == nil || !f.struck {
			t.Fatalf("commit: %v; it was to die", err)
		}
		time.Sleep(2 * testTTL)
		w.mustRun()
		w.checkClean()
	})
}

func TestASleeperWhoseUploadsWereSweptLearnsWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		sleeper := w.mustOpen()
		w.addAll(sleeper)
		for _, l := range sleeper.lanes { // have the uploads begun
			if l.file != nil {
				if _, err := l.upload.Write(make([]byte, bucket.MinPart)); err != nil {
					t.Fatal(err)
				}
				if err := l.upload.flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.sleep(sleeper)
		w.mustRun()
		w.wantOvertaken(sleeper)
		w.checkClean()
	})
}

func TestASleeperThatStagedNothingMayCommitIfNobodyElseDid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		sleeper := w.mustOpen()
		w.sleep(sleeper)
		w.mustClose(w.mustOpen()) // finds nothing to fence off
		w.addAll(sleeper)
		w.mustCommit(sleeper)
		w.mustClose(sleeper)
		w.checkClean()
	})
}

// TestWhatASleeperCommitsBeforeItsFenceIsKept wakes the sleeper at the worst
// moment: its successor has read the log, and is about to write the fence.
func TestWhatASleeperCommitsBeforeItsFenceIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.mustRun()
	w.night()
	sleeper := w.mustOpen()
	w.addAll(sleeper)
	w.kill()
	woken := false
	hook := &putHook{Store: w.police}
	hook.put = func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
		if _, published, isLog := jobKeys("j").parseLog(key); isLog && !published && !woken {
			woken = true
			w.mustCommit(sleeper)
		}
		return next()
	}
	if err := w.run(t.Context(), hook); err != nil {
		t.Fatal(err)
	}
	if !woken {
		t.Fatal("the fence was not written")
	}
	w.checkReaders()
	if err := sleeper.Add(t.Context(), w.batch("user-0", 0, 1)); err != nil {
		t.Fatal(err)
	}
	if r, err := sleeper.Commit(t.Context()); !errors.Is(err, ErrOvertaken) {
		t.Errorf("commit: %v, %v; want %v", r, err, ErrOvertaken)
	}
	w.mustClose(sleeper)
	w.checkClean()
}

// listHook is told of listings before they are made.
type listHook struct {
	bucket.Store
	before func(prefix string)
}

func (h listHook) List(ctx context.Context, prefix, after string) iter.Seq2[bucket.Info, error] {
	h.before(prefix)
	return h.Store.List(ctx, prefix, after)
}

// TestWhoSleepsWhileItClearsUpFencesNobodyOff: it read about a dead run, slept,
// and another has done the work and is busy since.
func TestWhoSleepsWhileItClearsUpFencesNobodyOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		dead := w.mustOpen()
		w.addAll(dead)
		w.sleep(dead)
		var busy *Writer
		read := false
		o := w.options(listHook{w.police, func(prefix string) {
			read = read || prefix == jobKeys("j").stagings()
			if read && prefix == jobKeys("j").leases() && busy == nil {
				time.Sleep(2 * testTTL) // its own renewing sleeps as well
				busy = w.mustOpen()
				w.addAll(busy)
			}
		}})
		o.LeaseRenew = time.Hour
		if wr, err := Open(t.Context(), o); !errors.Is(err, ErrOvertaken) {
			t.Errorf("open: %v, %v; want %v", wr, err, ErrOvertaken)
		}
		w.mustCommit(busy)
		w.mustClose(busy)
		w.checkClean()
		w.wantOvertaken(dead)
	})
}

func TestARecordThatComesTooLateFindsTheFence(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		var late func() (bucket.Info, error)
		hook := &putHook{Store: w.police}
		hook.put = func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
			if _, published, isLog := jobKeys("j").parseLog(key); isLog && !published {
				late = next
				return bucket.Info{}, errors.New("timeout")
			}
			return next()
		}
		wr, err := w.open(t.Context(), hook)
		if err != nil {
			t.Fatal(err)
		}
		w.addAll(wr)
		if _, err := wr.Commit(t.Context()); !errors.Is(err, errUnsettled) {
			t.Fatalf("commit: %v, want %v", err, errUnsettled)
		}
		// It must not clear up: the record may yet come to stand.
		w.mustClose(wr)
		if len(w.list(jobKeys("j").stagings())) == 0 {
			t.Error("the staging record is gone")
		}
		if before {
			if _, err := late(); err != nil {
				t.Errorf("late record: %v", err)
			}
			w.mustRun()
		} else {
			w.mustRun()
			if _, err := late(); !errors.Is(err, bucket.ErrPrecondition) {
				t.Errorf("late record: %v, want %v", err, bucket.ErrPrecondition)
			}
		}
		w.checkClean()
	}
}

func TestARunWhoseLeaseIsSomebodyElsesStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		wr := w.mustOpen()
		w.addAll(wr)
		key := jobKeys("j").lease(0, "")
		if _, err := w.store.Put(t.Context(), key, []byte(`{"run_id":"other","shards":1}`), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-wr.Alive():
		case <-time.After(time.Minute):
			t.Fatal("not noticed")
		}
		if err := wr.Err(); !errors.Is(err, ErrOvertaken) {
			t.Errorf("err: %v, want %v", err, ErrOvertaken)
		}
		w.wantOvertaken(wr)
		if got := logOf(t, w.store); len(got) > 0 {
			t.Errorf("committed: %v", got)
		}
		w.kill()
		w.checkOrphans()
	})
}

func TestALivingRunIsNamedToWhoWaitsInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		wr := w.mustOpen()
		o := w.options(w.police)
		o.LeaseWait = 90 * time.Second
		_, err := Open(t.Context(), o)
		var held *HeldError
		if !errors.As(err, &held) || held.Holder != "host of run 1" || held.RunID != "run001" {
			t.Errorf("open: %v, want that run001 holds the lease", err)
		}
		w.addAll(wr)
		w.mustCommit(wr)
		w.mustClose(wr)
		w.checkClean()
	})
}

func TestTheSuccessorOfAKilledRunJustTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		killed := w.mustOpen()
		w.addAll(killed)
		killed.lease.halt()
		o := w.options(w.police)
		o.LeaseWait = 90 * time.Second
		wr, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		w.addAll(wr)
		w.mustCommit(wr)
		w.mustClose(wr)
		w.checkClean()
	})
}

// TestASleeperThatWakesToWriteItsCursorsAndDiesStopsNobody: what fences it off is older
// than the checkpoints by then, and its cursors newer than the log.
func TestASleeperThatWakesToWriteItsCursorsAndDiesStopsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Index: 3, Count: 64}, 4)
		w.half, w.every = false, 1
		w.mustRun()
		w.night()
		own := jobKeys("j").cursorObjects()
		dying := &faulty{Store: w.police, plan: fault{at: -1, applied: true, deadly: true}, stop: func(what, key string) bool {
			return what == "put" && strings.HasPrefix(key, own)
		}}
		h := &hooked{Store: dying}
		sleeper, err := w.open(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		w.addAll(sleeper)
		h.before = once("put", own, func() {
			w.sleep(sleeper)
			for range 3 {
				w.mustRun()
				w.night()
			}
			time.Sleep(time.Minute)
		})
		if _, err := sleeper.Commit(t.Context()); err == nil {
			t.Fatal("it was to die")
		}
		if v := w.verify(); v.ProblemCount > 0 {
			t.Errorf("problems: %q", lines(v.Problems))
		}
		w.mustRun()
		w.checkCursors()
	})
}
