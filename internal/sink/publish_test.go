package sink

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// distant is a store that takes its time to make a file visible.
type distant struct{ bucket.Store }

func (s distant) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	return s.Store.CompleteUpload(ctx, up, parts)
}

func TestFilesBecomeVisibleSideBySideButThoseOfPullsLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), Shard{Count: 1}, 0)
		wr, err := w.open(t.Context(), distant{w.police})
		if err != nil {
			t.Fatal(err)
		}
		meta := Meta{Op: Upsert, ExtractedAt: w.now}
		rows := []Row{
			&Pull{UserID: "u", Stream: "contracts", Meta: meta}, &Contract{UserID: "u", ContractID: "c", Meta: meta},
			&Account{UserID: "u", AccountID: "a", Meta: meta}, &User{UserID: "u", Meta: meta},
			&BankLogin{UserID: "u", BankLoginID: "b", Meta: meta},
		}
		if err := wr.Add(t.Context(), Batch{Rows: rows}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if record := w.mustCommit(wr); len(record.Files) != len(rows) {
			t.Fatalf("%d files, want %d", len(record.Files), len(rows))
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("%s, want a second for %d files and one for that of pulls", took, len(rows)-1)
		}
		if err := wr.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}
