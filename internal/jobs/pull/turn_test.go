package pull

import "testing"

// Or pulls that are read again could wait for each other for ever.
func TestAPullThatIsReadAgainGivesItsTurnBack(t *testing.T) {
	t.Parallel()
	turns := NewTurns(1)
	res := &Result{turn: turn{of: turns}}
	for range 2 {
		if err := res.turn.beAlone(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := res.turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(turns.alone) != 1 || len(turns.free) != 0 {
			t.Error("it has no turn")
		}
		if res.Forget(); len(turns.alone) != 0 || len(turns.free) != 1 {
			t.Error("it still has its turn")
		}
	}
}
