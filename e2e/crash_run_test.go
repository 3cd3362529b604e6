package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// mortal is the command as it is built for these tests: it dies where it is
// told to.
var mortal = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "syncer-mortal")
	build := exec.CommandContext(context.Background(), "go", "build", "-tags", "crashpoints", "-o", path, "./cmd/syncer") //nolint:forbidigo // outlives the test that comes first
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -tags crashpoints ./cmd/syncer: %w\n%s", err, out)
	}
	return path, nil
})

// mortals runs the command for a bank, in a folder of its own, with settings
// that make it take many steps in a short time.
type mortals struct {
	b    *bank
	dir  string
	s    settings
	tune string
	args []string
	verb []string // the command; nil means run nightly
	// limit is a shell command that comes first, in the same process.
	limit string
}

// ended is how a run ended.
type ended struct {
	code   int            // -1 where a signal ended it
	signal syscall.Signal // 0 where none did
	output string
	trace  []string // the operations on its store, as "put log/…", in order
}

func (e ended) killed() bool { return e.signal == syscall.SIGKILL }

// start begins a run that follows a plan, "" for none.
func (m mortals) start(t *testing.T, p place, plan string, env ...string) *mortalRun {
	t.Helper()
	path, err := mortal()
	if err != nil {
		t.Fatal(err)
	}
	r := &mortalRun{}
	if r.dir, err = os.MkdirTemp(m.dir, "run-"); err != nil { //nolint:usetesting // thousands of them, removed one by one
		t.Fatal(err)
	}
	tmp := filepath.Join(r.dir, "tmp")
	err = errors.Join(os.Mkdir(tmp, 0o700),
		os.WriteFile(filepath.Join(r.dir, "jobs.yaml"), []byte(m.b.jobsYAML(p.url, m.s)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	verb := m.verb
	if verb == nil {
		verb = []string{"run", "nightly"}
	}
	args := slices.Concat([]string{path}, verb, m.args)
	if m.limit != "" {
		args = append([]string{"sh", "-c", m.limit + ` && exec "$@"`, "sh"}, args...)
	}
	r.Cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	r.Dir = r.dir
	r.Env = append([]string{
		"HOME=" + r.dir, "TMPDIR=" + tmp, "SYNCER_CRASH=" + plan, "SYNCER_CRASH_TUNE=" + m.tune,
		"SYNCER_CRASH_TRACE=" + r.traceFile(),
	}, p.env()...)
	r.Env = append(r.Env, env...)
	r.Stdout, r.Stderr = &r.out, &r.out
	if err := r.Start(); err != nil {
		t.Fatalf("start syncer: %v", err)
	}
	return r
}

// run is start and wait.
func (m mortals) run(t *testing.T, p place, plan string, env ...string) ended {
	t.Helper()
	return m.start(t, p, plan, env...).wait(t)
}

// mustRun is a run that has to end well. It returns its trace.
func (m mortals) mustRun(t *testing.T, p place) []string {
	t.Helper()
	e := m.run(t, p, "")
	if e.code != 0 {
		t.Fatalf("exit code %d (%v)\n%s", e.code, e.signal, e.output)
	}
	return e.trace
}

// mortalRun is a run at work.
type mortalRun struct {
	*exec.Cmd
	dir string
	out bytes.Buffer
	// untidy lets it leave something in its temporary folder: a kill at any
	// time can fall between the making and the unlinking of a scratch file.
	untidy bool
}

func (r *mortalRun) traceFile() string { return filepath.Join(r.dir, "trace") }

// trace is what the run has done so far.
func (r *mortalRun) trace(t *testing.T) []string {
	t.Helper()
	body, err := os.ReadFile(r.traceFile())
	if ignoreAbsent(err) != nil {
		t.Fatal(err)
	}
	var ops []string
	for line := range strings.Lines(string(body)) {
		_, op, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		ops = append(ops, op)
	}
	return ops
}

// wait waits for the end, and clears away what belongs to the process alone. What
// it leaves in its temporary folder is a mistake, killed or not.
func (r *mortalRun) wait(t *testing.T) ended {
	t.Helper()
	err := r.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("wait for syncer: %v", err)
	}
	e := ended{code: r.ProcessState.ExitCode(), output: r.out.String(), trace: r.trace(t)}
	if status, ok := r.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.signal = status.Signal()
	}
	left, err := os.ReadDir(filepath.Join(r.dir, "tmp"))
	if err != nil || len(left) > 0 && !r.untidy {
		t.Errorf("left in the temporary folder: %v (%v)", left, err)
	}
	if err := os.RemoveAll(r.dir); err != nil {
		t.Error(err)
	}
	return e
}
