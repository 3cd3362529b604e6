package sink

import (
	"bytes"
	"errors"
	"testing"

	"finoos-syncer/internal/sink/cursors"
)

func TestAReportIsReadAgainOrNotWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	for n := maxReport - 100; n <= maxReport; n += 10 {
		wr := w.mustOpen()
		wrote := wr.WriteReport(t.Context(), append(append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), n-8)...), `"}`...))
		_, err := ReadReport(t.Context(), w.store, w.job, wr.o.RunID)
		if wrote == nil && err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err := wr.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedReportIsNotBelieved(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	w := newWorld(t, store, cursors.Shard{Count: 1}, 1)
	w.mustRun()
	key := jobKeys(w.job).report("run001")
	body := bytes.Replace(store.objects[key].body, []byte("{"), []byte(`{"users":1,`), 1)
	store.set(key, body, "")
	if _, err := ReadReport(t.Context(), store, w.job, "run001"); !errors.Is(err, ErrForged) {
		t.Errorf("read alone: %v", err)
	}
	for body, err := range Reports(t.Context(), store, w.job, "") {
		if err != nil || body != nil {
			t.Errorf("read with others: %q, %v", body, err)
		}
	}
}
