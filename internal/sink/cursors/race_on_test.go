//go:build race

package cursors

const underRace = true
