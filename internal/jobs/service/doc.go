// Package service keeps the schedules of all jobs of a jobs.yaml: syncer serve.
//
//	schedule (config) ──> keeper ──due──> jobs.Run ──> report in the bucket
//	                        ^                                  │
//	                        └── missed or stopped? (past.go) <─┘
//
// One goroutine per job (keeper) waits for the next scheduled time; a run is
// [jobs.Run], as the command line calls it, and the keeper never waits for
// anything but the next thing to happen. What was missed or stopped is told from
// the run reports in the bucket, so a restart needs no memory of its own.
//
// # What may fail
//
// A run that fails is logged and counted ([Watcher]), and does not end the
// service. A bucket that does not tell what ran makes a run owed: one too many
// asks for correlations, one too few costs a night. On a signal the runs at work
// stop after a clean commit; [Run] returns what they could not commit.
package service
