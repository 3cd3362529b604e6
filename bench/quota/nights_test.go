package quota

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
)

// shortRun are two nights of a job with few users: the second begins at what the first
// has found.
type shortRun struct {
	limit  float64 // requests/s
	depth  float64 // of the bucket, in seconds' worth
	shards int
	header bool
	factor float64 // of the limit in the second night
	lasts  time.Duration
}

// shortRuns are of some sixty users and of some three hundred, at a limit of 40.
func shortRuns() []shortRun {
	var all []shortRun
	for _, lasts := range []time.Duration{20 * time.Second, 84 * time.Second} {
		for _, shards := range []int{1, 4} {
			all = append(all,
				shortRun{limit: 40, depth: 0.2, shards: shards, header: true, factor: 1, lasts: lasts},
				shortRun{limit: 40, depth: 0.2, shards: shards, factor: 1, lasts: lasts},
				shortRun{limit: 40, depth: 1, shards: shards, header: true, factor: 1, lasts: lasts})
		}
	}
	for _, factor := range []float64{0.5, 2} {
		all = append(all, shortRun{limit: 40, depth: 0.2, shards: 1, header: true, factor: factor, lasts: 84 * time.Second})
	}
	return all
}

const nightsHead = "| limit, requests/s | depth | Retry-After | shards | seconds | night | used % | from the tenth second % | refused % | refused |\n|---|---|---|---|---|---|---|---|---|---|"

// run measures both nights, and returns their lines.
func (s shortRun) run(t *testing.T) string {
	t.Helper()
	known, first := s.night(t, s.limit, 1, finoos.KnownLimit{})
	_, second := s.night(t, s.limit*s.factor, 2, known)
	return first + "\n" + second
}

// night is one of them. It returns what the shards have found together.
func (s shortRun) night(t *testing.T, limit float64, night int, known finoos.KnownLimit) (found finoos.KnownLimit, line string) {
	t.Helper()
	as := scenario{limit: limit, depth: s.depth, shards: s.shards, header: s.header, lasts: s.lasts}
	api, err := sandbox.New(sandbox.Options{Users: 50, Seed: 1, Faults: as.faults(0), NoHistory: true, CacheUsers: 60})
	if err != nil {
		t.Error(err)
		return found, ""
	}
	server := httptest.NewServer(api)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), s.lasts)
	defer cancel()
	begun := time.Now()
	counts := make([]bySecond, s.shards)
	clients := make([]*finoos.Client, s.shards)
	var all sync.WaitGroup
	for i := range clients {
		counts[i].begun, counts[i].next = begun, &http.Transport{MaxIdleConnsPerHost: workers}
		clients[i], err = finoos.New(finoos.Config{
			BaseURL: server.URL, ClientID: "sandbox", ClientSecret: "sandbox", Transport: &counts[i],
			RequestsPerSecond: 1000, Shards: s.shards, RetryMaxElapsed: time.Hour,
		})
		if err != nil {
			t.Error(err)
			return found, ""
		}
		clients[i].BeginAt(known.Share(s.shards))
		for n := range workers {
			all.Go(func() { ask(ctx, clients[i], n) })
		}
	}
	all.Wait()
	for _, c := range clients {
		k, _, ok := c.FoundLimit()
		if !ok {
			t.Logf("%+v: a shard has found no limit that is worth keeping", s)
		}
		found.Limit, found.Burst, found.Pause = found.Limit+k.Limit, found.Burst+k.Burst, max(found.Pause, k.Pause)
	}
	served, refused := 0, 0
	late := 0
	for i := range counts {
		for second, n := range counts[i].served {
			served += n
			if second >= 10 {
				late += n
			}
		}
		refused += counts[i].refused
	}
	header := "yes"
	if !s.header {
		header = "no"
	}
	secs := s.lasts.Seconds()
	return found, fmt.Sprintf("| %g | %g s | %s | %d | %g | %d | %.1f | %.1f | %.2f | %d |", limit, s.depth, header, s.shards, secs, night,
		100*float64(served)/limit/secs, 100*float64(late)/limit/(secs-10), percent(refused, served+refused), refused)
}

// bySecond counts the answers of a shard from the first second on.
type bySecond struct {
	next  http.RoundTripper
	begun time.Time

	mu      sync.Mutex
	served  [200]int
	refused int
}

func (c *bySecond) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if resp.StatusCode == http.StatusTooManyRequests {
		c.refused++
	} else {
		c.served[min(int(time.Since(c.begun)/time.Second), len(c.served)-1)]++
	}
	return resp, nil
}
