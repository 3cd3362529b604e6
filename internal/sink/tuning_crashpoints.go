//go:build crashpoints

package sink

import "finoos-syncer/internal/sink/bucket"

// The values of tuning.go, as variables.
var (
	checkpointEvery = 16
	firstPart       = bucket.MinPart
)

// Tuning makes runs take steps that otherwise only large ones take. Zero leaves
// a value as it is.
type Tuning struct {
	CheckpointEvery int
	Part            int // bytes; a store may refuse to complete an upload of small ones
}

// Tune changes the values for this process, before its first run.
func Tune(t Tuning) {
	if t.CheckpointEvery > 0 {
		checkpointEvery = t.CheckpointEvery
	}
	if t.Part > 0 {
		firstPart = t.Part
	}
}
