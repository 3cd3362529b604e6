//go:build race

package config

// raceEnabled lets costly tests do with less under the race detector.
const raceEnabled = true
