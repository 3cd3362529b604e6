package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/doctor"
	"finoos-syncer/internal/sink"
)

// evil clears the screen, writes over the line, and adds one of its own.
const evil = "\x1b[2J\x1b]0;owned\x07\rsyncer: all is well\nsyncer: done \u202e\u009b31m"

// obeyed are characters that a terminal acts on.
func obeyed(text string) bool { return strings.ContainsAny(text, "\x1b\x07\r\u202e\u009b") }

func TestNothingThatIsPrintedIsObeyedByATerminal(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"run", "nightly", "--config", evil},
		{"run", evil},
		{"sql", "--dialect", evil},
		{"sql", "--dialect", "duckdb", "--location", "s3://x/" + evil},
		{evil},
		{"help", evil},
		{"--" + evil},
	} {
		var out bytes.Buffer
		if code := newTestApp(&out, nil).execute(t.Context(), args); code != exitUsage {
			t.Errorf("%q ends with %d", args, code)
		}
		if text := out.String(); obeyed(text) || text == "" {
			t.Errorf("%q prints %q", args, text)
		}
	}
}

func TestNoLineOfAnErrorLooksLikeOneOfOurs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := newTestApp(&out, nil)
	a.execute(t.Context(), []string{"version"})
	out.Reset()
	a.explain(t.Context(), errors.New("the store says: "+evil+strings.Repeat("x", 1<<20)), exitSink)
	if n := strings.Count("\n"+out.String(), "\nsyncer: "); n != 1 || obeyed(out.String()) || out.Len() > 4*maxError {
		t.Errorf("%d messages in %d bytes: %.300q", n, out.Len(), out.String())
	}
}

func TestAHolderThatCallsItselfOddlyIsOneLine(t *testing.T) {
	t.Parallel()
	err := &sink.HeldError{Holder: evil + strings.Repeat("x", 1000), RunID: evil, Backfill: evil, Until: time.Now()}
	if text := err.Error(); obeyed(text) || strings.Contains(text, "\n") || len(text) > 1000 {
		t.Errorf("%q", text)
	}
}

func TestACellIsOneLine(t *testing.T) {
	t.Parallel()
	table := newTable("user", "what")
	table.add(evil, strings.Repeat("é", 1000))
	for _, line := range table.lines() {
		if obeyed(line) || strings.Contains(line, "\n") || len([]rune(line)) > 500 {
			t.Errorf("%q", line)
		}
	}
}

func TestAFindingOfVerifyAndDoctorIsOneLine(t *testing.T) {
	t.Parallel()
	long := evil + strings.Repeat("é", 100_000)
	var p printout
	findings(&p, "problem", []sink.Finding{{Where: long, What: long, Do: long}}, 1)
	var verified, checked strings.Builder
	if err := p.writeTo(&verified); err != nil {
		t.Fatal(err)
	}
	a := newTestApp(&checked, nil)
	a.console = &console{w: &checked}
	a.stdout = &checked // by itself, without what escapes all that is printed
	a.printCheck(doctor.Check{Status: doctor.CheckFail, What: "token", Saw: long, Do: long})
	for text, lines := range map[string]int{verified.String(): 1, checked.String(): 2} {
		if obeyed(text) || strings.Count(text, "\n") != lines || len([]rune(text)) > 4*maxFinding {
			t.Errorf("%d characters: %.300q", len([]rune(text)), text)
		}
	}
}

func TestALogLineIsOneLineBesideTheProgress(t *testing.T) {
	t.Parallel()
	for _, format := range []string{formatText, formatJSON} {
		var out bytes.Buffer
		c := &console{w: &out, width: func() int { return 80 }}
		log, err := newLogger(c, format, "info")
		if err != nil {
			t.Fatal(err)
		}
		c.show("12 users " + evil)
		log.Info("store", "error", evil)
		text := strings.ReplaceAll(out.String(), eraseLine, "")
		if obeyed(text) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %q", format, text)
		}
	}
}

func TestOnlyThisMachineReachesLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"127.0.0.1:0": true, "localhost:0": true, ":0": false, "0.0.0.0:0": false} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := isLoopback(l.Addr()); got != want {
			t.Errorf("%s (%s) is loopback: %t", address, l.Addr(), got)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestThePasswordOfAPushgatewayComesFromAFileOrAVariable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "password"), filepath.Join(dir, "empty")
	for path, text := range map[string]string{file: "s3cret\r\n", empty: "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{pushPassword: "of the variable"}
	for _, c := range []struct {
		flags pushFlags
		env   map[string]string
		want  string // or what the error says
		warns bool
	}{
		{pushFlags{}, env, "", false},
		{pushFlags{address: "http://me@host", passwordFile: file}, env, "http://me:s3cret@host", false},
		{pushFlags{address: "http://me@host"}, env, "http://me:of%20the%20variable@host", false},
		{pushFlags{address: "http://host"}, nil, "http://host", false},
		{pushFlags{address: "http://me:seen@host"}, nil, "http://me:seen@host", true},
		{pushFlags{address: "http://me:seen@host"}, env, "two passwords", false},
		{pushFlags{address: "http://host", passwordFile: file}, nil, "whose password", false},
		{pushFlags{address: "http://me@host", passwordFile: empty}, nil, "is empty", false},
		{pushFlags{address: "http://me@host", passwordFile: file + "s"}, nil, "no such file", false},
		{pushFlags{passwordFile: file}, nil, "--push-metrics, which is not given", false},
	} {
		var out bytes.Buffer
		a := newTestApp(&out, c.env)
		log, err := newLogger(&out, formatText, "info")
		if err != nil {
			t.Fatal(err)
		}
		a.log = log
		got, err := a.pushAddress(t.Context(), c.flags)
		if err != nil {
			got = err.Error()
			if exitCode(t.Context(), err) != exitUsage || strings.Contains(got, "s3cret") || strings.Contains(got, "seen") {
				t.Errorf("%+v: %v", c.flags, err)
			}
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%+v: %q, want %q", c.flags, got, c.want)
		}
		if warned := strings.Contains(out.String(), "list"); warned != c.warns || strings.Contains(out.String(), "seen") {
			t.Errorf("%+v: logged %q", c.flags, out.String())
		}
	}
}
