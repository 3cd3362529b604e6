package jobs

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

const services = "streams: [accounts, categorization, contracts]"

// tellOutcomes counts the outcomes of a stream in a report.
func tellOutcomes(s *report.Stream) string {
	return fmt.Sprintf("pulled %d, unchanged %d, not booked %d, failed %d", s.Pulled, s.Unchanged, s.NotBooked, s.Failed)
}

func TestAServiceThatSomeHaveNotBookedIsARowOnceAndNoFailure(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"somebody has it before they are asked": {services, "concurrency: 1", "probe: each"},
		"all at once":                           {services, "concurrency: 64", "probe: each"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(6)
			o.Faults.Users = map[string]map[string]sandbox.UserFault{}
			for _, u := range []string{"0", "2", "4"} {
				o.Faults.Users[u] = map[string]sandbox.UserFault{"contracts": {Kind: sandbox.Forbidden}}
			}
			inBubble(t, o, func(b *bank) {
				t := b.t
				rep := b.run(lines...)
				if got := tellOutcomes(rep.Streams[config.StreamContracts]); got != "pulled 3, unchanged 0, not booked 3, failed 0" || rep.Users.Failed > 0 {
					t.Errorf("%s; %+v", got, rep.Users)
				}
				if c := b.changes(rep)["pulls"]; c.Upserts != 6*3 {
					t.Errorf("%d rows of pulls, want one a stream", c.Upserts)
				}
				before := len(b.log())
				b.Night()
				rep = b.run(lines...)
				if got := tellOutcomes(rep.Streams[config.StreamContracts]); got != "pulled 0, unchanged 3, not booked 3, failed 0" || len(b.log()) != before {
					t.Errorf("the next night: %s, %d commits more", got, len(b.log())-before)
				}
				b.misbehave(sandbox.Faults{})
				b.Night()
				rep = b.run(lines...)
				if got := tellOutcomes(rep.Streams[config.StreamContracts]); got != "pulled 3, unchanged 3, not booked 0, failed 0" {
					t.Errorf("once booked: %s", got)
				}
				// From now on a refusal is a failure: the stream was pulled.
				b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.URL.Path, b.UserID(0)+"/contracts/correlation") {
						return &http.Response{StatusCode: 403, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"type":"forbidden"}`)), Request: r}, nil
					}
					return nil, nil //nolint:nilnil // goes on
				}}
				b.Night()
				rep = b.run(append(lines, lenient)...)
				if got := tellOutcomes(rep.Streams[config.StreamContracts]); got != "pulled 0, unchanged 5, not booked 0, failed 1" {
					t.Errorf("once pulled: %s", got)
				}
			})
		})
	}
}

func TestAServiceThatNobodyHasIsSaidAndNoRow(t *testing.T) {
	t.Parallel()
	o := banktest.Still(30)
	o.Scopes = []string{"banking", "categorization", "account-history"}
	inBubble(t, o, func(b *bank) {
		t := b.t
		rep := b.run(services)
		if got := tellOutcomes(rep.Streams[config.StreamContracts]); got != "pulled 0, unchanged 0, not booked 30, failed 0" {
			t.Error(got)
		}
		if c := b.changes(rep)["pulls"]; c.Upserts != 30*2 {
			t.Errorf("%d rows of pulls", c.Upserts)
		}
		if got := rep.Streams[config.StreamCategorization]; got.Pulled != 30 {
			t.Errorf("%+v", got)
		}
	})
}

func TestEveryServiceRefusingEverybodyIsAMatterOfScopes(t *testing.T) {
	t.Parallel()
	for _, users := range []int{2, 200} {
		t.Run(strconv.Itoa(users), func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(users)
			o.Scopes = []string{"webhooks"}
			inBubble(t, o, func(b *bank) {
				t := b.t
				_, err := b.stops(t.Context(), ReasonCredentials, b.options(b.config(services)))
				if !strings.Contains(err.Error(), "banking, categorization, contracts") {
					t.Errorf("says %q", err)
				}
				if n := b.Counts()["correlation"]; n > 2*3*inRow {
					t.Errorf("%d correlations asked for", n)
				}
			})
		})
	}
}

func TestAScopeThatTheTokenDoesNotNameIsNoReasonToStop(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/auth") {
				return nil, nil //nolint:nilnil // goes on
			}
			res, err := b.Transport().RoundTrip(r)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(res.Body)
			res.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(body), `"scope":"`, `"scope":"bankingExternal cockpit","was":"`)))
			res.ContentLength = -1
			return res, err
		}}
		if rep := b.run(services); rep.Users.Pulled != 3 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestScopesOfAUserThatLeaveAServiceOutAreAskedOnceAWeek(t *testing.T) {
	t.Parallel()
	o := banktest.Still(4)
	inBubble(t, o, func(b *bank) {
		t := b.t
		id, scopes := b.UserID(1), `["banking"]`
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.Contains(r.URL.Path, id+"/contracts"):
				return &http.Response{StatusCode: 403, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"type":"forbidden"}`)), Request: r}, nil
			case r.URL.Path == "/users":
				res, err := b.Transport().RoundTrip(r)
				if err != nil {
					return nil, err
				}
				body, err := io.ReadAll(res.Body)
				res.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(body), `"id":"`+id+`"`, `"id":"`+id+`","userScopes":`+scopes)))
				res.ContentLength = -1
				return res, err
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		n := 0
		counted := func() int { was := n; n = 0; return was }
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, id+"/contracts") {
				n++
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		asked := func() (nights []int) {
			for night := 1; night <= 15; night++ {
				if b.run("streams: [accounts, contracts]", "probe: each"); counted() > 0 {
					nights = append(nights, night)
				}
				b.Night()
			}
			return nights
		}
		// At once, at the user's own instant of the week, and a week later.
		if got := asked(); len(got) != 3 || got[0] != 1 || got[2]-got[1] != 7 {
			t.Errorf("asked on nights %d", got)
		}
		scopes = `["banking","cockpits"]`
		if b.run("streams: [accounts, contracts]", "probe: each"); counted() == 0 {
			t.Error("not asked although the scopes have changed")
		}
		scopes = `["banking","contracts"]`
		for range 2 {
			b.Night()
			if b.run("streams: [accounts, contracts]", "probe: each"); counted() == 0 {
				t.Error("not asked although the scopes have it")
			}
		}
	})
}
