package jobs

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"

	"github.com/google/go-cmp/cmp"
)

const oneService = "probe: one"

// correlationsAsked are the services of which a user was asked, sorted.
func (b *bank) correlationsAsked(user int) (services []string) {
	for _, what := range slices.Sorted(maps.Keys(b.asked(user))) {
		if service, ok := strings.CutPrefix(what, "correlation "); ok {
			services = append(services, service)
		}
	}
	return services
}

// watchCorrelations tells what correlations of a user were asked for since it was asked
// the last time, whoever answers them.
func (b *bank) watchCorrelations() func(user int) string {
	var mu sync.Mutex
	seen := map[string]map[string]bool{}
	b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
		if user, rest := pathOf(r); strings.HasSuffix(rest, "/correlation") {
			mu.Lock()
			defer mu.Unlock()
			if seen[user] == nil {
				seen[user] = map[string]bool{}
			}
			seen[user][strings.TrimSuffix(rest, "/correlation")] = true
		}
		return nil, nil //nolint:nilnil // goes on
	}}
	return func(user int) string {
		mu.Lock()
		defer mu.Unlock()
		services := slices.Sorted(maps.Keys(seen[b.UserID(user)]))
		delete(seen, b.UserID(user))
		return strings.Join(services, " ")
	}
}

var allServices = []string{"account-history", "banking", "categorization", "contracts"}

func TestAQuietUserIsAskedOfTheServiceThatFinishesLast(t *testing.T) {
	t.Parallel()
	for streams, want := range map[string][]string{
		"[users, accounts, transactions, categorization, contracts, account_history]": {"contracts"},
		"[accounts, categorization, account_history]":                                 {"account-history"},
		"[accounts, categorization]":                                                  {"categorization"},
		"[accounts, transactions]":                                                    {"banking"},
	} {
		t.Run(streams, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(3), func(b *bank) {
				b.run(oneService, "streams: "+streams)
				b.Night()
				rep := b.run(oneService, "streams: "+streams)
				for u := range 3 {
					if got := b.correlationsAsked(u); !slices.Equal(got, want) {
						b.t.Errorf("user %d was asked of %s, want %s", u, got, want)
					}
				}
				if rep.Users.Unchanged != 3 {
					b.t.Errorf("%+v", rep.Users)
				}
			})
		})
	}
}

func TestWhatWasNotAskedIsNeitherUnchangedNorASuccess(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		b.run(oneService)
		b.Night()
		rep := b.run(oneService)
		for s, sr := range rep.Streams {
			want := report.Stream{NotAsked: 5}
			switch s { //nolint:exhaustive // all others are as one
			case config.StreamContracts:
				want = report.Stream{Unchanged: 5}
			case config.StreamUsers:
				want = *sr
			}
			if diff := cmp.Diff(want, *sr); diff != "" {
				t.Errorf("%s: %s", s, diff)
			}
		}
		if p := rep.Probe; p == nil || p.Mode != config.ProbeOne || p.AskedOne != 5 || p.Owed+p.Audited+p.Misled != 0 {
			t.Errorf("%+v", p)
		}
	})
}

func TestWhereTheOneHasMovedEachServiceShowsItsOwnAnalysis(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(4), func(b *bank) {
		t := b.t
		b.run(oneService)
		b.Night()
		// A service that is not done yet shows what it did before.
		before := map[string]string{}
		for id, streams := range b.cursors() {
			before[id] = streams[config.StreamAccountHistory].CorrelationID
		}
		late := true
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			user, rest := pathOf(r)
			if late && rest == "account-history/correlation" {
				return answers(r, 200, `{"correlationID":"`+before[user]+`","correlationTimestamp":"2026-11-01T00:00:00Z"}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		asked := b.watchCorrelations()
		rep := b.run(oneService)
		for u := range 4 {
			if got := asked(u); got != strings.Join(allServices, " ") {
				t.Errorf("user %d was asked of %s", u, got)
			}
		}
		for id, streams := range b.cursors() {
			if c := streams[config.StreamAccountHistory]; c.CorrelationID != before[id] {
				t.Errorf("%s: the cursor has %s, which its service has not shown", id, c.CorrelationID)
			}
			if c := streams[config.StreamContracts]; c.CorrelationID == before[id] {
				t.Errorf("%s: contracts have not moved", id)
			}
		}
		if rep.Streams[config.StreamAccountHistory].Unchanged != 4 {
			t.Errorf("%+v", rep.Streams[config.StreamAccountHistory])
		}
		// It is owed to them, and comes though nothing else moves.
		late = false
		rep = b.run(oneService)
		if rep.Probe.Owed != 4 || rep.Streams[config.StreamAccountHistory].Pulled != 4 {
			t.Errorf("%+v, %+v", rep.Probe, rep.Streams[config.StreamAccountHistory])
		}
		if rep = b.run(oneService); rep.Probe.AskedOne != 4 {
			t.Errorf("%+v", rep.Probe)
		}
	})
}

// pathOf is the user of a request, and what of that user it asks for.
func pathOf(r *http.Request) (user, rest string) {
	path, ok := strings.CutPrefix(r.URL.Path, "/users/")
	if !ok {
		return "", ""
	}
	user, rest, _ = strings.Cut(path, "/")
	return user, rest
}

func TestWhoIsOwedSomethingIsAskedOfAllServices(t *testing.T) {
	t.Parallel()
	const short = "streams: [accounts, contracts]"
	for what, c := range map[string]struct {
		first, then []string
		between     func(b *bank)
		asked       []string
	}{
		"a stream that was never pulled": {first: []string{short}, asked: allServices},
		"a failure":                      {first: []string{lenient}, between: func(b *bank) { b.misbehave(sandbox.Faults{}) }, asked: allServices},
		"a backfill's mark":              {between: func(b *bank) { b.fill(b.backfillOptions("2026-10-01")) }, asked: allServices},
		"nothing":                        {asked: []string{"contracts"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(2)
			if what == "a failure" {
				o.Faults = faultOf(0, "categorization", sandbox.Rejected)
			}
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.run(append(c.first, oneService)...)
				b.Night()
				if c.between != nil {
					c.between(b)
				}
				rep := b.run(append(c.then, oneService)...)
				if got := b.correlationsAsked(0); !slices.Equal(got, c.asked) {
					t.Errorf("asked of %s, want %s; %+v", got, c.asked, rep.Probe)
				}
			})
		})
	}
}

// frozen lets the correlations of a service stand still for everybody, while on.
func (b *bank) frozen(service string) (on *bool) {
	on = new(bool)
	var held sync.Map // of texts
	next := b.transport
	b.transport = via{next, func(r *http.Request) (*http.Response, error) {
		if _, rest := pathOf(r); rest != service+"/correlation" {
			return nil, nil //nolint:nilnil // goes on
		}
		if body, ok := held.Load(r.URL.Path); *on && ok {
			return answers(r, 200, fmt.Sprint(body)), nil
		}
		res, err := next.RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusOK {
			return res, err
		}
		body, err := io.ReadAll(res.Body)
		held.Store(r.URL.Path, string(body))
		return answers(r, 200, string(body)), err
	}}
	return on
}

func TestAServiceThatNeverFinishesIsFoundByTheAuditAndNotBelievedUntilItDoes(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(40)
	o.Nightly.Analysed = 0.1
	inBubble(t, o, func(b *bank) {
		t := b.t
		stands := b.frozen("contracts")
		streams := "streams: [accounts, transactions, contracts]"
		b.run(oneService, streams, "concurrency: 1")
		b.Night()
		*stands = true
		fell, lifted := 0, 0
		for night := 1; night <= 45; night++ {
			if night == 20 {
				*stands = false
			}
			rep := b.run(oneService, streams, "concurrency: 1")
			switch {
			case fell == 0 && rep.Probe.Mode == config.ProbeEach:
				fell = night
				if !strings.Contains(rep.Probe.Why, "not believed") {
					t.Errorf("why: %s", rep.Probe.Why)
				}
			case fell > 0 && lifted == 0 && rep.Probe.Mode == config.ProbeOne:
				lifted = night
			}
			b.Night()
		}
		if fell < 2 || fell > 15 || lifted < 30 || lifted > 36 {
			t.Errorf("all were asked from night %d on, one again from night %d on", fell, lifted)
		}
	})
}

func TestWhatTheOneHidesComesWithinTwoWeeks(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(12), func(b *bank) {
		t := b.t
		streams := "streams: [accounts, contracts]"
		b.run(oneService, streams)
		b.Night()
		// One user's banking moves, and contracts never do.
		id, at := b.UserID(3), b.Now()
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if user, rest := pathOf(r); user == id && rest == "banking/correlation" {
				return answers(r, 200, fmt.Sprintf(`{"correlationID":"moved","correlationTimestamp":%q}`, at.Format(time.RFC3339))), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		asked := b.watchCorrelations()
		found, asks := 0, map[string]int{}
		for night := 1; night <= 20; night++ {
			rep := b.run(oneService, streams)
			if found == 0 && rep.Streams[config.StreamAccounts].Pulled == 1 {
				found = night
				if rep.Probe.Misled != 1 || rep.Probe.Audited == 0 {
					t.Errorf("%+v", rep.Probe)
				}
			}
			if got := asked(3); found > 0 && night > found {
				asks[got]++
			}
			b.Night()
		}
		if found == 0 || found > 14 {
			t.Errorf("found on night %d", found)
		}
		// A day later nobody waits for contracts any more, and banking is asked instead.
		if asks["banking"] < 4 || asks["banking contracts"] > 3 {
			t.Errorf("asked afterwards: %v", asks)
		}
	})
}

func TestWhereTheOneIsDownTheNextIsAskedAndNobodyPassedOver(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(60), func(b *bank) {
		t := b.t
		b.run(oneService, fourServices)
		b.Night()
		b.fail(outages["503"], func(_, rest string) bool { return rest == "contracts/correlation" })
		rep, err := b.try(t.Context(), b.options(b.config(oneService, fourServices, "concurrency: 1")))
		asked := map[string]int{}
		for u := range 60 {
			for _, s := range b.correlationsAsked(u) {
				asked[s]++
			}
		}
		if rep.Users.Unchanged < 30 || asked["account-history"] < 60 || rep.Users.PassedOver > 25 {
			t.Errorf("%+v, asked %v, %v", rep.Users, asked, err)
		}
	})
}

func TestAutoAsksOneOnceTheServicesAreKnownToShowOneAnalysis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		apart func(user int) bool // has an id of its own for each service
		want  string
	}{
		"all show one":        {func(int) bool { return false }, config.ProbeOne},
		"none does":           {func(int) bool { return true }, config.ProbeEach},
		"two of 120 do not":   {func(u int) bool { return u < 2 }, config.ProbeEach},
		"one of 120 does not": {func(u int) bool { return u < 1 }, config.ProbeOne},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(120), func(b *bank) {
				t := b.t
				apart := map[string]bool{}
				for u := range 120 {
					apart[b.UserID(u)] = c.apart(u)
				}
				next := b.transport
				b.transport = via{next, func(r *http.Request) (*http.Response, error) {
					user, rest := pathOf(r)
					if service, ok := strings.CutSuffix(rest, "/correlation"); ok && apart[user] {
						return answers(r, 200, `{"correlationID":"of-`+service+`","correlationTimestamp":"2026-11-01T00:00:00Z"}`), nil
					}
					return nil, nil //nolint:nilnil // goes on
				}}
				streams := "streams: [accounts, contracts]"
				if first := b.run(streams); first.Probe.Mode != config.ProbeEach {
					t.Errorf("the first night: %+v", first.Probe)
				}
				b.Night()
				if rep := b.run(streams); rep.Probe.Mode != c.want || rep.Probe.Why == "" {
					t.Errorf("the second night: %+v", rep.Probe)
				}
				if s := b.status(streams); s.Probe.Mode != c.want || s.Probe.Why == "" {
					t.Errorf("status: %+v", s.Probe)
				}
			})
		})
	}
}
