package path

import (
	"runtime"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/config"
)

// limits are the allocations by row of what a run pulls beyond a smaller one,
// a fifth above what they were when they were set. They do not depend on the
// machine, nor on what a run does before its first user and after its last
// one. What a user costs is part of it: that is nearly all of what is left,
// most of all of contracts, of which a user has eight.
var limits = map[config.Stream]float64{
	config.StreamTransactions:   0.35,
	config.StreamCategorization: 0.2,
	config.StreamContracts:      27.5,
	config.StreamAccountHistory: 0.45,
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
		few, fewRows := mallocs(t, s, users)
		many, manyRows := mallocs(t, s, 2*users)
		got := float64(many-few) / float64(manyRows-fewRows)
		t.Logf("%s: %.2f allocations a row, limit %.2f", s.Name, got, limits[s.Name])
		if got > limits[s.Name] {
			t.Errorf("%s: %.2f allocations a row, want at most %.2f: find the new ones with BenchmarkProduct of ./rows and -memprofile, or raise the limit and say why",
				s.Name, got, limits[s.Name])
		}
	}
}

// mallocs returns how often a run of some users allocates, and its rows.
func mallocs(t *testing.T, s Stream, users int) (allocations uint64, rows int64) {
	t.Helper()
	b := Record(t, s, sandbox.Options{Seed: 1, Plain: true, Users: users})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rows = Product(t, b, t.TempDir())
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, rows
}
