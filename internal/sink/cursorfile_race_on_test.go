//go:build race

package sink

const underRace = true
