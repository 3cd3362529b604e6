package jobs

import (
	"testing"

	"finoos-syncer/internal/sink"
)

func TestAPullsRowsAreEmptyMemoryForTheNext(t *testing.T) {
	t.Parallel()
	var s slabs
	const rows = slabRows*slabsKept + 10 // more than are kept
	first := s.tags.next()
	made := append(s.rows, sink.Row(first))
	first.Tag = "rent"
	for range rows - 1 {
		row := s.tags.next()
		row.Tag = "rent"
		made = append(made, row)
	}
	s.nothingSeen()[1] = struct{}{}
	s.clear(made)
	if len(s.rows) != 0 || cap(s.rows) < rows || s.rows[:1][0] != nil {
		t.Errorf("room for %d rows with %d of them, want it empty", cap(s.rows), len(s.rows))
	}
	if again := s.tags.next(); again != first || again.Tag != "" {
		t.Errorf("the next row is %p (%q), want the first one, %p, empty", again, again.Tag, first)
	}
	if n := len(s.tags.kept); n != slabsKept {
		t.Errorf("%d slabs are kept, want %d", n, slabsKept)
	}
	if n := len(s.nothingSeen()); n != 0 {
		t.Errorf("%d keys are seen already", n)
	}
}
