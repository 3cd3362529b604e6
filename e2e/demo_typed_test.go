package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asDuckDB makes this test the duckdb command on the file that it names: it does what it
// reads.
const asDuckDB = "SYNCER_E2E_AS_DUCKDB"

// duckDB is the duckdb command, as far as scripts go.
func duckDB(file string) (code int) {
	script, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = execute(file, string(script))
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func execute(file, script string) error {
	db, err := sql.Open("duckdb", file)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if strings.TrimSpace(script) == "" {
		return fmt.Errorf("%s: there is nothing to do", file)
	}
	_, err = db.ExecContext(context.Background(), script) //nolint:forbidigo // a command of its own
	return err
}

// typed are the commands that a text prints to be pasted: those of two more columns, with
// the lines that they go on in.
func typed(text, program string) []string {
	var all []string
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "  "+program) {
			continue
		}
		command := lines[i]
		for strings.HasSuffix(command, "\\") && i+1 < len(lines) {
			i++
			command += "\n" + lines[i]
		}
		all = append(all, command)
	}
	return all
}

// All that the demo prints is typed, by somebody who has gone to another folder: in
// folders whose names a shell would take apart.
func TestWhatTheDemoPrintsCanBeTyped(t *testing.T) {
	t.Parallel()
	built, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(t.TempDir(), "it's a $HOME, isn't it")
	path := filepath.Join(place, "syncer")
	elsewhere, tools := t.TempDir(), t.TempDir()
	if err := os.Mkdir(place, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(built, path); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shim := "#!/bin/sh\n" + asDuckDB + "=\"$1\" exec '" + self + "'\n"
	if err := os.WriteFile(filepath.Join(tools, "duckdb"), []byte(shim), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := func(dir, line string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		c := exec.CommandContext(ctx, "sh", "-c", line)
		c.Dir, c.Env = dir, []string{"PATH=" + tools + ":" + os.Getenv("PATH"), "HOME=" + elsewhere}
		return c
	}

	demo := shell(place, "./syncer demo")
	var stderr bytes.Buffer
	demo.Stderr = &stderr
	story, err := demo.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	for line := range strings.Lines(string(story)) {
		if width := len([]rune(strings.TrimRight(line, "\n"))); width > 80 && !strings.Contains(line, "isn") {
			t.Errorf("%d columns: %s", width, line)
		}
	}
	commands := typed(string(story), "'")
	if len(commands) != 6 {
		t.Fatalf("%d commands:\n%s", len(commands), strings.Join(commands, "\n"))
	}
	for _, command := range commands {
		if strings.HasSuffix(command, " sandbox") {
			serveAndStop(t, shell(elsewhere, "exec "+command))
			continue
		}
		if out, err := shell(elsewhere, command).CombinedOutput(); err != nil || strings.Contains(command, "duckdb") != (len(out) == 0) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	for _, file := range []string{"run.html", "jobs.yaml", "lake.duckdb"} {
		if info, err := os.Stat(filepath.Join(elsewhere, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}

	l := &lake{db: openDuckDB(t, filepath.Join(elsewhere, "lake.duckdb"))}
	t.Cleanup(l.close)
	_, pasted, _ := strings.Cut(string(story), "into: duckdb lake.duckdb")
	queries := statements.FindAllString(pasted, -1)
	if len(queries) != 6 {
		t.Errorf("%d queries", len(queries))
	}
	for _, q := range queries {
		if rows := l.query(t, selectText(strings.TrimSuffix(q, ";"))); len(rows) == 0 {
			t.Errorf("nothing is found by\n%s", q)
		}
	}
}

// serveAndStop lets a server say where it is, or that somebody is there already.
func serveAndStop(t *testing.T, c *exec.Cmd) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 30)
	n, readErr := io.ReadAtLeast(out, head, 20)
	_ = c.Process.Signal(syscall.SIGTERM)
	ended := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	defer ended.Stop()
	err = c.Wait()
	taken := strings.Contains(stderr.String(), "address already in use")
	if !taken && (err != nil || readErr != nil || !strings.HasPrefix(string(head[:n]), "A finoOS with ")) {
		t.Errorf("%v, %v: %q %s", err, readErr, head[:n], &stderr)
	}
}
