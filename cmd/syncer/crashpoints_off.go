//go:build !crashpoints

package main

import "finoos-syncer/internal/jobs"

// arm does nothing: only a command that is built for the crash tests can be
// told to die at an operation of its store.
func (*app) arm(*jobs.RunOptions) error { return nil }
