package jobs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// bank is a simulated bank with a lake, inside of a synctest bubble: a night
// of waiting takes no time.
//
// Times in these tests are chosen so that a commit and a renewal of the lease,
// every 15 s, never fall on one instant: who waits for a mutex stops a
// bubble's time, and the other may be waiting for it to pass.
type bank struct {
	*sandbox.Sandbox
	t   *testing.T
	dir string
	// transport stands between the run and the sandbox.
	transport http.RoundTripper
	// now replaces the clock of the data, which is the sandbox's day and moves
	// on as the run does.
	now  func() time.Time
	wrap func(bucket.Store) bucket.Store
}

// inBubble runs f with a fresh bank, whose t is that of the bubble.
func inBubble(t *testing.T, o sandbox.Options, f func(b *bank)) {
	t.Helper()
	warm(t)
	synctest.Test(t, func(t *testing.T) { f(newBank(t, o)) })
}

func newBank(t *testing.T, o sandbox.Options) *bank {
	t.Helper()
	sb := banktest.New(t, o)
	return &bank{Sandbox: sb, t: t, dir: t.TempDir(), transport: sb.Transport()}
}

// The compressor of Parquet files is one for the whole process and holds
// channels: it must be made outside of any bubble.
var warmed sync.Once

func warm(t *testing.T) {
	t.Helper()
	warmed.Do(func() {
		b := newBank(t, sandbox.Options{Users: 2})
		b.run()
		for range b.cursors() { // read them, too
			break
		}
		b.objects() // by a decoder that is made once, too
	})
}

func (b *bank) store() bucket.Store {
	b.t.Helper()
	return banktest.Store(b.t, b.dir)
}

// config is a job without sync sessions that refreshes nothing by age; lines
// are added to the job.
func (b *bank) config(lines ...string) *config.Config {
	b.t.Helper()
	return banktest.Config(b.t, b.dir, lines...)
}

func (b *bank) options(cfg *config.Config) RunOptions {
	now, begun := b.now, time.Now()
	if now == nil {
		now = func() time.Time { return b.Now().Add(time.Since(begun)) }
	}
	return RunOptions{
		Config: cfg, Job: "nightly", Version: "test", Holder: b.t.Name(), Transport: b.transport, Now: now, WrapStore: b.wrap,
		Logger: slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// run is one night of a job with these lines. It must end well.
func (b *bank) run(lines ...string) *report.Report {
	b.t.Helper()
	rep, err := b.try(b.t.Context(), b.options(b.config(lines...)))
	if err != nil {
		b.t.Fatalf("run: %v", err)
	}
	return rep
}

// try runs once and forgets earlier requests.
func (b *bank) try(ctx context.Context, o RunOptions) (*report.Report, error) {
	b.t.Helper()
	b.ResetRequests()
	rep, err := Run(ctx, o)
	if rep == nil {
		b.t.Fatalf("run: no report, and %v", err)
	}
	return rep, err
}

// stops runs once and wants it to end for a reason.
func (b *bank) stops(ctx context.Context, want Reason, o RunOptions) (*report.Report, error) {
	b.t.Helper()
	rep, err := b.try(ctx, o)
	var stop *StopError
	if !errors.As(err, &stop) || stop.Reason != want {
		b.t.Fatalf("run ended with %v, want reason %d", err, want)
	}
	return rep, err
}

// misbehave replaces the faults from the next request on.
func (b *bank) misbehave(f sandbox.Faults) {
	b.t.Helper()
	if err := b.SetFaults(f); err != nil {
		b.t.Fatalf("set faults: %v", err)
	}
}

// light answers for the data of every user, which is nothing: of those tests whose
// matter is who is asked for what.
func (b *bank) light() {
	empty := map[string]string{
		"banking/accounts": `{"accounts":[]}`, "banking/transactions": `[]`, "categorization": `{"categorization":[]}`,
		"contracts": `[]`, "account-history": `{"histories":[]}`,
	}
	b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
		if body, ok := empty[pathBelow(r)]; ok {
			return answers(r, http.StatusOK, body), nil
		}
		return nil, nil //nolint:nilnil // goes on
	}}
}

// pathBelow is the path of a request below its user's.
func pathBelow(r *http.Request) string {
	_, rest := below(r)
	return rest
}

// slow delays an operation of a user.
func (b *bank) slow(user int, operation string, by time.Duration) {
	b.t.Helper()
	path := "/users/" + b.UserID(user) + "/" + operation
	b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == path {
			time.Sleep(by)
		}
		return nil, nil //nolint:nilnil // goes on
	}}
}

// faultOf is one fault of one user.
func faultOf(user int, operation string, kind sandbox.Kind) sandbox.Faults {
	return sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{strconv.Itoa(user): {operation: {Kind: kind}}}}
}

// log is what was committed so far.
func (b *bank) log() []*sink.Record {
	b.t.Helper()
	var records []*sink.Record
	for r, err := range sink.ReadLog(b.t.Context(), b.store(), "nightly", 0) {
		if err != nil {
			b.t.Fatalf("read the log: %v", err)
		}
		if !r.Published {
			b.t.Errorf("record %d is not published", r.Seq)
		}
		records = append(records, r)
	}
	return records
}

// changes sums up what a run has committed, by table.
func (b *bank) changes(rep *report.Report) map[string]sink.TableChanges {
	b.t.Helper()
	sum := map[string]sink.TableChanges{}
	for _, r := range b.log() {
		if r.RunID != rep.RunID {
			continue
		}
		for name, c := range r.Tables {
			s := sum[name]
			s.Upserts += c.Upserts
			s.Deletes += c.Deletes
			sum[name] = s
		}
	}
	return sum
}

// cursors reads what is remembered, by user and stream, as the next run would.
func (b *bank) cursors() map[string]map[config.Stream]cursors.Cursor {
	b.t.Helper()
	ctx := b.t.Context()
	w, err := sink.Open(ctx, sink.Options{
		Store: b.store(), Job: "nightly", RunID: fmt.Sprintf("look-%d", time.Now().UnixNano()), Compression: "none",
		Source: sink.Source{BaseURL: "http://bank.test"}, ScratchDir: b.t.TempDir(),
	})
	if err != nil {
		b.t.Fatalf("open the sink: %v", err)
	}
	defer func() { _ = w.Close(ctx) }()
	all := map[string]map[config.Stream]cursors.Cursor{}
	seen := map[int]bool{}
	for known, err := range w.Users(ctx) {
		if err != nil {
			b.t.Fatalf("read users: %v", err)
		}
		bucket := cursors.BucketOf(known)
		if seen[bucket] {
			continue
		}
		seen[bucket] = true
		for u, err := range w.EachUser(ctx, bucket) {
			if err != nil {
				b.t.Fatalf("read cursors: %v", err)
			}
			all[u.UserID] = map[config.Stream]cursors.Cursor{}
			for _, c := range u.Cursors {
				all[u.UserID][config.Stream(c.Stream)] = c
			}
		}
	}
	return all
}

// asked counts the requests of one user since the last run began, by
// operation; a correlation's service is added.
func (b *bank) asked(user int) map[string]int {
	counts := map[string]int{}
	id := b.UserID(user)
	for r := range b.requests() {
		if r.UserID == id {
			name := r.Operation
			if r.Service != "" {
				name += " " + r.Service
			}
			counts[name]++
		}
	}
	return counts
}

func (b *bank) requests() iter.Seq[sandbox.Request] {
	return func(yield func(sandbox.Request) bool) {
		for _, r := range b.Requests() {
			if !yield(r) {
				return
			}
		}
	}
}

// via lets a test step in before each request.
type via struct {
	next   http.RoundTripper
	before func(*http.Request) (*http.Response, error) // both nil: go on
}

func (v via) RoundTrip(r *http.Request) (*http.Response, error) {
	if resp, err := v.before(r); resp != nil || err != nil {
		return resp, err
	}
	return v.next.RoundTrip(r)
}

// eachNth is by how many a loop over cases of one kind goes on: by one, but with the
// race detector, which sees in some what it sees in all, by n.
func eachNth(n int64) int64 {
	if raceEnabled {
		return n
	}
	return 1
}
