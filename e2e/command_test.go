package e2e

import (
	"bytes"
	"context"
	"errors"
	commandline "flag" // flag is a type of columns here
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience bounds one run of the command: a hung run must not hang the tests.
const patience = 4 * time.Minute

// scratch outlives single tests; TestMain removes it.
var scratch string

func TestMain(m *testing.M) {
	if file := os.Getenv(asDuckDB); file != "" {
		os.Exit(duckDB(file)) //nolint:forbidigo // here it is DuckDB, and no test
	}
	var err error
	if scratch, err = os.MkdirTemp("", "syncer-e2e-"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := waitTogether(); err != nil {
		panic(err)
	}
	m.Run()
}

// waitTogether lets twice as many tests run at once as there are processors,
// unless -parallel says how many: they wait for leases, latency and other
// processes half of the time.
func waitTogether() error {
	commandline.Parse()
	parallel := commandline.Lookup("test.parallel")
	if parallel.Value.String() != parallel.DefValue {
		return nil
	}
	return parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
}

// binary is the command as it is shipped, without cgo, built once and only
// where a test wants it.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "syncer")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./cmd/syncer") //nolint:forbidigo // outlives the test that comes first
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/syncer: %w\n%s", err, out)
	}
	return path, nil
})

// command is one run of the shipped command, in an environment of its own.
type command struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

// start begins `syncer run nightly` against the bank.
func (b *bank) start(t *testing.T, sinkURL string, s settings, env ...string) *command {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jobs.yaml"), []byte(b.jobsYAML(sinkURL, s)), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, dir, env, "run", "nightly")
}

// start begins the command in a folder, in an environment that holds nothing of
// ours but what a program cannot do without.
func start(t *testing.T, dir string, env []string, args ...string) *command {
	t.Helper()
	return startSaying(t, dir, env, nil, args...)
}

// startSaying does so, and what the command says goes to said.
func startSaying(t *testing.T, dir string, env []string, said io.Writer, args ...string) *command {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c := &command{Cmd: exec.CommandContext(ctx, path, args...)}
	c.Dir = dir
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + t.TempDir()}, env...)
	c.Stdout, c.Stderr = &c.stdout, &c.stderr
	if said != nil {
		c.Stdout, c.Stderr = said, said
	}
	if err := c.Start(); err != nil {
		t.Fatalf("start syncer: %v", err)
	}
	return c
}

// wait returns the exit code: -1 where a signal ended the command.
func (c *command) wait(t *testing.T) int {
	t.Helper()
	err := c.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("wait for syncer: %v", err)
	}
	return c.ProcessState.ExitCode()
}

// run runs the command to its end and fails the test unless it exits as wanted.
func (b *bank) run(t *testing.T, want int, sinkURL string, s settings, env ...string) *command {
	t.Helper()
	c := b.start(t, sinkURL, s, env...)
	if got := c.wait(t); got != want {
		t.Fatalf("exit code %d, want %d\n%s\n%s", got, want, &c.stdout, &c.stderr)
	}
	return c
}
