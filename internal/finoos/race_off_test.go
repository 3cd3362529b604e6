//go:build !race

package finoos

const underRace = false
