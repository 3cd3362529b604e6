package e2e

import (
	commandline "flag" // flag is a type of columns here
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/bucket/s3test"
)

// shardsFull is set by make bench-shards: two thousand users, and how much
// faster four processes are than one.
var shardsFull = commandline.Bool("shards", false, "try shards with two thousand users, and time them")

// startShard begins one shard of a run group in a process of its own.
func (b *bank) startShard(t *testing.T, p place, s settings, group string, i, n int) *command {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jobs.yaml"), []byte(b.jobsYAML(p.url, s)), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append([]string{"SYNCER_RUN_GROUP=" + group, "JOB_COMPLETION_INDEX=" + strconv.Itoa(i), "SYNCER_SHARDS=" + strconv.Itoa(n)}, p.env()...)
	return start(t, dir, env, "run", "nightly")
}

// shards runs all shards of a night, and returns how long they took.
func (b *bank) shards(t *testing.T, p place, s settings, group string, n int) time.Duration {
	t.Helper()
	began := time.Now()
	var all []*command
	for i := range n {
		all = append(all, b.startShard(t, p, s, group, i, n))
	}
	for i, c := range all {
		if code := c.wait(t); code != 0 {
			t.Fatalf("shard %d/%d: exit code %d\n%s", i, n, code, &c.stderr)
		}
	}
	return time.Since(began)
}

// checkShards compares a lake with the truth, and the requests for the list with
// those of one listing.
func (b *bank) checkShards(t *testing.T, p place, tables []string, night, pages int) {
	t.Helper()
	dir := p.dir
	if p.server != nil {
		dir = download(t, p.server, p.url)
	}
	l := openLake(t, dir)
	defer l.close()
	rows := l.checkTruth(t, truthOf{truth: b, tables: tables})
	l.checkRowsOnce(t)
	l.checkCommits(t)
	if got := b.Counts()["users"]; got != pages {
		t.Errorf("night %d: %d pages of users were asked for, want %d", night, got, pages)
	}
	t.Logf("night %d: %d rows of current state equal the truth", night, rows)
	b.ResetRequests()
}

func TestFourProcessesDoTheWorkOfOne(t *testing.T) {
	t.Parallel()
	users, s := 24, seldom
	var want []string // tables; nil for all
	if *shardsFull {
		users, want = 2000, []string{"users", "accounts", "contracts"} // the others have millions of rows
		s.job = append(slices.Clone(s.job), "streams: ["+strings.Join(want, ", ")+"]")
	}
	const pages = 4
	server := s3test.Start(t)
	b := newBank(t, sandbox.Options{
		Users: users, PageSize: users / pages, Today: daysBefore(5),
		Nightly: sandbox.Odds{Analysed: 0.3, Gone: -1, Joined: -1, Login: -1}, Faults: sandbox.Faults{Latency: 20 * time.Millisecond},
	})
	p := newPlace(t, server)

	t.Log("the first night, in four; one is killed in the middle, and started again by its index")
	running := make([]*command, 4)
	for i := range running {
		running[i] = b.startShard(t, p, s, "night-1", i, len(running))
	}
	const victim = 2
	tooLong := time.After(patience / 2)
	staged := filepath.Join(stateDir, "staging", fmt.Sprintf("*-%d.json", victim))
	await(closeAfter(tooLong), func() bool { return len(glob(t, p.dir, staged)) > 0 })
	if err := running[victim].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for i, c := range running {
		if code := c.wait(t); (code == 0) == (i == victim) {
			t.Errorf("shard %d: exit code %d\n%s", i, code, &c.stderr)
		}
	}
	p.endLeases(t)
	if c := b.startShard(t, p, s, "night-1", victim, len(running)); c.wait(t) != 0 {
		t.Fatalf("the shard that was started again: %s", &c.stderr)
	}
	b.checkShards(t, p, want, 1, pages)

	for i, n := range []int{3, 5} {
		t.Logf("then %d", n)
		night := i + 2
		b.Night()
		b.shards(t, p, s, fmt.Sprintf("night-%d", night), n)
		b.checkFewPulled(t, users)
		b.checkShards(t, p, want, night, pages)
	}
}

// checkFewPulled fails if other shards have pulled everybody anew.
func (b *bank) checkFewPulled(t *testing.T, users int) {
	t.Helper()
	if n := b.Counts()["contracts"]; n == 0 || n > users*6/10 {
		t.Errorf("contracts of %d users were pulled, where the analysis has moved for about %d", n, users*3/10)
	}
}

// closeAfter turns a timer into what await takes.
func closeAfter(timer <-chan time.Time) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		<-timer
		close(done)
	}()
	return done
}

// It is a measurement: it fails on what came out, never on the time it took.
func TestFourShardsAreFasterThanOneWhereLatencyRules(t *testing.T) { //nolint:paralleltest // it measures
	if !*shardsFull {
		t.Skip("a measurement: make bench-shards")
	}
	const users = 2000
	took := map[int]time.Duration{}
	for _, n := range []int{1, 4} {
		b := newBank(t, sandbox.Options{Users: users, Today: daysBefore(2), Faults: sandbox.Faults{Latency: 100 * time.Millisecond}})
		p := newPlace(t, nil)
		s := settings{job: []string{"concurrency: 4", "streams: [accounts, contracts]"}}
		took[n] = b.shards(t, p, s, "night", n)
	}
	t.Logf("%d users at 100 ms: one shard %v, four %v: %.2f times as fast", users, took[1].Round(time.Millisecond), took[4].Round(time.Millisecond), took[1].Seconds()/took[4].Seconds())
}
