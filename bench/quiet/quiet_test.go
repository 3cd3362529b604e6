package quiet

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"finoos-syncer/bench/lake"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/report"
)

var measure = flag.Bool("quiet", false, "measure, which takes minutes")

const nights = 14

// users are so many, of whom sample are held against the truth, row by row. Without the
// flag they are fewer: enough to see that the measurement works and its promise holds.
var users, sample = 600, 60

// way is one of asking whether a user has anything new.
type way struct {
	name  string
	lines []string
}

var ways = []way{
	{"`each`, `bank_logins: each`", []string{"probe: each", "bank_logins: each"}},
	{"`banking`", []string{"probe: banking"}},
	{"`one`", []string{"probe: one"}},
}

// most are the requests a user and night that the contract allows under `one`.
var most = []struct{ analysed, requests float64 }{{0.0213, 1.65}, {0.2, 3.5}}

func TestQuiet(t *testing.T) { //nolint:paralleltest // a measurement
	shares, asked := most[:1], ways[2:]
	if *measure {
		users, sample, shares, asked = 10_000, 500, most, ways
	}
	first := t.TempDir() + "/lake"
	b := newBank(t, first, 0)
	b.night(ways[2].lines...)
	lake.Printf("| changed a night | `probe` | correlations | logins | data | list | requests a user and night | hours | not the truth | two weeks later |")
	lake.Printf("|---|---|---|---|---|---|---|---|---|---|")
	for _, m := range shares {
		for _, w := range asked {
			if got := w.run(t, first, m.analysed); strings.Contains(w.name, "one") && got > m.requests {
				t.Errorf("%s: %.2f requests a user and night, want %.2f at most", w.name, got, m.requests)
			}
		}
	}
}

// run measures fourteen nights after the first, and prints a line.
func (w way) run(t *testing.T, first string, analysed float64) float64 {
	t.Helper()
	dir := t.TempDir() + "/lake"
	if err := os.CopyFS(dir, os.DirFS(first)); err != nil {
		t.Fatal(err)
	}
	b := newBank(t, dir, analysed)
	var c count
	changed := 0
	for range nights {
		b.Night()
		c.add(b.night(w.lines...))
		changed += b.changed()
	}
	now := behind(t, dir, b.Sandbox, some(b.Sandbox, sample))
	for range 2 { // what is due by days is due whatever nights there are
		b.quiet += 7 * 24 * time.Hour
		b.night(w.lines...)
	}
	later := behind(t, dir, b.Sandbox, some(b.Sandbox, sample))
	if later > 0 {
		t.Errorf("%s: two weeks later the lake is not the truth of %d of %d users", w.name, later, sample)
	}
	each := func(n int64) float64 { return float64(n) / float64(users*nights) }
	all := each(c.all)
	lake.Printf("| %.1f %% | %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f | %.1f %% | %d |", 100*float64(changed)/float64(users*nights), w.name,
		each(c.correlations), each(c.logins), each(c.all-c.correlations-c.logins-c.list), each(c.list), all, all*1e6/20/3600,
		100*float64(now)/float64(sample), later)
	return all
}

// count is what was asked for.
type count struct{ all, correlations, logins, list int64 }

func (c *count) add(rep *report.Report) {
	c.all += rep.Requests
	for name, n := range rep.RequestsByOperation {
		switch {
		case strings.HasPrefix(name, "correlation"):
			c.correlations += n
		case strings.HasSuffix(name, "logins"):
			c.logins += n
		case name == "users":
			c.list += n
		}
	}
}

// bank is the simulator, and a lake that is filled from it.
type bank struct {
	*sandbox.Sandbox
	t     *testing.T
	lake  lake.Lake
	quiet time.Duration // since the simulator's day, on which nothing happens
}

func newBank(t *testing.T, dir string, analysed float64) *bank {
	t.Helper()
	api, err := sandbox.New(sandbox.Options{
		Users: users, Seed: 20261119, Past: 60, NoHistory: true, CacheUsers: 300,
		Nightly: sandbox.Odds{Analysed: analysed, Gone: -1, Joined: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{Sandbox: api, t: t, lake: lake.Lake{Dir: dir}}
	b.lake.Now = func() time.Time { return b.Now().Add(b.quiet) }
	return b
}

func (b *bank) night(lines ...string) *report.Report {
	b.t.Helper()
	rep, err := b.lake.Night(b.t.Context(), b.Transport(), nil, lines...)
	if err != nil {
		b.t.Fatal(err)
	}
	return rep
}

// changed is how many users the last night has analysed anew.
func (b *bank) changed() (n int) {
	for i := range users {
		if b.Activity(b.UserID(i)).Analysed {
			n++
		}
	}
	return n
}
