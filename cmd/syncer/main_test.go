package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"finoos-syncer/internal/finoos/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"syncer": main, "stubborn": stubborn})
}

// stubborn does not end when it is told to.
func stubborn() {
	ctx, _ := withSignals(context.Background(), &lastWords{})
	_, _ = os.Stdout.WriteString("up\n")
	<-ctx.Done()
	_, _ = os.Stdout.WriteString("told\n")
	select {}
}

func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("stubborn")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		if !lines.Scan() {
			t.Fatalf("it ended before %v", signal)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitInterrupted {
		t.Errorf("got %v, want exit code %d", err, exitInterrupted)
	}
}

// Each script has a bank of its own, reached by $FINOOS_BASE_URL, the same one
// slowed down, by $SLOW_BASE_URL, and one that goes down after a while, by
// $FRAIL_BASE_URL.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			bank, err := sandbox.New(sandbox.Options{Users: 6, Seed: 7, Today: time.Now().UTC().Truncate(24 * time.Hour)})
			if err != nil {
				return err
			}
			slow, err := sandbox.New(sandbox.Options{Users: 60, Seed: 7, Faults: sandbox.Faults{Latency: 50 * time.Millisecond}})
			if err != nil {
				return err
			}
			frail := &frailBank{left: 120}
			if frail.Sandbox, err = sandbox.New(sandbox.Options{Users: 40, Seed: 7}); err != nil {
				return err
			}
			for name, s := range map[string]http.Handler{"FINOOS_BASE_URL": bank, "SLOW_BASE_URL": slow, "FRAIL_BASE_URL": frail} {
				server := httptest.NewServer(s)
				env.Defer(server.Close)
				env.Setenv(name, server.URL)
			}
			env.Setenv("FINOOS_CLIENT_ID", "sandbox")
			env.Setenv("FINOOS_CLIENT_SECRET", "sandbox")
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Setenv("A_USER", bank.UserID(3))
			env.Values["bank"], env.Values["frail"] = bank, frail
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "night": letNightPass, "stopped": stopped, "misbehave": misbehave, "mend": mend,
		},
	})
}

// frailBank answers so many requests, and from then on 503 until it is mended.
type frailBank struct {
	*sandbox.Sandbox

	mu   sync.Mutex
	left int
}

func (b *frailBank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.left--
	down := b.left < 0
	b.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	b.Sandbox.ServeHTTP(w, r)
}

// mend lets the frail bank answer again.
func mend(ts *testscript.TestScript, neg bool, args []string) {
	bank, ok := ts.Value("frail").(*frailBank)
	if neg || len(args) > 0 || !ok {
		ts.Fatalf("usage: mend")
	}
	bank.mu.Lock()
	defer bank.mu.Unlock()
	bank.left = 1 << 30
}

// misbehave gives the script's bank these faults and no others.
func misbehave(ts *testscript.TestScript, neg bool, args []string) {
	bank, ok := ts.Value("bank").(*sandbox.Sandbox)
	if neg || len(args) > 1 || !ok {
		ts.Fatalf("usage: misbehave [faults]")
	}
	faults, err := sandbox.ParseFaults(strings.Join(args, ""))
	ts.Check(err)
	ts.Check(bank.SetFaults(faults))
}

// exits runs a command and compares its exit code: exits 8 syncer run.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	if got := codeOf(ts, err); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func codeOf(ts *testscript.TestScript, err error) int {
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		ts.Fatalf("not run: %v", err)
	}
	return exit.ExitCode()
}

// letNightPass moves the script's bank on by a day.
func letNightPass(ts *testscript.TestScript, neg bool, args []string) {
	bank, ok := ts.Value("bank").(*sandbox.Sandbox)
	if neg || len(args) > 0 || !ok {
		ts.Fatalf("usage: night")
	}
	bank.Night()
}

// stopped runs a command, sends it a signal once a file matches, and compares
// its exit code: stopped TERM 143 'lake/*/log/*' syncer run.
func stopped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: stopped INT|TERM code pattern command…")
	}
	signal := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM}[args[0]]
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	path, err := exec.LookPath(args[3])
	ts.Check(err)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args[4:]...)
	cmd.Dir = ts.MkAbs(".")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "FINOOS_BASE_URL", "SLOW_BASE_URL", "FINOOS_CLIENT_ID", "FINOOS_CLIENT_SECRET"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for found := []string(nil); len(found) == 0; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("%s did not appear\n%s", args[2], &out)
		}
		found, err = filepath.Glob(ts.MkAbs(args[2]))
		ts.Check(err)
	}
	ts.Check(cmd.Process.Signal(signal))
	err = cmd.Wait()
	ts.Logf("%s", &out)
	if got := codeOf(ts, err); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
