//go:build !crashpoints

package jobs

import "time"

// What the crash tests make shorter, in a build of their own.
const (
	// lookEvery is how often a run asks itself whether a commit is due.
	lookEvery = time.Second
	// leaseTTL is how long a lease lives without being renewed; 0 leaves it
	// to the sink.
	leaseTTL time.Duration = 0
)
