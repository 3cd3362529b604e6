package path

import (
	"runtime"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/config"
)

// limits are the allocations of a run by rows of its stream, a fifth above
// what they were when they were set. They do not depend on the machine. What a
// user and a run cost is part of it: that is nearly all of what is left, most
// of all of contracts, of which a user has eight.
var limits = map[config.Stream]float64{
	config.StreamTransactions:   0.72,
	config.StreamCategorization: 0.43,
	config.StreamContracts:      36,
	config.StreamAccountHistory: 0.6,
}

func TestCheckARowAllocatesNoMoreThanItDid(t *testing.T) { //nolint:paralleltest // what others allocate would count
	if raceEnabled {
		t.Skip("the race detector allocates, too: make bench-check goes without it")
	}
	for _, s := range Streams() {
		users := 40
		if s.Name == config.StreamContracts { // a user has a few only
			users = 200
		}
		b := Record(t, s, sandbox.Options{Seed: 1, Plain: true, Users: users})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rows := Product(t, b, t.TempDir())
		runtime.ReadMemStats(&after)
		got := float64(after.Mallocs-before.Mallocs) / float64(rows)
		t.Logf("%s: %.2f allocations a row, limit %.2f", s.Name, got, limits[s.Name])
		if got > limits[s.Name] {
			t.Errorf("%s: %.2f allocations a row, want at most %.2f: find the new ones with BenchmarkProduct of ./rows and -memprofile, or raise the limit and say why",
				s.Name, got, limits[s.Name])
		}
	}
}
