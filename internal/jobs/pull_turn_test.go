package jobs

import "testing"

// Or pulls that are read again could wait for each other for ever.
func TestAPullThatIsReadAgainGivesItsTurnBack(t *testing.T) {
	t.Parallel()
	res := &result{alone: make(chan struct{}, 1), turns: turnsOf(1)}
	for range 2 {
		if err := res.runAlone(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := res.takeTurn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(res.alone) != 1 || len(res.turns) != 0 {
			t.Error("it has no turn")
		}
		if res.forget(); len(res.alone) != 0 || len(res.turns) != 1 {
			t.Error("it still has its turn")
		}
	}
}
