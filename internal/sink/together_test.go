package sink

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// Row groups are pruned by user only where a user's rows lie together.
func TestRowsOfABatchLieTogetherWhoeverElseWrites(t *testing.T) {
	t.Parallel()
	const users, rows = 8, 500
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 0)
	wr := w.mustOpen()
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	var all sync.WaitGroup
	for u := range users {
		batch := make([]table.Row, rows)
		for i := range batch {
			batch[i] = &table.Categorization{
				UserID: fmt.Sprint("user", u), TransactionID: fmt.Sprint("t", i), Tag: "x",
				Meta: table.Meta{Op: table.Upsert, Pull: table.Full, ExtractedAt: at},
			}
		}
		all.Go(func() {
			if err := wr.Add(t.Context(), Batch{Rows: batch}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	record := w.mustCommit(wr)
	w.mustClose(wr)
	changes, last := 0, ""
	for _, row := range readColumns(t, w.store, record.Files[0].Path, "user_id") {
		if row[0] != last {
			changes, last = changes+1, row[0]
		}
	}
	if changes != users {
		t.Errorf("the user changes %d times in the file, want %d", changes, users)
	}
}
