package jobs

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/sink/bucket"
)

// at calls f before the n-th request.
func (b *bank) at(n int, f func()) {
	var seen atomic.Int64
	b.transport = via{b.Transport(), func(*http.Request) (*http.Response, error) {
		if seen.Add(1) == int64(n) {
			f()
		}
		return nil, nil //nolint:nilnil // goes on
	}}
}

// isComplete fails unless everything was pulled once and only once, over all
// runs so far.
func (b *bank) isComplete(users int) {
	b.t.Helper()
	var rows, pulls int64
	for _, r := range b.log() {
		rows += r.Tables["users"].Upserts
		pulls += r.Tables["pulls"].Upserts
	}
	if rows != int64(users) || pulls != int64(6*users) {
		b.t.Errorf("%d users and %d pulls were committed, want %d and %d", rows, pulls, users, 6*users)
	}
}

func TestAnInterruptedRunCommitsWhatIsCompleteAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(8), func(b *bank) {
		t := b.t
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.at(50, cancel)
		rep, _ := b.stops(ctx, ReasonInterrupted, b.options(b.config()))
		if rep.Commits != 1 || rep.Outcome != "interrupted" || rep.Users.Pulled == 0 || rep.Users.Pulled == 8 || rep.Unreached != 8-rep.Users.Done() || rep.NotKept != nil {
			t.Fatalf("%d commits, %s, %+v", rep.Commits, rep.Outcome, rep.Users)
		}
		b.transport = b.Transport()
		b.run()
		b.isComplete(8)
	})
}

// longWait is a job all of whose users wait for an hour.
const longWait = "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 1h}"

func TestARunIsInterruptedWhileAllItsUsersWait(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(5)
	o.AnalysisDelay = 2 * time.Hour
	inBubble(t, o, func(b *bank) {
		t := b.t
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Millisecond)
		defer cancel()
		rep, _ := b.stops(ctx, ReasonInterrupted, b.options(b.config(longWait)))
		if rep.SyncSessions["synced"] == 0 || rep.Commits != 1 {
			t.Errorf("%v, %d commits", rep.SyncSessions, rep.Commits)
		}
	})
}

func TestARunThatLosesItsLeaseWhileAllWaitIsOvertaken(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(5)
	o.AnalysisDelay = 2 * time.Hour
	inBubble(t, o, func(b *bank) {
		t := b.t
		steal := time.AfterFunc(10*time.Minute+7*time.Second, func() {
			_, err := b.store().Put(t.Context(), "_syncer/nightly/leases/0.json", []byte(`{"run_id":"other","shards":1}`), bucket.Condition{})
			if err != nil {
				t.Error(err)
			}
		})
		defer steal.Stop()
		began := time.Now()
		_, _ = b.stops(t.Context(), ReasonOvertaken, b.options(b.config(longWait)))
		if took := time.Since(began); took > 11*time.Minute {
			t.Errorf("went on for %s", took)
		}
	})
}

func TestRevokedCredentialsEndTheRunAfterACommit(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(8), func(b *bank) {
		t := b.t
		b.at(50, func() { b.misbehave(sandbox.Faults{Revoked: true}) })
		rep, _ := b.stops(t.Context(), ReasonCredentials, b.options(b.config()))
		if rep.Commits != 1 || rep.Users.Failed != 0 {
			t.Errorf("%d commits, %+v", rep.Commits, rep.Users)
		}
		b.misbehave(sandbox.Faults{})
		b.run()
		b.isComplete(8)
	})
}

func TestWithoutCredentialsNothingIsWritten(t *testing.T) {
	t.Parallel()
	revoked := banktest.Still(3)
	revoked.Faults.Revoked = true
	inBubble(t, revoked, func(b *bank) {
		t := b.t
		_, err := b.stops(t.Context(), ReasonCredentials, b.options(b.config()))
		if !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "\n") {
			t.Errorf("says %q", err)
		}
		if entries, _ := os.ReadDir(b.dir); len(entries) > 0 {
			t.Errorf("%d entries in the lake", len(entries))
		}
	})
}

func TestADeadlineLeavesTheRestForTheNextRun(t *testing.T) {
	t.Parallel()
	o := banktest.Still(8)
	o.Faults.Latency = 1100 * time.Millisecond
	inBubble(t, o, func(b *bank) {
		t := b.t
		rep := b.run("deadline: 25s", "concurrency: 2")
		if rep.Outcome != "deadline" || rep.Unreached == 0 || rep.Unreached+rep.Users.Pulled != 8 || rep.Users.Pulled == 0 {
			t.Errorf("%s, %+v, %d unreached", rep.Outcome, rep.Users, rep.Unreached)
		}
		b.run()
		b.isComplete(8)
	})
}

func TestWhatFailedBeforeTheDeadlineIsARow(t *testing.T) {
	t.Parallel()
	o := banktest.Still(40)
	o.Faults = faultOf(0, "contracts", sandbox.ServerError)
	o.Faults.Latency = 9700 * time.Millisecond
	inBubble(t, o, func(b *bank) {
		t := b.t
		o := b.options(b.config("deadline: 290s", "concurrency: 2", lenient))
		rep, err := b.try(t.Context(), o)
		if err != nil || rep.Unreached == 0 {
			t.Fatalf("%v, %+v", err, rep.Users)
		}
		if rep.Users.Failed != int64(len(rep.Failures)) || (rep.Users.Failed == 1) != (b.asked(0)["contracts"] > 0) {
			t.Errorf("%+v, %v, asked %v", rep.Users, rep.Failures, b.asked(0))
		}
		if b.asked(0)["contracts"] == 0 {
			t.Fatal("the user was not reached: nothing is shown")
		}
	})
}

func TestAStoreThatFailsEndsTheRunWithTheStoresError(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.wrap = func(s bucket.Store) bucket.Store { return brokenLog{s} }
		_, err := b.stops(t.Context(), ReasonSink, b.options(b.config()))
		if n := strings.Count(err.Error(), "permission denied"); n == 0 || strings.Contains(err.Error(), "\n") && n > 8 {
			t.Errorf("says %q", err)
		}
		b.wrap = nil
		b.run()
		b.isComplete(3)
	})
}

// brokenLog refuses to take parts of files.
type brokenLog struct{ bucket.Store }

func (brokenLog) UploadPart(context.Context, bucket.Upload, int, []byte) (bucket.Part, error) {
	return bucket.Part{}, os.ErrPermission
}

func TestAScratchFolderThatCannotServeIsToldBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		cfg := b.config()
		cfg.Sink.ScratchDir = "/proc/nowhere"
		rep, err := b.stops(t.Context(), ReasonSink, b.options(cfg))
		if !strings.Contains(err.Error(), "sink.scratch_dir") || rep.Requests > 0 {
			t.Errorf("%d requests: %v", rep.Requests, err)
		}
	})
}
