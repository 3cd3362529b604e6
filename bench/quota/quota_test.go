package quota

import (
	"context"
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
)

var (
	measure = flag.Bool("quota", false, "measure, which takes eight minutes")
	nights  = flag.Bool("nights", false, "measure short runs and second nights alone, which takes three")
)

const (
	warmUp  = 10 * time.Second // not counted
	workers = 16               // of a shard
	latency = 20 * time.Millisecond
)

// scenario is one hidden limit and those who meet it.
type scenario struct {
	limit   float64 // requests/s
	depth   float64 // of the bucket, in seconds' worth
	shards  int
	header  bool // Retry-After
	changes bool // halves after a third of the time, doubles after two
	plain   bool // no pacing: every worker tries again by itself
	lasts   time.Duration
}

func (s scenario) String() string {
	how := "paced"
	if s.plain {
		how = "plain"
	}
	limit := fmt.Sprintf("%g", s.limit)
	if s.changes {
		limit = fmt.Sprintf("%g, %g, %g", s.limit, s.limit/2, s.limit)
	}
	header := "yes"
	if !s.header {
		header = "no"
	}
	return fmt.Sprintf("| %s | %g s | %s | %d | %s |", limit, s.depth, header, s.shards, how)
}

// limitAt is the limit so long after the start.
func (s scenario) limitAt(d time.Duration) float64 {
	if s.changes && d >= s.lasts/3 && d < 2*s.lasts/3 {
		return s.limit / 2
	}
	return s.limit
}

func (s scenario) faults(d time.Duration) sandbox.Faults {
	f := sandbox.Faults{RateLimit: s.limitAt(d), Latency: latency, RetryAfter: sandbox.RetrySeconds}
	f.Burst = int(math.Max(1, f.RateLimit*s.depth))
	if !s.header {
		f.RetryAfter = sandbox.RetryNone
	}
	return f
}

// groups are run one after the other, the scenarios of a group at once: those
// of a group must be light enough to leave the machine idle time. The plain
// ones are not, and need no time to settle.
func groups() [][]scenario {
	var light, one, four, plain, heavy []scenario
	for _, header := range []bool{true, false} {
		for _, shards := range []int{1, 4} {
			for _, limit := range []float64{5, 50} {
				s := scenario{limit: limit, depth: 1, shards: shards, header: header, lasts: 110 * time.Second}
				light = append(light, s)
				s.plain, s.lasts = true, 20*time.Second
				plain = append(plain, s)
			}
		}
		s := scenario{limit: 500, depth: 1, shards: 1, header: header, lasts: 40 * time.Second}
		one = append(one, s)
		s.shards = 4
		four = append(four, s)
		s.lasts, s.plain = 20*time.Second, true
		heavy = append(heavy, s)
	}
	for _, shards := range []int{1, 4} {
		light = append(light,
			scenario{limit: 50, depth: 0.2, shards: shards, header: true, lasts: 110 * time.Second},
			scenario{limit: 40, depth: 1, shards: shards, header: true, changes: true, lasts: 150 * time.Second})
	}
	return [][]scenario{light, one, four, plain, heavy}
}

func TestQuota(t *testing.T) {
	if !*measure && !*nights {
		t.Skip("run make bench-quota")
	}
	t.Parallel()
	out := os.Stdout
	_, _ = fmt.Fprintln(out, nightsHead)
	runs := shortRuns()
	for _, line := range atOnce(len(runs), func(i int) string { return runs[i].run(t) }) {
		_, _ = fmt.Fprintln(out, line)
	}
	if *nights {
		return
	}
	_, _ = fmt.Fprintln(out)
	_, _ = fmt.Fprintln(out, "| limit, requests/s | depth | Retry-After | shards | client | used % | refused % | later % | least share | most |")
	_, _ = fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|")
	for _, group := range groups() {
		for _, line := range atOnce(len(group), func(i int) string { return group[i].run(t) }) {
			_, _ = fmt.Fprintln(out, line)
		}
	}
}

// atOnce measures n things beside each other.
func atOnce(n int, run func(i int) string) []string {
	lines := make([]string, n)
	var all sync.WaitGroup
	for i := range lines {
		all.Go(func() { lines[i] = run(i) })
	}
	all.Wait()
	return lines
}

// run measures a scenario and returns its line.
func (s scenario) run(t *testing.T) string {
	t.Helper()
	api, err := sandbox.New(sandbox.Options{Users: 50, Seed: 1, Faults: s.faults(0), NoHistory: true, CacheUsers: 60})
	if err != nil {
		t.Error(err)
		return ""
	}
	server := httptest.NewServer(api)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), s.lasts)
	defer cancel()
	for third := 1; s.changes && third < 3; third++ {
		at := s.lasts * time.Duration(third) / 3
		defer time.AfterFunc(at, func() {
			if err := api.SetFaults(s.faults(at)); err != nil {
				t.Error(err)
			}
		}).Stop()
	}
	begun := time.Now()
	counts := make([]counter, s.shards)
	var all sync.WaitGroup
	for i := range counts {
		counts[i].begun, counts[i].lasts = begun, s.lasts
		counts[i].next = &http.Transport{MaxIdleConnsPerHost: workers}
		var shared *finoos.Client
		for n := range workers {
			if shared == nil || s.plain {
				shared = s.client(t, server.URL, &counts[i])
			}
			client := shared
			all.Go(func() { ask(ctx, client, n) })
		}
	}
	all.Wait()
	return s.line(counts)
}

func (s scenario) client(t *testing.T, url string, c *counter) *finoos.Client {
	t.Helper()
	cfg := finoos.Config{
		BaseURL: url, ClientID: "sandbox", ClientSecret: "sandbox", Transport: c,
		RequestsPerSecond: 1000, Shards: s.shards, RetryMaxElapsed: time.Hour,
	}
	if s.plain {
		cfg.RequestsPerSecond = 0
	}
	client, err := finoos.New(cfg)
	if err != nil {
		t.Error(err)
	}
	return client
}

// ask reads, as fast as it is let, until ctx ends.
func ask(ctx context.Context, c *finoos.Client, worker int) {
	for n := worker; ctx.Err() == nil; n++ {
		// Nobody has this id: a 404 costs the simulator nothing, and the
		// client as much as any answer.
		_, _ = c.Correlation(ctx, fmt.Sprintf("user-%d", n), finoos.Banking)
	}
}

// counter counts the answers of a shard after the warm-up.
type counter struct {
	next  http.RoundTripper
	begun time.Time
	lasts time.Duration

	mu              sync.Mutex
	served, refused int
	late            [2]int // served and refused in the last half
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	since := time.Since(c.begun)
	if err != nil || since < warmUp || since > c.lasts {
		return resp, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	late := since > c.lasts/2
	if resp.StatusCode == http.StatusTooManyRequests {
		c.refused++
		if late {
			c.late[1]++
		}
	} else {
		c.served++
		if late {
			c.late[0]++
		}
	}
	return resp, nil
}

func (s scenario) line(counts []counter) string {
	var served, refused int
	var late [2]int
	least, most := math.MaxInt, 0
	for i := range counts {
		served += counts[i].served
		refused += counts[i].refused
		late[0] += counts[i].late[0]
		late[1] += counts[i].late[1]
		least, most = min(least, counts[i].served), max(most, counts[i].served)
	}
	allowed := 0.0
	for d := warmUp; d < s.lasts; d += time.Second {
		allowed += s.limitAt(d)
	}
	mean := float64(served) / float64(len(counts))
	return fmt.Sprintf("%s %.1f | %.2f | %.2f | %.2f | %.2f |", s, 100*float64(served)/allowed,
		percent(refused, served+refused), percent(late[1], late[0]+late[1]), float64(least)/mean, float64(most)/mean)
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(whole, 1)) }
