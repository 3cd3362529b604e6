package sink

import (
	"errors"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
	"finoos-syncer/internal/sink/cursors"
)

// TestARunRefusesAServerThatLies puts a liar in front of a real server: the
// run does not begin, says in one line what the store does wrong and what to
// do, and leaves the store as it was.
func TestARunRefusesAServerThatLies(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, lie := range s3test.Lies() {
		t.Run(string(lie), func(t *testing.T) {
			t.Parallel()
			liar := server.Liar(t, lie)
			store := openS3(t, liar, liar.URL)
			wr, err := Open(t.Context(), Options{Store: store, Job: "j", RunID: "run", patience: impatient})
			if !errors.Is(err, ErrLyingStore) {
				t.Fatalf("open: %v, %v; want %v", wr, err, ErrLyingStore)
			}
			text := err.Error()
			if strings.Contains(text, "\n") || !strings.Contains(text, "use a store") || !strings.Contains(text, store.String()) {
				t.Errorf("it says: %s", text)
			}
			if objects, uploads := server.Contents(t, liar.URL); len(objects)+len(uploads) > 0 {
				t.Errorf("left behind: objects %q, uploads %q", objects, uploads)
			}
		})
	}
}

// TestTheLiarTellsTheTruthOtherwise makes sure that what the test above sees is
// the lie, and that what it looks for would be seen.
func TestTheLiarTellsTheTruthOtherwise(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	honest := server.Liar(t, "")
	store := openS3(t, honest, honest.URL)
	w := newWorld(t, store, cursors.Shard{Count: 1}, 2)
	w.mustRun()
	w.checkClean()
	if v := w.verify(); v.ProblemCount+v.NoteCount > 0 || v.Tables["contracts"].Rows != 2 {
		t.Errorf("verified: %+v", v)
	}
	if _, err := store.CreateUpload(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "c", []byte("x"), bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
	if objects, uploads := server.Contents(t, honest.URL); len(objects) < 2 || len(uploads) != 1 {
		t.Errorf("objects %q, uploads %q", objects, uploads)
	}
}
