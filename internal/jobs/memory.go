package jobs

import (
	"math"
	"runtime/debug"

	"finoos-syncer/internal/jobs/config"
)

// What a run may take by default, and what configuration adds to it: a night of
// docs/design.md, "Budgets", with 16 workers and 32 MiB of pulls in flight, stays below 100 MiB
// resident, of which some 25 MiB are the program itself.
const (
	memoryOfRun    = 68 << 20
	usualInflight  = 32 << 20
	usualWorkers   = 16
	memoryOfWorker = 256 << 10
)

// BoundMemory tells the garbage collector to keep the process small, by a limit
// that is soft: where the jobs need more they get it, for processor time. It
// does nothing where the caller's environment has set a limit (GOMEMLIMIT).
//
// Without it the collector lets the heap grow to twice of what is in use, and
// what is in use in a first night is most of what a run may take.
func BoundMemory(jobs ...*config.Job) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	var limit int64
	for _, job := range jobs {
		if job == nil {
			continue // an unknown name, which the run will tell
		}
		limit += memoryOfRun + max(0, job.MaxInflightBytes-usualInflight) +
			int64(max(0, job.Concurrency-usualWorkers))*memoryOfWorker
	}
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}
