package night

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"finoos-syncer/bench/lake"
	"finoos-syncer/bench/world"
)

var (
	measure  = flag.Bool("night", false, "measure, which takes minutes")
	most     = flag.Int("users", 1_000_000, "the largest number of users to measure")
	profiles = flag.String("profiles", "", "a folder for profiles of processor and allocations")
)

// TestNight measures quiet nights, and nights of which 2 % of the users have
// changed.
func TestNight(t *testing.T) { //nolint:paralleltest // a measurement
	if !*measure {
		t.Skip("a measurement: make bench-night")
	}
	lake.Printf("The API itself takes %.1f µs a request.\n", apiCost(t))
	lake.Printf("| users | changed | users/s | CPU a user | start-up | requests | cursors | read | written | in use | resident |")
	lake.Printf("|---|---|---|---|---|---|---|---|---|---|---|")
	for users := 10_000; users <= *most; users *= 10 {
		dir := t.TempDir() + "/lake"
		k := task{Seed: true, Dir: dir, Users: users, Profiles: *profiles}
		if _, err := k.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		cursors := size(t, lake.Lake{Dir: dir})
		k.Seed = false
		for _, changed := range []int{0, lake.MostChanged} {
			k.Changed = changed
			f, err := k.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f.print(k, cursors)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFirstNight measures nights that read everything.
func TestFirstNight(t *testing.T) { //nolint:paralleltest // a measurement
	if !*measure {
		t.Skip("a measurement: make bench-night")
	}
	lake.Printf("\n| users | days | users/s | CPU a user | rows | written | in use | resident |")
	lake.Printf("|---|---|---|---|---|---|---|---|")
	for _, k := range []task{{Users: 500, Days: 730}, {Users: 1500, Days: 730}, {Users: 20_000, Days: 30}} {
		k.Dir, k.Profiles = t.TempDir()+"/lake", *profiles
		f, err := k.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var rows int64
		for _, table := range f.Report.Tables {
			rows += table.Rows
		}
		lake.Printf("| %d | %d | %.0f | %s | %d | %s | %s | %s |", k.Users, k.Days, float64(k.Users)/f.Steps["pull users"].Seconds(),
			f.cpuOf(k.Users), rows, mib(f.Written), mib(f.Heap), mib(f.Resident))
	}
}

func (f found) print(k task, cursors int64) {
	pulling := f.Steps["pull users"]
	lake.Printf("| %d | %g %% | %.0f | %s | %.1f s | %d | %s | %s | %s | %s | %s |", k.Users, float64(k.Changed)/10,
		float64(k.Users)/pulling.Seconds(), f.cpuOf(k.Users), (f.Took - pulling).Seconds(), f.Report.Requests,
		mib(cursors), mib(f.Read), mib(f.Written), mib(f.Heap), mib(f.Resident))
}

func (f found) cpuOf(users int) string {
	return fmt.Sprintf("%d µs", f.CPU.Microseconds()/int64(users))
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// apiCost is what a request costs that the world answers, in microseconds.
func apiCost(t *testing.T) float64 {
	t.Helper()
	const requests = 200_000
	w := world.New(1000, 0, 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://world.invalid/users/"+world.ID(7)+"/banking/correlation", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range requests {
		if resp, err := w.RoundTrip(req); err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
	}
	return float64(time.Since(began).Nanoseconds()) / requests / 1000
}

// size is what the checkpoints of a lake hold or, where there are none, the
// cursor objects.
func size(t *testing.T, l lake.Lake) int64 {
	t.Helper()
	store, err := l.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"checkpoints/", "cursors/"} {
		var n int64
		for info, err := range store.List(t.Context(), "_syncer/"+lake.Job+"/"+what, "") {
			if err != nil {
				t.Fatal(err)
			}
			n += info.Size
		}
		if n > 0 {
			return n
		}
	}
	return 0
}
