package sink

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

func TestRowsAreVisibleWhenTheCommitIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	wr := w.mustOpen()
	w.addAll(wr)
	if p := wr.Pending(); p.Rows != 8 || p.Files != 2 || p.Bytes == 0 {
		t.Errorf("pending: %+v", p)
	}
	if rows := w.visible(); len(rows) > 0 {
		t.Errorf("visible before the commit: %v", rows)
	}
	r := w.mustCommit(wr)
	if rows := w.visible(); len(rows) != 4 {
		t.Errorf("visible after the commit: %v", rows)
	}
	if p := wr.Pending(); p != (Pending{}) {
		t.Errorf("pending after the commit: %+v", p)
	}
	if r, err := wr.Commit(t.Context()); r != nil || err != nil {
		t.Errorf("commit of nothing: %v, %v", r, err)
	}
	w.mustClose(wr)
	w.checkClean()

	want := &Record{
		Version: 1, Schema: 2, Seq: 1, Job: "j", RunID: "run001", RunGroup: "group", Nonce: r.Nonce, Shards: 1, Kind: KindRun, CommittedAt: w.now,
		Buckets: cursors.Shard{Count: 1}.Buckets(), Source: Source{BaseURL: "https://finoos.test", Tenant: "bank"},
		Cursors: CursorObject{Path: r.Cursors.Path, Rows: 4, Bytes: r.Cursors.Bytes, SHA256: r.Cursors.SHA256},
		Files:   r.Files,
		Tables: map[string]TableChanges{
			"contracts": {Upserts: 4, Sums: map[string]string{"amount": "4.0000"}},
			"pulls":     {Upserts: 4, Sums: r.Tables["pulls"].Sums},
		},
		Published: true, SHA256: r.SHA256, Sealed: true,
	}
	for got, err := range ReadLog(t.Context(), w.store, "j", 0) {
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v; record (-want +got):\n%s", err, diff)
		}
	}
}

func TestCursorsAloneAreACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	wr := w.mustOpen()
	for id := range w.truth {
		b := w.batch(id, 0, 1)
		if err := wr.Add(t.Context(), Batch{Cursors: b.Cursors}); err != nil {
			t.Fatal(err)
		}
	}
	if r := w.mustCommit(wr); len(r.Files) != 0 || r.Cursors.Rows != 1 {
		t.Errorf("record: %+v", r)
	}
	w.mustClose(wr)
	w.checkCursors()
	w.checkOrphans()
}

func TestWhatWasNotCommittedIsGoneAfterClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	wr := w.mustOpen()
	w.addAll(wr)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := wr.Commit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v, want %v", err, context.Canceled)
	}
	if err := wr.Close(ctx); err != nil {
		t.Errorf("close with a cancelled context: %v", err)
	}
	if err := wr.Close(t.Context()); err != nil {
		t.Errorf("close again: %v", err)
	}
	if err := wr.Add(t.Context(), Batch{}); !errors.Is(err, errClosed) {
		t.Errorf("add: %v, want %v", err, errClosed)
	}
	if _, err := wr.Commit(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("commit: %v, want %v", err, errClosed)
	}
	w.checkReaders()
	w.checkOrphans()
	w.mustRun()
	w.checkClean()
}

func TestABatchThatWasCutIsNeverCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	wr := w.mustOpen()
	w.addAll(wr)
	broken := errors.New("disk full")
	for id := range w.truth {
		b := w.batch(id, 1, 2)
		err := wr.Add(t.Context(), Batch{Rows: b.Rows, Stream: func(func(table.Row) error) error { return broken }})
		if !errors.Is(err, broken) {
			t.Fatalf("add: %v, want %v", err, broken)
		}
		break
	}
	if _, err := wr.Commit(t.Context()); !errors.Is(err, broken) {
		t.Errorf("commit: %v, want %v", err, broken)
	}
	w.mustClose(wr)
	if rows := w.visible(); len(rows) > 0 {
		t.Errorf("visible: %v", rows)
	}
	w.mustRun()
	w.checkClean()
}

func TestACancelledAddThatHasNotBegunSpoilsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	wr := w.mustOpen()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wr.Add(ctx, w.batch("user-0", 0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("add: %v, want %v", err, context.Canceled)
	}
	w.addAll(wr)
	w.mustCommit(wr)
	w.mustClose(wr)
	w.checkClean()
}

func TestAJobPointedElsewhereIsRefusedBeforeItWritesData(t *testing.T) {
	t.Parallel()
	for _, source := range []Source{{BaseURL: "https://finoos.test", Tenant: "other"}, {BaseURL: "https://elsewhere.test", Tenant: "bank"}} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		w.mustRun()
		before := w.list("")
		o := w.options(w.police)
		o.Source = source
		_, err := Open(t.Context(), o)
		if !errors.Is(err, ErrSource) {
			t.Fatalf("open: %v, want %v", err, ErrSource)
		}
		for _, says := range []string{`"https://finoos.test"`, `"bank"`, `"` + source.BaseURL + `"`, `"` + source.Tenant + `"`} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%q does not name %s", err, says)
			}
		}
		if diff := cmp.Diff(before, w.list("")); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
}

func TestPublishingThatFailsIsDoneByTheNextCommitOrClose(t *testing.T) {
	t.Parallel()
	for _, commits := range []int{1, 2} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		failed := false
		f := &faulty{Store: w.police, plan: fault{at: -1}, stop: func(what, _ string) bool {
			first := what == "complete" && !failed
			failed = failed || first
			return first
		}}
		wr, err := w.open(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for n := range commits {
			for id := range w.truth {
				w.truth[id] = n + 1
				if err := wr.Add(t.Context(), w.batch(id, n, n+1)); err != nil {
					t.Fatal(err)
				}
			}
			if r := w.mustCommit(wr); r.Seq != uint64(n+1) {
				t.Errorf("record %d, want %d", r.Seq, n+1)
			}
		}
		if !failed {
			t.Error("nothing failed")
		}
		w.mustClose(wr)
		w.checkClean()
	}
}

func TestWhatCannotBePublishedIsKeptForTheNextRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.half = false
	f := &faulty{Store: w.police, plan: fault{at: -1}, stop: func(what, _ string) bool { return what == "complete" }}
	wr, err := w.open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	w.addAll(wr)
	w.mustCommit(wr)
	if err := wr.Close(t.Context()); !errors.Is(err, errInjected) {
		t.Errorf("close: %v, want %v", err, errInjected)
	}
	if rows := w.visible(); len(rows) > 0 {
		t.Errorf("visible: %v", rows)
	}
	w.mustClose(w.mustOpen())
	w.checkClean()
}

func TestAFileIsRolledAtItsSizeAndItsKeyNamesTheDayItWasOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	o := w.options(w.police)
	o.TargetFileSize = 1
	stagings := 0
	hook := &putHook{Store: w.police, put: func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
		if strings.HasPrefix(key, jobKeys("j").stagings()) {
			stagings++
		}
		return next()
	}}
	o.Store = hook
	wr, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const batches = 5
	for id := range w.truth {
		for n := range batches {
			if n == batches-1 {
				w.now = w.now.Add(24 * time.Hour)
			}
			if err := wr.Add(t.Context(), w.batch(id, n, n+1)); err != nil {
				t.Fatal(err)
			}
		}
		w.truth[id] = batches
	}
	r := w.mustCommit(wr)
	if len(r.Files) != 2*batches {
		t.Errorf("%d files, want %d", len(r.Files), 2*batches)
	}
	if stagings != batches {
		t.Errorf("%d writes of the staging record for %d files, want %d", stagings, len(r.Files), batches)
	}
	days := map[string]int{}
	for _, f := range r.Files {
		days[strings.Split(f.Path, "/")[1]]++
	}
	if diff := cmp.Diff(map[string]int{"ingest_date=2026-11-22": 2 * (batches - 1), "ingest_date=2026-11-23": 2}, days); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	w.mustClose(wr)
	w.checkClean()
}
