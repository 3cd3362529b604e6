//go:build race

package jobs

// raceEnabled lets costly tests do with less under the race detector.
const raceEnabled = true
