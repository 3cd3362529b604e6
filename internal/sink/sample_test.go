package sink

import (
	"math/rand/v2"
	"testing"
)

// sample says which of many cases of one kind a test goes through: all of them,
// but only every nth with the race detector, which makes each ten times dearer
// and sees in one what it sees in all, or in a short run. make test does both.
func sample(n int) (first, step int) {
	if raceEnabled || testing.Short() {
		return rand.IntN(n), n
	}
	return 0, 1
}
