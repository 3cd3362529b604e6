package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
)

// served is a `syncer serve` at work.
type served struct {
	*command
	url   string
	ended chan struct{}
}

// serve starts one. Its schedule is due every night at half past two: what is
// missed within two days is made up for at once.
func (b *bank) serve(t *testing.T, dir string) *served {
	t.Helper()
	s := settings{job: append(slices.Clone(slow.job), "catch_up: 48h")}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "jobs.yaml"), []byte(b.jobsYAML(folderURL(dir), s)), 0o600); err != nil {
		t.Fatal(err)
	}
	port, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := port.Addr().String()
	_ = port.Close()
	c := &served{command: start(t, folder, nil, "serve", "--listen", address), url: "http://" + address, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		_ = c.Wait()
	}()
	return c
}

// get is the body of a page, with its status before it; "" while there is none.
func (c *served) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

// shows waits until the metrics have a line.
func (c *served) shows(t *testing.T, line string) {
	t.Helper()
	await(c.ended, func() bool { return strings.Contains(c.get(t, "/metrics"), line) })
}

// stop tells it to, and waits for it.
func (c *served) stop(t *testing.T) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	<-c.ended
	if code := c.ProcessState.ExitCode(); code != 143 {
		t.Fatalf("exit code %d, want 143\n%s", code, &c.stderr)
	}
	t.Logf("%s", &c.stderr)
}

func TestARestartOfServeInTheMiddleOfARunLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{Users: 12, Today: daysBefore(nights), Faults: sandbox.Faults{Latency: 50 * time.Millisecond}})
	dir := t.TempDir()

	c := b.serve(t, dir)
	await(c.ended, func() bool { return len(glob(t, dir, stateDir+"/log/*.published")) > 0 })
	asked := len(b.Requests())
	await(c.ended, func() bool { return len(b.Requests()) > asked+12 }) // there is something to commit
	c.stop(t)
	if got := outcomesOf(t, dir); !slices.Equal(got, []string{"interrupted"}) {
		t.Fatalf("the first run was not stopped in the middle: %s", got)
	}

	c = b.serve(t, dir)
	c.shows(t, `syncer_runs_total{job_name="nightly",outcome="done"} 1`)
	for path, want := range map[string]string{
		"/healthz": "200 alive", "/readyz": "200 ready", "/debug/pprof/": "404",
		"/metrics": `syncer_requests_total{job_name="nightly",operation="contracts",status="200"}`,
	} {
		if got := c.get(t, path); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q", path, got, want)
		}
	}
	c.stop(t)

	c = b.serve(t, dir) // has nothing to make up for
	c.shows(t, `syncer_next_run_timestamp_seconds{job_name="nightly"}`)
	c.shows(t, `syncer_data_timestamp_seconds{job_name="nightly",share="1",stream="contracts"}`)
	c.stop(t)

	if got := outcomesOf(t, dir); !slices.Equal(got, []string{"interrupted", "done"}) {
		t.Errorf("the runs were %s", got)
	}
	checkLake(t, dir, b)
	l := openLake(t, dir)
	if n := l.count(t, `SELECT count(*) - count(DISTINCT (user_id, stream)) FROM pulls WHERE outcome = 'pulled'`); n > 0 {
		t.Errorf("%d streams of users were pulled twice", n)
	}
}

// outcomesOf are those of the runs of a lake, in their order.
func outcomesOf(t *testing.T, dir string) (outcomes []string) {
	t.Helper()
	for _, path := range glob(t, dir, stateDir+"/runs/*.json") {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var report struct {
			Outcome string `json:"outcome"`
		}
		if err := json.Unmarshal(body, &report); err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, report.Outcome)
	}
	return outcomes
}
