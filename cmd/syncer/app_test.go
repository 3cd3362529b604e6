package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"

	"github.com/google/go-cmp/cmp"
)

// newTestApp returns an app that prints everything to out.
func newTestApp(out io.Writer, env map[string]string) *app {
	return &app{stdout: out, stderr: out, getenv: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}}
}

func TestTheShardComesFromTheFlagElseFromKubernetes(t *testing.T) {
	t.Parallel()
	pod := map[string]string{"JOB_COMPLETION_INDEX": "2", "SYNCER_SHARDS": "4"}
	for _, tc := range []struct {
		flag string
		env  map[string]string
		want cursors.Shard
	}{
		{"", nil, cursors.Shard{Index: 0, Count: 1}},
		{"1/3", nil, cursors.Shard{Index: 1, Count: 3}},
		{"", pod, cursors.Shard{Index: 2, Count: 4}},
		{"1/3", pod, cursors.Shard{Index: 1, Count: 3}},
		{"", map[string]string{"JOB_COMPLETION_INDEX": "0"}, cursors.Shard{Index: 0, Count: 1}},
	} {
		got, err := newTestApp(io.Discard, tc.env).shard(tc.flag)
		if err != nil || got != tc.want {
			t.Errorf("%q in %v: got %v, %v; want %v", tc.flag, tc.env, got, err, tc.want)
		}
	}
}

func TestUsersAreIDsOrAFileOfThem(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(file, []byte("# who called today\nb, a\r\n\nc # Mr C\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string][]string{
		"":         nil,
		"a":        {"a"},
		"b,a,,b, ": {"a", "b"},
		file:       {"a", "b", "c"},
	} {
		got, err := userIDs(flag)
		for i, id := range got {
			got[i] = strings.TrimSpace(id)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v, -want +got:\n%s", flag, err, diff)
		}
	}
}

// A run that nobody watches says now and then how far it is, not every second.
func TestProgressIsLoggedTwiceAMinuteWithoutATerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, err := newLogger(&out, formatJSON, "info")
		if err != nil {
			t.Fatal(err)
		}
		p := newProgress(newConsole(&out, os.LookupEnv), log, time.Now)
		for second := range 61 {
			p.report(t.Context(), report.Progress{Phase: "pull users", UsersDone: int64(second), UsersTotal: 100, Rows: 7, Rate: 2.25})
			time.Sleep(time.Second)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("got %d lines:\n%s", len(lines), &out)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[1]), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "time")
		want := map[string]any{
			"level": "INFO", "msg": "progress", "phase": "pull users", "users_done": 60.0, "users_total": 100.0, "users_failed": 0.0,
			"rows": 7.0, "requests": 0.0, "refused": 0.0, "tried_again": 0.0, "requests_per_second": "2.2",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestOnATerminalProgressIsOneLineAndLogsScrollByAboveIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &console{w: &out, width: func() int { return 200 }}
		p := newProgress(c, nil, time.Now)
		s := report.Progress{Phase: "pull users", UsersTotal: 2000, Rows: 12345, Refused: 3, Failed: 1, Rate: 19.96}
		p.report(t.Context(), s)
		time.Sleep(10 * time.Second)
		s.UsersDone = 500
		out.Reset()
		p.report(t.Context(), s)
		want := eraseLine + "pull users  [#####...............]  25 %  500/2,000 users  30s left  1 failed  3 refused  20.0 req/s  12,345 rows"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}

		out.Reset()
		if _, err := io.WriteString(c, "logged\n"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(eraseLine+"logged\n"+want[len(eraseLine):], out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}

		c.clear()
		out.Reset()
		c.clear()
		c.width = func() int { return 60 }
		p.report(t.Context(), s)
		if diff := cmp.Diff(eraseLine+"pull users  [#####...............]  25 %  500/2,000 users", out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		out.Reset()
		c.width = func() int { return 11 }
		c.show("wider than that")
		if diff := cmp.Diff(eraseLine+"wider than", out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestTablesAlignNumbersToTheRight(t *testing.T) {
	t.Parallel()
	left := newTable("asked for", "requests")
	left.add("users", int64(1))
	left.add("correlation", int64(12345))
	right := newTable("table", "size")
	right.add("überweisungen", size(1536))
	want := []string{
		"asked for    requests     table             size",
		"users               1     überweisungen  1.5 KiB",
		"correlation    12,345",
	}
	if diff := cmp.Diff(want, beside(left.lines(), right.lines(), 5)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNumbersAndSizesAreShort(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for n, want := range map[size]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10 << 10: "10 KiB", 3 << 29: "1.5 GiB", 5000 << 40: "5000 TiB"} {
		if got := n.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The sandbox is used as its own welcome says.
func TestTheSandboxServesTheAPIUntilItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	code := make(chan int)
	go func() {
		code <- newTestApp(w, nil).execute(ctx, []string{"sandbox", "--addr", "127.0.0.1:0", "--users", "5", "--today", "2026-11-19"})
	}()
	head := make([]byte, 200)
	n, err := io.ReadAtLeast(r, head, 60)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	_, address, ok := strings.Cut(string(head[:n]), "A finoOS with 5 users, on ")
	if !ok {
		t.Fatalf("no address in %q", head[:n])
	}
	address, _, _ = strings.Cut(address, "\n")

	if got, want := request(t, http.MethodPost, address+"/sandbox/night"), `{"now":"2026-11-20T`; !strings.HasPrefix(got, want) {
		t.Errorf("after a night: got %s, want %s…", got, want)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	env := map[string]string{
		"FINOOS_BASE_URL": address, "FINOOS_CLIENT_ID": "sandbox", "FINOOS_CLIENT_SECRET": "sandbox", "SYNCER_SINK": "file://" + dir,
	}
	if got := newTestApp(&out, env).execute(t.Context(), []string{"run", "nightly", "--config", "../../jobs.yaml"}); got != 0 {
		t.Errorf("run against it: exit code %d\n%s", got, &out)
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}

func request(t *testing.T, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // a plain client is what the outside has
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
