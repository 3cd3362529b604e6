package sink

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// TestARunUsesTheseKeysInThisOrder is the layout of the bucket and the order
// of the protocol in one list: every write of a run with one commit.
func TestARunUsesTheseKeysInThisOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 1, Count: 4}, 2)
	w.half = false
	w.mustRun()
	w.night()
	f := &faulty{Store: w.police, plan: fault{at: -1}}
	if err := w.run(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	want := []string{"put _syncer/j/leases/1.json"}
	want = append(want, slices.Repeat([]string{"put _syncer/j/selftest/run002"}, 8+4+2)...) // two races, and what is to be refused
	want = append(want,
		"put _syncer/j/selftest/_run002", // is refused too
		"create _syncer/j/selftest/_run002",
		"create _syncer/j/selftest/_run002",
		"try part _syncer/j/selftest/_run002",
		"abort _syncer/j/selftest/_run002",
		"try complete _syncer/j/selftest/_run002",
		"delete _syncer/j/selftest/_run002",
		"delete _syncer/j/selftest/run002",
		"put _syncer/j/staging/run002-1.json",
		"create contracts/ingest_date=2026-11-23/run002-1-7.parquet",
		"part contracts/ingest_date=2026-11-23/run002-1-7.parquet",
		"create pulls/ingest_date=2026-11-23/run002-1-9.parquet",
		"part pulls/ingest_date=2026-11-23/run002-1-9.parquet",
		"put _syncer/j/cursors/run002-1-10.parquet",
		"put _syncer/j/log/00000000000000000002.json",
		"complete contracts/ingest_date=2026-11-23/run002-1-7.parquet",
		"complete pulls/ingest_date=2026-11-23/run002-1-9.parquet",
		"put _syncer/j/log/00000000000000000002.published",
		"put _syncer/j/state/place.json",
		"put _syncer/j/runs/run002.json",
		"delete _syncer/j/staging/run002-1.json",
		"put _syncer/j/leases/1.json",
		"delete _syncer/j/leases/1.json",
	)
	if diff := cmp.Diff(want, f.trace); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestTheRestOfTheKeys(t *testing.T) {
	t.Parallel()
	k := jobKeys("nightly")
	got := []string{
		k.checkpoint(7, 42), k.lease(0, "history"), PendingPrefix("nightly"), k.afterSeq(0), k.afterSeq(42),
		k.definition("history"), k.backfillLedger("history"), k.finished("history"), k.attempt("run002", 1, 7),
	}
	want := []string{
		"_syncer/nightly/checkpoints/007/00000000000000000042.parquet",
		"_syncer/nightly/leases/backfill-history.json",
		"_syncer/nightly/pending",
		"",
		"_syncer/nightly/log/00000000000000000042.published",
		"_syncer/nightly/backfills/history/definition.json",
		"_syncer/nightly/backfills/history/ledger.json",
		"_syncer/nightly/backfills/history/finished.json",
		"_syncer/nightly/attempts/run002-1-7.json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if b, seq, ok := k.parseCheckpoint(want[0]); b != 7 || seq != 42 || !ok {
		t.Errorf("checkpoint is taken apart as %d, %d, %v", b, seq, ok)
	}
	if run := k.attemptRun(want[8]); run != "run002" {
		t.Errorf("attempts are of run %q", run)
	}
	for _, key := range []string{"_syncer/nightly/log/7.json", "_syncer/other/log/" + seqText(7) + ".json", k.record(7) + "x", k.record(0)} {
		if seq, _, ok := k.parseLog(key); ok {
			t.Errorf("%s passes for record %d", key, seq)
		}
	}
}

func TestNamesThatWouldBreakKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a/b", "../x", ".hidden", "a b", "ä", strings.Repeat("x", 101)} {
		for _, o := range []Options{{Job: name, RunID: "run"}, {Job: "job", RunID: name}, {Job: "job", RunID: "run", Kind: KindBackfill, Backfill: name}} {
			if err := o.complete(); err == nil {
				t.Errorf("%q is accepted", name)
			}
		}
	}
}

func TestAQuietRunLeavesNothingButItsReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
	w.mustRun()
	before := w.list("")
	f := &faulty{Store: w.police, plan: fault{at: -1}}
	if err := w.run(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	for _, write := range f.trace {
		if !strings.Contains(write, "/leases/") && !strings.Contains(write, "/selftest/") && !strings.Contains(write, "/runs/") {
			t.Errorf("a quiet run did: %s", write)
		}
	}
	want := append(before, jobKeys("j").report("run002"))
	slices.Sort(want)
	if diff := cmp.Diff(want, w.list("")); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// TestACommitNeverCutsABatch adds batches from many sides, large ones as
// streams, while commits go on: what a record holds of a user is all or none.
func TestACommitNeverCutsABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 40)
	o := w.options(w.police)
	o.TargetFileSize = 4 << 10 // many files
	wr, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const versions = 50
	var adds []func()
	for id := range w.truth {
		w.truth[id] = versions
		adds = append(adds, func() {
			b := w.batch(id, 0, versions)
			rows := b.Rows
			b.Rows = nil
			b.Stream = func(yield func(table.Row) error) error {
				for _, r := range rows {
					runtime.Gosched()
					if err := yield(r); err != nil {
						return err
					}
				}
				return nil
			}
			if err := wr.Add(t.Context(), b); err != nil {
				t.Errorf("add: %v", err)
			}
		})
	}
	var mu sync.Mutex
	var records []*Record
	for range 8 {
		adds = append(adds, func() {
			r, err := wr.Commit(t.Context())
			if err != nil {
				t.Errorf("commit: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if records = append(records, r); r == nil {
				records = records[:len(records)-1]
			}
		})
	}
	group(adds...)
	if r, err := wr.Commit(t.Context()); err != nil {
		t.Fatal(err)
	} else if r != nil {
		records = append(records, r)
	}
	w.mustClose(wr)
	w.checkClean()
	for _, r := range records {
		rows := map[string]int{}
		for _, f := range r.Files {
			if f.Table == "contracts" {
				for _, row := range readColumns(t, w.store, f.Path, "user_id", "contract_id") {
					rows[row[0]]++
				}
			}
		}
		for id, n := range rows {
			if n != versions {
				t.Errorf("record %d has %d rows of %s, want %d", r.Seq, n, id, versions)
			}
		}
		if got := int(r.Cursors.Rows); got != len(rows) {
			t.Errorf("record %d has %d cursors for %d users", r.Seq, got, len(rows))
		}
	}
}
