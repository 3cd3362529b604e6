package pull

import (
	"testing"

	"finoos-syncer/internal/sink/table"
)

func TestAPullsRowsAreEmptyMemoryForTheNext(t *testing.T) {
	t.Parallel()
	s := slabs{keeps: true}
	const rows = slabRows*slabsKept + 10 // more than are kept
	first := s.tags.next()
	made := append(s.rows, table.Row(first))
	first.Tag = "rent"
	for range rows - 1 {
		row := s.tags.next()
		row.Tag = "rent"
		made = append(made, row)
	}
	s.nothingSeen()[1] = 1
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

func TestAPullThatOutgrowsItsRowsLeavesNoneOfThemBehind(t *testing.T) {
	t.Parallel()
	s := slabs{keeps: true}
	made := make([]table.Row, 0, 8)
	s.clear(append(made, &table.Categorization{}, &table.Categorization{})[:1]) // the last tells of the pull
	if rows := s.rows[:2]; rows[0] != nil || rows[1] != nil {
		t.Errorf("%v are left of a small pull", rows)
	}
	first := s.rows
	first = append(first, &table.Categorization{})
	many := append(first, make([]table.Row, 4*slabRows*slabsKept)...)
	s.nothingSeen()[1] = 1
	for i := range uint64(4 * slabRows * slabsKept) {
		s.seen[i] = 1
	}
	s.clear(many)
	if row := s.rows[:1][0]; row != nil {
		t.Errorf("%v is left of a large pull", row)
	}
	if s.seen != nil {
		t.Errorf("room for %d keys is left of a large pull", len(s.seen))
	}
}

func TestFewSlabsWaitForAPullHoweverManyProcessors(t *testing.T) {
	t.Parallel()
	turns, kept := NewTurns(65), 0
	for range 65 {
		s := <-turns.free
		s.tags.next()
		s.clear([]table.Row{nil})
		kept += len(s.tags.kept)
	}
	if kept != keepers {
		t.Errorf("%d slabs keep memory, want %d", kept, keepers)
	}
}
