package night

import (
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"finoos-syncer/bench/lake"
	"finoos-syncer/bench/world"
)

// The limits of a quiet night of a job with the streams users and accounts: what
// one more user costs. They do not depend on the machine. A map that holds the id
// of every user takes some forty bytes of each and more.
const (
	mostHeapPerUser   = 24  // bytes that are in use
	mostAllocsPerUser = 113 // of one probe, the cursors, and the user's place in the list
)

// Both are beyond the number of users from which the list is kept on the disk,
// so that memory has to be flat between them.
const (
	checkFewer = 45_000
	checkMore  = 85_000
)

func TestCheckOneMoreQuietUserCostsNextToNoMemory(t *testing.T) { //nolint:paralleltest // it looks at the memory of the process
	fewer, more := quietNight(t, checkFewer), quietNight(t, checkMore)
	perUser := func(more, fewer int64) float64 { return float64(more-fewer) / (checkMore - checkFewer) }
	heap, allocs := perUser(more.heap, fewer.heap), perUser(more.allocs, fewer.allocs)
	t.Logf("one more user: %.1f bytes in use, %.1f allocations; %d users: %d KiB in use", heap, allocs, checkMore, more.heap>>10)
	if heap > mostHeapPerUser {
		t.Errorf("one more user takes %.1f bytes of memory, at most %d are allowed: something holds every user (%d KiB in use with %d users, %d KiB with %d)",
			heap, mostHeapPerUser, fewer.heap>>10, checkFewer, more.heap>>10, checkMore)
	}
	if allocs > mostAllocsPerUser {
		t.Errorf("one more quiet user costs %.1f allocations, at most %d are allowed", allocs, mostAllocsPerUser)
	}
}

// quiet is what a night took.
type quiet struct{ heap, allocs int64 }

func quietNight(t *testing.T, users int) quiet {
	t.Helper()
	w := world.New(users, 0, 5)
	l := lake.Lake{Dir: t.TempDir() + "/lake", Streams: "users, accounts"}
	if err := l.Seed(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	looks := &looking{World: w, every: int64(users / 8)}
	before := allocations()
	// One worker: nobody else allocates while it looks at the memory.
	report, err := l.Night(t.Context(), looks, nil, "concurrency: 1")
	if err != nil || report.Users.Unchanged != int64(users) {
		t.Fatalf("%v, %+v", err, report)
	}
	return quiet{heap: looks.most.Load(), allocs: allocations() - before}
}

func allocations() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Mallocs)
}

// looking is a world that looks now and then at what is in use.
type looking struct {
	*world.World
	every        int64
	probes, most atomic.Int64
}

func (l *looking) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/correlation") && l.probes.Add(1)%l.every == l.every/2 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		l.most.Store(max(l.most.Load(), int64(m.HeapAlloc)))
	}
	return l.World.RoundTrip(r)
}
