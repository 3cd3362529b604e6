//go:build crashpoints

package jobs

import "time"

// The values of tuning.go, as variables.
var (
	lookEvery = time.Second
	leaseTTL  time.Duration
)

// Tuning makes short runs do what otherwise only long ones do. Zero leaves a
// value as it is.
type Tuning struct {
	Look  time.Duration // between two looks whether a commit is due
	Lease time.Duration // how long a lease lives
}

// Tune changes the values for this process, before its first run.
func Tune(t Tuning) {
	if t.Look > 0 {
		lookEvery = t.Look
	}
	if t.Lease > 0 {
		leaseTTL = t.Lease
	}
}
