package commit

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"finoos-syncer/bench/lake"
	"finoos-syncer/bench/world"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

var measure = flag.Bool("commit", false, "measure, which takes two minutes")

const (
	changed = 1000 // users of a commit
	nights  = 40   // so that checkpoints come, where they do
)

func TestCommit(t *testing.T) { //nolint:paralleltest // a measurement
	if !*measure {
		t.Skip("a measurement: make bench-commit")
	}
	lake.Printf("| users | tables | open | commit | close | longest close | written a night | read a night | checkpoints |")
	lake.Printf("|---|---|---|---|---|---|---|---|---|")
	for _, c := range []struct{ users, tables int }{{10_000, 1}, {100_000, 1}, {1_000_000, 1}, {100_000, 9}} {
		measureNights(t, c.users, c.tables)
	}
	lake.Printf("\n| commits | after | open | read the users | objects read | bytes read | users |")
	lake.Printf("|---|---|---|---|---|---|---|")
	measureStart(t)
}

// job is a lake whose store is counted.
type job struct {
	t     *testing.T
	store *counted
	rng   *rand.Rand
}

func newJob(t *testing.T) *job {
	t.Helper()
	store, err := lake.Lake{Dir: t.TempDir() + "/lake"}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &job{t: t, store: &counted{Store: store}, rng: rand.New(rand.NewPCG(1, 2))}
}

func (j *job) open() *sink.Writer {
	j.t.Helper()
	w, err := sink.Open(j.t.Context(), sink.Options{
		Store: j.store, Job: lake.Job, RunID: ulid.Make().String(), RunGroup: "bench", Holder: "bench", ScratchDir: j.t.TempDir(),
		Source: sink.Source{BaseURL: "https://bench.invalid"}, Now: func() time.Time { return world.Today },
	})
	if err != nil {
		j.t.Fatal(err)
	}
	return w
}

// add moves a user's cursor, and writes a row to so many tables.
func (j *job) add(w *sink.Writer, user, tables int) {
	j.t.Helper()
	id, state := world.ID(user), make([]byte, 0, 64)
	for range 8 {
		state = binary.LittleEndian.AppendUint64(state, j.rng.Uint64())
	}
	meta := table.Meta{Op: table.Upsert, Pull: table.Diff, ExtractedAt: world.Today}
	rows := []table.Row{
		&table.Pull{UserID: id, Stream: "accounts", Outcome: "pulled", Meta: meta}, &table.Account{UserID: id, AccountID: "a", Meta: meta},
		&table.User{UserID: id, Meta: meta}, &table.BankLogin{UserID: id, BankLoginID: "l", Meta: meta},
		&table.Transaction{UserID: id, TransactionID: "t", Meta: meta}, &table.Categorization{UserID: id, TransactionID: "t", Tag: "x", Meta: meta},
		&table.Contract{UserID: id, ContractID: "c", Meta: meta}, &table.AccountHistory{UserID: id, AccountID: "a", Date: table.DateOf(world.Today), Meta: meta},
		&table.SyncSession{UserID: id, BankLoginID: "l", Meta: meta},
	}
	err := w.Add(j.t.Context(), sink.Batch{Rows: rows[:tables], Cursors: []cursors.Cursor{{
		UserID: id, Stream: "accounts", CorrelationID: fmt.Sprintf("%x-%s", state[:8], id), PulledAt: world.Today, State: state,
	}}})
	if err != nil {
		j.t.Fatal(err)
	}
}

func (j *job) commit(w *sink.Writer) time.Duration {
	j.t.Helper()
	began := time.Now()
	if _, err := w.Commit(j.t.Context()); err != nil {
		j.t.Fatal(err)
	}
	return time.Since(began)
}

func (j *job) close(w *sink.Writer) time.Duration {
	j.t.Helper()
	began := time.Now()
	if err := w.Close(j.t.Context()); err != nil {
		j.t.Fatal(err)
	}
	return time.Since(began)
}

// seed commits cursors of all users, 100,000 at a time.
func (j *job) seed(users int) {
	j.t.Helper()
	w := j.open()
	for user := range users {
		j.add(w, user, 0)
		if user%100_000 == 99_999 {
			j.commit(w)
		}
	}
	j.commit(w)
	j.close(w)
}

func measureNights(t *testing.T, users, tables int) {
	t.Helper()
	j := newJob(t)
	j.seed(users)
	before := j.store.now()
	var opening, committing, closing, longest time.Duration
	for range nights {
		began := time.Now()
		w := j.open()
		opening += time.Since(began)
		for range changed {
			j.add(w, j.rng.IntN(users), tables)
		}
		committing += j.commit(w)
		took := j.close(w)
		closing, longest = closing+took, max(longest, took)
	}
	io := j.store.now().less(before)
	lake.Printf("| %d | %d | %s | %s | %s | %s | %s | %s | %d |", users, tables, ms(opening/nights), ms(committing/nights), ms(closing/nights), ms(longest),
		kib(io.written/nights), kib(io.read/nights), j.checkpoints())
}

// checkpoints counts those of one bucket of users.
func (j *job) checkpoints() (n int) {
	for _, err := range j.store.List(j.t.Context(), "_syncer/"+lake.Job+"/checkpoints/000/", "") {
		if err != nil {
			j.t.Fatal(err)
		}
		n++
	}
	return n
}

// measureStart opens the state after a thousand commits of a run that was cut
// short, and again after a run that had the time to write checkpoints.
func measureStart(t *testing.T) {
	t.Helper()
	const commits, users = 1000, 100_000
	j := newJob(t)
	j.seed(users)
	w := j.open()
	for range commits {
		for range 100 {
			j.add(w, j.rng.IntN(users), 1)
		}
		j.commit(w)
	}
	hurried, cancel := context.WithTimeout(t.Context(), 10*time.Second) // too little for checkpoints
	defer cancel()
	if err := w.Close(hurried); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"a run that was stopped", "checkpoints written since"} {
		before, began := j.store.now(), time.Now()
		w := j.open()
		opened := time.Since(began)
		n := 0
		for _, err := range w.Users(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		io := j.store.now().less(before)
		lake.Printf("| %d | %s | %s | %s | %d | %s | %d |", commits, what, ms(opened), ms(time.Since(began)-opened), io.reads, kib(io.read), n)
		j.close(w)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000) }

func kib(n int64) string { return fmt.Sprintf("%d KiB", n>>10) }
