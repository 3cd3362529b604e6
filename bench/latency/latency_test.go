package latency

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/bench/lake"
	"finoos-syncer/bench/world"
)

var measure = flag.Bool("latency", false, "measure, which takes a minute")

const answersAfter = 50 * time.Millisecond

func TestLatency(t *testing.T) { //nolint:paralleltest // a measurement
	if !*measure {
		t.Skip("a measurement: make bench-latency")
	}
	lake.Printf("| workers | users | possible, requests/s | a plain loop | the run | of possible | of the loop |")
	lake.Printf("|---|---|---|---|---|---|---|")
	for _, c := range []struct{ workers, users int }{{16, 1000}, {256, 16_000}} {
		api := newSlowAPI(t, c.users)
		possible := float64(c.workers) / answersAfter.Seconds()
		before := api.loop(t, c.workers, 5*time.Second)
		run := api.night(t, c.workers, c.users)
		plain := (before + api.loop(t, c.workers, 5*time.Second)) / 2 // around it: the machine may be busy
		lake.Printf("| %d | %d | %.0f | %.0f | %.0f | %.1f %% | %.1f %% |", c.workers, c.users, possible, plain, run, 100*run/possible, 100*run/plain)
	}
}

// slowAPI is a world behind real HTTP that takes its time, but for the list of
// users.
type slowAPI struct {
	*httptest.Server
	world *world.World
}

func newSlowAPI(t *testing.T, users int) *slowAPI {
	t.Helper()
	w := world.New(users, 0, 60)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/users" {
			<-time.After(answersAfter)
		}
		w.ServeHTTP(out, r)
	}))
	t.Cleanup(server.Close)
	return &slowAPI{Server: server, world: w}
}

// night is a quiet night, and returns the requests a second while users were
// pulled: four probes and the logins of each.
func (api *slowAPI) night(t *testing.T, workers, users int) float64 {
	t.Helper()
	l := lake.Lake{Dir: t.TempDir() + "/lake", API: api.URL}
	if err := l.Seed(t.Context(), api.world); err != nil {
		t.Fatal(err)
	}
	steps := lake.NewSteps()
	report, err := l.Night(t.Context(), nil, steps, fmt.Sprintf("concurrency: %d", workers))
	if err != nil || report.Users.Unchanged != int64(users) {
		t.Fatalf("%v, %+v", err, report)
	}
	return float64(5*users) / steps.Took()["pull users"].Seconds()
}

// loop is what workers get that do nothing but ask, in requests a second.
func (api *slowAPI) loop(t *testing.T, workers int, lasts time.Duration) float64 {
	t.Helper()
	client := http.Client{Transport: &http.Transport{MaxIdleConns: workers, MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var answers atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ask(ctx, &client, api.URL+"/users/"+world.ID(7)+"/banking/correlation") == nil {
				answers.Add(1)
			}
		})
	}
	all.Wait()
	return float64(answers.Load()) / lasts.Seconds()
}

func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	return err
}
