//go:build crashpoints

package sink

// checkpointEvery is that of tuning.go, as a variable.
var checkpointEvery = 16

// Tune changes after how many commits a checkpoint is written, before the first
// run of this process.
func Tune(every int) { checkpointEvery = every }
