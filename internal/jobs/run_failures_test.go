package jobs

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

const lenient = "failures: {max_ratio: 1}"

func TestAFailedStreamIsTriedAgainAtTheEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.ServerError))
		b.slow(2, "contracts", 25*time.Second)
		// The tries that follow each other are over by then.
		defer time.AfterFunc(15*time.Second, func() { b.misbehave(sandbox.Faults{}) }).Stop()
		rep := b.run()
		if asked := b.asked(1)["contracts"]; asked != tries+1 {
			t.Errorf("asked %d times", asked)
		}
		if want := (report.UserCounts{Listed: 5, Pulled: 5}); rep.Users != want || len(rep.Failures) > 0 {
			t.Errorf("%+v, %v", rep.Users, rep.Failures)
		}
		if got := rep.Streams[config.StreamContracts]; got.Pulled != 5 || got.Failed != 0 {
			t.Errorf("contracts: %+v", got)
		}
		if rep.Retries != tries {
			t.Errorf("%d retries counted", rep.Retries)
		}
		// What went well the first time is not asked for again.
		if asked := b.asked(1); asked["accounts"] != 1 || asked["correlation contracts"] != 1 {
			t.Errorf("asked %v", asked)
		}
	})
}

func TestAStreamThatGoesOnFailingIsCountedOnceANightAndLeavesTheOthers(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		id := b.UserID(1)
		for night := 1; night <= 2; night++ {
			b.misbehave(faultOf(1, "contracts", sandbox.ServerError))
			rep := b.run(lenient)
			if diff := cmp.Diff([]report.Failure{{UserID: id, Stream: config.StreamContracts, Class: finoos.Server, Nights: night}}, rep.Failures); diff != "" {
				t.Errorf("night %d: %s", night, diff)
			}
			if rep.Users.Failed != 1 || rep.Streams[config.StreamContracts].Failed != 1 {
				t.Errorf("night %d: %+v", night, rep.Users)
			}
			cursors := b.cursors()[id]
			if c := cursors[config.StreamContracts]; c.Failures != night || c.ErrorClass != "server" || c.CorrelationID != "" {
				t.Errorf("night %d: %+v", night, c)
			}
			if c := cursors[config.StreamAccountHistory]; c.Failures != 0 || c.CorrelationID == "" {
				t.Errorf("night %d: the stream after it: %+v", night, c)
			}
			b.Night()
		}
		b.misbehave(sandbox.Faults{})
		rep := b.run(lenient)
		if c := b.cursors()[id][config.StreamContracts]; c.Failures != 0 || c.ErrorClass != "" || c.CorrelationID == "" || rep.Users.Pulled != 1 {
			t.Errorf("after the fault: %+v, %+v", c, rep.Users)
		}
	})
}

func TestWithoutRetryAtEndAFailureIsFinal(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.ServerError))
		defer time.AfterFunc(3*time.Minute, func() { b.misbehave(sandbox.Faults{}) }).Stop()
		rep := b.run("failures: {max_ratio: 1, retry_at_end: false}")
		if rep.Users.Failed != 1 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestMoreFailedUsersThanMaxRatioIsAReasonOfItsOwn(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		_, _ = b.stops(t.Context(), ReasonTooManyFailed, b.options(b.config("failures: {max_ratio: 0.24}")))
		b.Night()
		b.run("failures: {max_ratio: 0.25}")
	})
}

func TestA404IsCheckedWithTheUsersOwnPath(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		b.misbehave(sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{
			"1": {"contracts": {Kind: sandbox.NotFound}, "account_history": {Kind: sandbox.NotFound}},
			"2": {"contracts": {Kind: sandbox.Deleted}},
		}})
		rep := b.run(lenient)
		want := []report.Failure{
			{UserID: b.UserID(1), Stream: config.StreamContracts, Class: finoos.NotFound, Nights: 1},
			{UserID: b.UserID(1), Stream: config.StreamAccountHistory, Class: finoos.NotFound, Nights: 1},
		}
		if diff := cmp.Diff(want, rep.Failures); diff != "" {
			t.Error(diff)
		}
		if want := (report.UserCounts{Listed: 5, Pulled: 3, Failed: 1, Missing: 1}); rep.Users != want {
			t.Errorf("%+v, want %+v", rep.Users, want)
		}
		if b.asked(1)["user"] != 1 || b.asked(2)["user"] != 1 || b.asked(0)["user"] != 0 {
			t.Errorf("own paths asked: %d, %d, %d", b.asked(1)["user"], b.asked(2)["user"], b.asked(0)["user"])
		}
		if c := b.changes(rep)["users"]; c.Upserts != 5 || c.Deletes != 0 {
			t.Errorf("users: %+v", c)
		}
		// The list had this user: the next one that does not decides.
		b.Night()
		rep = b.run(lenient)
		if want := (report.UserCounts{Listed: 5, Unchanged: 3, Failed: 1, Gone: 1}); rep.Users != want {
			t.Errorf("the next night: %+v, want %+v", rep.Users, want)
		}
		if c := b.changes(rep)["users"]; c.Upserts != 0 || c.Deletes != 1 {
			t.Errorf("users: %+v", c)
		}
		if _, known := b.cursors()[b.UserID(2)]; known {
			t.Error("the cursors of a user who is gone have not ended")
		}
		b.Night()
		if rep := b.run(lenient); rep.Users.Gone != 0 || rep.Users.Listed != 4 {
			t.Errorf("the night after: %+v", rep.Users)
		}
	})
}

func TestNoAnalysisIsSaidWhenItBegins(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "correlation", sandbox.NeverAnalysed))
		rep := b.run()
		if rep.Streams[config.StreamAccounts].NoAnalysis != 1 || rep.Streams[config.StreamContracts].NoAnalysis != 1 || b.asked(1)["user"] != 1 {
			t.Errorf("%+v, own path asked %d times", rep.Users, b.asked(1)["user"])
		}
		if c := b.changes(rep)["pulls"]; c.Upserts != 4*6 {
			t.Errorf("%d rows of pulls, want one a stream", c.Upserts)
		}
		before := len(b.log())
		b.Night()
		rep = b.run()
		if rep.Users.NoAnalysis != 1 || len(b.log()) != before || b.asked(1)["user"] != 0 {
			t.Errorf("second night: %+v, %d new commits, asked %v", rep.Users, len(b.log())-before, b.asked(1))
		}
		b.misbehave(sandbox.Faults{})
		b.Night()
		if rep = b.run(); rep.Users.Pulled != 1 || rep.Users.NoAnalysis != 0 || rep.Streams[config.StreamContracts].Pulled != 1 {
			t.Errorf("once analysed: %+v", rep.Users)
		}
	})
}

func TestBadUsersAreNoOutage(t *testing.T) {
	t.Parallel()
	o := banktest.Still(6)
	inBubble(t, o, func(b *bank) {
		t := b.t
		bad := sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{}}
		for _, u := range []string{"0", "1", "2", "3"} {
			bad.Users[u] = map[string]sandbox.UserFault{"correlation": {Kind: sandbox.ServerError}, "logins": {Kind: sandbox.ServerError}}
		}
		b.misbehave(bad)
		rep, _ := b.stops(t.Context(), ReasonTooManyFailed, b.options(b.config("concurrency: 1")))
		if want := (report.UserCounts{Listed: 6, Pulled: 2, Failed: 4}); rep.Users != want {
			t.Errorf("%+v, want %+v", rep.Users, want)
		}
	})
}

func TestAnAPIThatIsDownEndsTheRunAfterACommit(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"with every stream":                     {"concurrency: 4"},
		"with users, whose pull asks nothing":   {"streams: [users, contracts]", "concurrency: 1"},
		"where the list of users still answers": {"streams: [contracts]", "concurrency: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(60), func(b *bank) {
				t := b.t
				var n atomic.Int64
				b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
					list := strings.HasSuffix(r.URL.Path, "/users") && strings.HasPrefix(name, "where")
					if n.Add(1) < 40 || list || strings.HasSuffix(r.URL.Path, "/auth") {
						return nil, nil //nolint:nilnil // goes on
					}
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
				}}
				began := time.Now()
				rep, _ := b.stops(t.Context(), ReasonAPI, b.options(b.config(lines...)))
				if rep.Commits == 0 || len(b.cursors()) == 0 {
					t.Errorf("%d commits", rep.Commits)
				}
				if took := time.Since(began); took > 90*time.Minute {
					t.Errorf("ended after %s only", took)
				}
			})
		})
	}
}

func TestAMissingUserWhosePathFailsKeepsItsCursor(t *testing.T) {
	t.Parallel()
	o := banktest.Still(12)
	o.PageSize = 4
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.run(lenient)
		before := b.cursors()
		b.misbehave(sandbox.Faults{Shift: sandbox.ShiftRemove})
		healthy := b.transport
		b.transport = via{healthy, func(r *http.Request) (*http.Response, error) {
			if strings.Count(r.URL.Path, "/") == 2 && strings.HasPrefix(r.URL.Path, "/users/") {
				return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		var missed string
		for night := 1; night <= 2; night++ {
			b.Night()
			rep := b.run(lenient)
			if rep.Users.Failed == 0 || rep.Users.Listed != 12 || rep.Users.Gone != 0 {
				t.Fatalf("night %d: %+v", night, rep.Users)
			}
			missed = rep.Failures[0].UserID
			c, was := b.cursors()[missed][config.StreamUsers], before[missed][config.StreamUsers]
			if c.Failures != night || !c.ExtractedAt.After(was.ExtractedAt) || string(c.State) != string(was.State) {
				t.Errorf("night %d: %+v", night, c)
			}
		}
		b.transport = healthy
		b.Night()
		if rep := b.run(lenient); rep.Users.Listed != 12 || rep.Users.Unchanged != 12 || b.Counts()["user"] == 0 {
			t.Errorf("asked for again: %+v", rep.Users)
		}
	})
}
