//go:build race

package sandbox

// underRace leaves out what is many times slower under the race detector and
// shows nothing new to it.
const underRace = true
