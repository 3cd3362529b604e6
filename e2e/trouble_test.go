package e2e

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// heardOut is what a process says, readable while it is at work.
type heardOut struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heardOut) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *heardOut) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// watchedRun is a run whose words are read while it is at work.
type watchedRun struct {
	*command
	said  *heardOut
	ended chan struct{}
}

// mortalAPI is an API in a process of its own, at one address for all its lives.
type mortalAPI struct {
	address string
	at      *watchedRun
}

func newMortalAPI(t *testing.T, users, faults string) *mortalAPI {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &mortalAPI{address: l.Addr().String()}
	_ = l.Close() // the process takes it
	a.live(t, users, faults)
	return a
}

// live begins a life, and returns when somebody listens.
func (a *mortalAPI) live(t *testing.T, users, faults string) {
	t.Helper()
	a.at = watchRun(t, t.TempDir(), nil, "sandbox", "--addr", a.address, "--users", users, "--faults", faults)
	await(a.at.ended, func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", a.address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

func (a *mortalAPI) die() {
	_ = a.at.Process.Kill()
	<-a.at.ended
}

// jobs writes a configuration for runs over this API, and returns its folder.
func (a *mortalAPI) jobs(t *testing.T, lines string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := "finoos: {base_url: \"http://" + a.address + "\", client_id: sandbox, client_secret: sandbox, retry: {max_elapsed: 1m}}\n" +
		"sink: {url: \"file://./lake\"}\njobs:\n  nightly:\n    sync: {when: never}\n" + lines
	if err := os.WriteFile(filepath.Join(dir, "jobs.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func watchRun(t *testing.T, dir string, env []string, args ...string) *watchedRun {
	t.Helper()
	r := &watchedRun{said: &heardOut{}, ended: make(chan struct{})}
	r.command = startSaying(t, dir, env, r.said, args...)
	go func() {
		defer close(r.ended)
		_ = r.Wait()
	}()
	t.Cleanup(func() {
		_ = r.Process.Kill()
		<-r.ended
	})
	return r
}

// says waits until the process has said something so often.
func (r *watchedRun) says(t *testing.T, text string, times int) {
	t.Helper()
	said := func() bool { return strings.Count(r.said.String(), text) >= times }
	await(r.ended, said)
	if !said() {
		t.Fatalf("it ended and has not said %q %d times:\n%s", text, times, r.said)
	}
}

// lines are what was said with a text.
func (r *watchedRun) lines(text string) (found []string) {
	for line := range strings.Lines(r.said.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

func (r *watchedRun) endsWith(t *testing.T, code int) {
	t.Helper()
	<-r.ended
	if got := r.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d\n%s", got, code, r.said)
	}
}

func TestAnAPIThatDiesWithinARunIsToldOnceAndWhenItIsBack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs processes")
	}
	api := newMortalAPI(t, "40", "latency=60ms")
	dir := api.jobs(t, "    concurrency: 8\n    streams: [users, accounts, contracts]\n    checkpoint_every: 1s\n")
	r := watchRun(t, dir, nil, "run", "nightly")
	r.says(t, "msg=committed", 1)
	api.die()
	r.says(t, "the API does not answer", 1)
	time.AfterFunc(3*time.Second, func() { api.live(t, "40", "") })
	r.says(t, "the API answers again", 1)
	r.endsWith(t, 0)
	if began := r.lines("the API does not answer"); len(began) != 1 || !strings.Contains(began[0], "level=WARN") ||
		!strings.Contains(began[0], `cause="connection refused by `+api.address+`"`) || !strings.Contains(began[0], `trying_for="1 min"`) {
		t.Errorf("told: %s", began)
	}
	if over := r.lines("the API answers again"); len(over) != 1 || !strings.Contains(over[0], "tries=") {
		t.Errorf("told: %s", over)
	}
	for _, service := range []string{"banking", "contracts"} { // which have warnings of their own: whom they pass over
		if down := r.lines("service=" + service); len(down) > 2 {
			t.Errorf("%d warnings:\n%s", len(down), strings.Join(down, ""))
		}
	}
	if warned := r.lines("level=WARN"); len(warned) > 6 {
		t.Errorf("%d warnings:\n%s", len(warned), strings.Join(warned, ""))
	}
	var report struct {
		Waited map[string]struct {
			Times   int     `json:"times"`
			Seconds float64 `json:"seconds"`
			Tries   int     `json:"tries"`
		} `json:"waited"`
	}
	reports := glob(t, filepath.Join(dir, "lake"), stateDir+"/runs/*.json")
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	body, err := os.ReadFile(reports[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &report); err != nil {
		t.Fatal(err)
	}
	if n := report.Waited["api_network"]; n.Times != 1 || n.Seconds < 5 || n.Tries == 0 {
		t.Errorf("counted %+v", report.Waited)
	}
}

func TestARunThatWaitsForAnotherSaysForWhomAndASecondSignalWhatItLeaves(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs processes")
	}
	api := newMortalAPI(t, "200", "latency=200ms")
	dir := api.jobs(t, "    concurrency: 1\n    lease_wait: 2m\n    checkpoint_every: 1s\n")
	first := watchRun(t, dir, nil, "run", "nightly")
	first.says(t, "msg=committed", 1)
	second := watchRun(t, dir, nil, "run", "nightly")
	second.says(t, "another run is at work: waiting for it", 1)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if told := second.lines("another run is at work"); len(told) != 1 || !strings.Contains(told[0], `holder="`+host+", process ") || !strings.Contains(told[0], "since=") || !strings.Contains(told[0], `left="2 min"`) {
		t.Errorf("told: %s", told)
	}

	// A first signal is answered before anything else; with a second one right after it,
	// the first run ends at once.
	_ = first.Process.Signal(syscall.SIGINT)
	first.says(t, "syncer: stopping: committing what is complete; again to end now", 1)
	_ = first.Process.Signal(syscall.SIGINT)
	<-first.ended
	if code := first.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d\n%s", code, first.said)
	}
	if text := first.said.String(); !strings.Contains(text, "clean commit") && // it was done before
		(!strings.Contains(text, "ended at once: nothing is committed since ") || !strings.Contains(text, "the lease is left: the next run takes it up")) {
		t.Errorf("said: %s", text)
	}

	second.says(t, "the other run is no longer at work", 1)
	second.says(t, "msg=committed", 1)
	_ = second.Process.Signal(syscall.SIGTERM)
	second.says(t, "stopping: committing what is complete", 1)
	second.endsWith(t, 143)
}

func TestConnectionsThatFailAreNamedByRunAndDoctorWithWhatToDo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs processes")
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unheard := l.Addr().String()
	_ = l.Close()
	api := newMortalAPI(t, "1", "")
	for name, tc := range map[string]struct {
		base, want, do string
		env            []string
	}{
		"refused":        {"http://" + unheard, "connection refused by " + unheard, "nothing listens there", nil},
		"no TLS":         {"https://" + api.address, "plain HTTP is spoken there, and no TLS", "write http://", nil},
		"proxy down":     {"https://api.example", "the proxy cannot be reached: connection refused by " + unheard, "check HTTPS_PROXY", []string{"HTTPS_PROXY=http://me:hunter2@" + unheard}},
		"proxy unread":   {"https://api.example", "the address of the proxy cannot be read", "check HTTPS_PROXY", []string{"HTTPS_PROXY=http://me:hunter2,zz%@proxy.example"}},
		"no proxy there": {"https://api.example", "the proxy answers 404", "check HTTPS_PROXY", []string{"HTTPS_PROXY=http://me:hunter2@" + api.address}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			text := "finoos: {base_url: \"" + tc.base + "\", client_id: me, client_secret: hunter3, retry: {max_elapsed: 1s}}\nsink: {url: \"file://./lake\"}\njobs: {nightly: {}}\n"
			if err := os.WriteFile(filepath.Join(dir, "jobs.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"run", "nightly"}, {"doctor"}} {
				r := watchRun(t, dir, tc.env, args...)
				r.endsWith(t, 6)
				said := r.said.String()
				if !strings.Contains(said, tc.want) || !strings.Contains(said, tc.do) || strings.Contains(said, "hunter") {
					t.Errorf("%s says:\n%s", args, said)
				}
				if args[0] == "run" && !strings.Contains(said, "syncer doctor tells more") {
					t.Errorf("it does not point to the doctor:\n%s", said)
				}
			}
		})
	}
}
