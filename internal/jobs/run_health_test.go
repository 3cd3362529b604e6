package jobs

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

const fourServices = "streams: [users, accounts, transactions, categorization, contracts, account_history]"

// answers makes an answer.
func answers(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

// outages are the ways in which an API fails that is down, or that something
// before it answers for.
var outages = map[string]func(*http.Request) (*http.Response, error){
	"503": func(r *http.Request) (*http.Response, error) { return answers(r, 503, ""), nil },
	"500 of its own": func(r *http.Request) (*http.Response, error) {
		return answers(r, 500, `{"type":"internal_error"}`), nil
	},
	"400 for everything":     func(r *http.Request) (*http.Response, error) { return answers(r, 400, `{"type":"bad_request"}`), nil },
	"403 page of a firewall": func(r *http.Request) (*http.Response, error) { return answers(r, 403, "<html>blocked</html>"), nil },
	"403 text of a gateway":  func(r *http.Request) (*http.Response, error) { return answers(r, 403, `{"message":"Forbidden"}`), nil },
	"200 maintenance page":   func(r *http.Request) (*http.Response, error) { return answers(r, 200, "<html>maintenance</html>"), nil },
	"200 and no body":        func(r *http.Request) (*http.Response, error) { return answers(r, 200, ""), nil },
	"302":                    func(r *http.Request) (*http.Response, error) { return answers(r, 302, ""), nil },
	"418":                    func(r *http.Request) (*http.Response, error) { return answers(r, 418, "teapot"), nil },
	"connection refused": func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	},
	"connection cut": func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
}

// servicePaths are what belongs to each service below a user's path.
var servicePaths = map[string][]string{
	"banking": {"banking/correlation", "banking/accounts", "banking/transactions"}, "categorization": {"categorization/correlation", "categorization"},
	"contracts": {"contracts/correlation", "contracts"}, "account-history": {"account-history/correlation", "account-history"},
}

// below is the path of a request below its user's, and who that is.
func below(r *http.Request) (user, rest string) {
	p, ok := strings.CutPrefix(r.URL.Path, "/users/")
	if !ok {
		return "", ""
	}
	user, rest, _ = strings.Cut(p, "/")
	return user, rest
}

// fail answers in place of the API while when says so.
func (b *bank) fail(how func(*http.Request) (*http.Response, error), when func(user, rest string) bool) {
	b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
		if user, rest := below(r); rest != "" && when(user, rest) {
			return how(r)
		}
		return nil, nil //nolint:nilnil // goes on
	}}
}

func TestAnAPIThatFailsForEveryoneIsDownWhateverItSays(t *testing.T) {
	t.Parallel()
	for name, how := range outages {
		if raceEnabled && name != "503" && name != "200 maintenance page" {
			continue
		}
		for _, users := range []int{5, 45} {
			t.Run(fmt.Sprintf("%s, %d users", name, users), func(t *testing.T) {
				t.Parallel()
				inBubble(t, banktest.Still(users), func(b *bank) {
					t := b.t
					b.light()
					b.fail(how, func(string, string) bool { return true })
					began := time.Now()
					rep, err := b.stops(t.Context(), ReasonAPI, b.options(b.config(fourServices)))
					if rep.Users.Failed > 0 || b.changes(rep)["pulls"].Upserts > 0 {
						t.Errorf("%+v: %v", rep.Users, err)
					}
					if took := time.Since(began); took < time.Minute || took > 4*time.Minute {
						t.Errorf("ended after %s, want about retry.max_elapsed", took)
					}
					if rep.Requests > 450 {
						t.Errorf("%d requests to an API that is down", rep.Requests)
					}
				})
			})
		}
	}
}

func TestOneServiceThatIsDownHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for service, paths := range servicePaths {
		for _, name := range []string{"503", "403 page of a firewall", "200 maintenance page"} {
			if raceEnabled && name != "503" {
				continue
			}
			how := outages[name]
			t.Run(service+" "+name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, banktest.Still(45), func(b *bank) {
					t := b.t
					b.light()
					b.fail(how, func(_, rest string) bool { return slices.Contains(paths, rest) })
					began := time.Now()
					rep, err := b.try(t.Context(), b.options(b.config(fourServices)))
					if took := time.Since(began); took > 4*time.Minute {
						t.Errorf("took %s", took)
					}
					if rep.Users.Failed > 0 || rep.Users.PassedOver != 45 || rep.Services[service].PassedOver < 45 || err == nil {
						t.Errorf("%+v, %+v: %v", rep.Users, rep.Services, err)
					}
					for s, got := range rep.Streams {
						want := int64(45)
						if of, ok := config.ServiceOf(s); ok && string(of) == service {
							want = 0
						}
						if got.Pulled+got.NoAnalysis != want || got.Failed > 0 {
							t.Errorf("%s: %+v", s, got)
						}
					}
					for _, cs := range b.cursors() {
						for s, c := range cs {
							if c.Failures > 0 {
								t.Fatalf("%s has a failure", s)
							}
						}
					}
				})
			})
		}
	}
}

func TestAShortOutageCostsNobodyAnything(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"500 of its own", "503", "connection cut", "200 maintenance page"} {
		how := outages[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(60)
			o.Faults.Latency = 200 * time.Millisecond
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.light()
				began := time.Now()
				b.fail(how, func(_, rest string) bool {
					since := time.Since(began)
					return strings.HasPrefix(rest, "contracts") && since > 3*time.Second && since < 20*time.Second
				})
				rep := b.run(fourServices)
				if rep.Users.Pulled+rep.Users.NoAnalysis != 60 || rep.Users.PassedOver != 0 || len(rep.Services) > 0 {
					t.Errorf("%+v, %v", rep.Users, rep.Services)
				}
				for s, got := range rep.Streams {
					if got.Pulled+got.NoAnalysis != 60 || got.Failed > 0 {
						t.Errorf("%s: %+v", s, got)
					}
				}
			})
		})
	}
}

func TestWhereOnlyDataIsDownQuietUsersAreStillQuiet(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(90)
	o.Nightly.Analysed = 0.5
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.light()
		b.run(fourServices)
		b.Night()
		b.fail(outages["503"], func(_, rest string) bool { return rest == "contracts" })
		rep, _ := b.try(t.Context(), b.options(b.config(fourServices)))
		got := rep.Streams[config.StreamContracts]
		if got.Unchanged == 0 || got.Pulled+got.Failed > 0 || got.Unchanged+rep.Services["contracts"].PassedOver != 90 {
			t.Errorf("%+v, %+v", got, rep.Services)
		}
	})
}

func TestBadUsersAmongOthersFailWhileTheServiceRecovers(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(80), func(b *bank) {
		t := b.t
		b.light()
		began := time.Now()
		var bad []string
		for u := range 25 { // more than make a row, and first of all
			bad = append(bad, b.UserID(u*3))
		}
		b.fail(outages["503"], func(user, rest string) bool {
			return rest == "contracts" && (slices.Contains(bad, user) || time.Since(began) < 10*time.Second)
		})
		rep := b.run(fourServices, lenient)
		if got := rep.Streams[config.StreamContracts]; got.Pulled+got.NoAnalysis != 55 || got.Failed != 25 || rep.Users.Failed != 25 || rep.Users.PassedOver != 0 {
			t.Errorf("%+v, %+v", got, rep.Users)
		}
	})
}

func TestOneUserWhoAnswers500CostsTheOthersNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"500 of its own", "503", "connection cut", "200 maintenance page"} {
		how := outages[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(60)
			o.Faults.Latency = 20 * time.Millisecond
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.light()
				id := b.UserID(7)
				b.fail(how, func(user, rest string) bool { return user == id && rest == "contracts" })
				began := time.Now()
				rep := b.run(fourServices, lenient)
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("took %s", took)
				}
				if got := rep.Streams[config.StreamContracts]; got.Pulled != 59 || got.Failed != 1 || rep.Users.Pulled != 59 {
					t.Errorf("%+v, %+v", got, rep.Users)
				}
				if c := b.cursors()[id][config.StreamContracts]; c.Failures != 1 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

func TestOneBadUserOnAQuietNightIsNotTakenForAnOutage(t *testing.T) {
	t.Parallel()
	for _, bad := range []int{1, 4} {
		t.Run(strconv.Itoa(bad), func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(12), func(b *bank) {
				t := b.t
				b.light()
				b.run(fourServices)
				var ids []string
				for u := range bad {
					ids = append(ids, b.UserID(u))
				}
				b.fail(func(r *http.Request) (*http.Response, error) {
					return answers(r, 200, `{"correlationID":"`+time.Now().String()+`","correlationTimestamp":"2026-11-20T02:00:00Z"}`), nil
				}, func(user, rest string) bool { return slices.Contains(ids, user) && rest == "contracts/correlation" })
				b.fail(outages["503"], func(user, rest string) bool { return slices.Contains(ids, user) && rest == "contracts" })
				for night := 1; night <= 2; night++ {
					b.Night()
					began := time.Now()
					rep := b.run(fourServices, lenient)
					if took := time.Since(began); took > 30*time.Second || rep.Users.Failed != int64(bad) || rep.Users.PassedOver > 0 {
						t.Errorf("night %d: %+v after %s", night, rep.Users, took)
					}
				}
			})
		})
	}
}

func TestTheLastOneAtWorkIsNotTakenForAnOutage(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t := b.t
		b.light()
		id := b.UserID(3)
		b.slow(3, "contracts", 40*time.Second) // all others are done when it fails
		b.fail(outages["500 of its own"], func(user, rest string) bool { return user == id && rest == "contracts/correlation" })
		began := time.Now()
		rep := b.run("streams: [contracts]", "concurrency: 1", lenient)
		if took := time.Since(began); rep.Users.Failed != 1 || took > 30*time.Second {
			t.Errorf("%+v after %s", rep.Users, took)
		}
	})
}

func TestAnOutageAtTheVeryEndFailsNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t := b.t
		b.light()
		var n atomic.Int64
		var from atomic.Int64
		b.fail(outages["503"], func(string, string) bool {
			if n.Add(1) < 36 { // the last two users
				return false
			}
			from.CompareAndSwap(0, time.Now().UnixNano())
			return time.Since(time.Unix(0, from.Load())) < 70*time.Second
		})
		if rep := b.run("streams: [contracts]", "concurrency: 1"); rep.Users.Pulled != 20 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestA401OfOneUserIsThatUsers(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(50), func(b *bank) {
		t := b.t
		b.run("streams: [users]")
		healthy := b.Counts()["users"]
		bad := []string{b.UserID(7), b.UserID(8)}
		how := func(r *http.Request) (*http.Response, error) { return answers(r, 401, `{"type":"unauthorized"}`), nil }
		b.fail(how, func(user, rest string) bool { return slices.Contains(bad, user) && rest == "banking/accounts" })
		for night := 1; night <= 2; night++ {
			rep := b.run("streams: [accounts, contracts]", lenient)
			if rep.Users.Failed != 2 || rep.Users.Listed != 50 || rep.FailuresByClass[finoos.Auth] != 2 {
				t.Errorf("night %d: %+v, %v", night, rep.Users, rep.FailuresByClass)
			}
			if n := b.Counts()["users"]; n > healthy+1 {
				t.Errorf("night %d: %d pages of the list, %d without the fault", night, n, healthy)
			}
			b.Night()
		}
	})
}

func TestA401OfEverybodyEndsTheRun(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(50), func(b *bank) {
		t := b.t
		var n atomic.Int64
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if path.Base(r.URL.Path) != "auth" && n.Add(1) > 60 {
				return answers(r, 401, ""), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		if rep, _ := b.stops(t.Context(), ReasonCredentials, b.options(b.config())); rep.Users.Failed > 0 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestAUserWithALimitOfItsOwnWaitsAlone(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]struct {
		most    time.Duration
		retryAt bool
	}{"15": {2 * time.Minute, false}, "3600": {3 * time.Minute, true}, "": {time.Minute, false}} {
		t.Run("Retry-After "+after, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(60)
			o.Faults.Latency = 20 * time.Millisecond
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.light()
				bad := []string{b.UserID(3), b.UserID(33), b.UserID(53)}
				b.fail(func(r *http.Request) (*http.Response, error) {
					res := answers(r, 429, `{"type":"limit","message":"daily limit of this account"}`)
					if after != "" {
						res.Header.Set("Retry-After", after)
					}
					return res, nil
				}, func(user, rest string) bool { return slices.Contains(bad, user) && rest == "banking/transactions" })
				began := time.Now()
				rep := b.run("streams: [accounts, transactions, contracts]", lenient)
				if took := time.Since(began); took > want.most {
					t.Errorf("took %s", took)
				}
				if rep.Users.Failed != 3 || rep.Users.Pulled != 57 || rep.FailuresByClass[finoos.RateLimited] != 3 {
					t.Errorf("%+v, %v", rep.Users, rep.FailuresByClass)
				}
				for _, id := range bad {
					if c := b.cursors()[id][config.StreamTransactions]; c.RetryAt.IsZero() == want.retryAt {
						t.Errorf("tried again after %v", c.RetryAt)
					}
				}
				b.ResetRequests()
				b.run("streams: [accounts, transactions, contracts]", lenient)
				if asked := b.asked(3)["correlation banking"]; want.retryAt && b.asked(3)["transactions"] > 0 {
					t.Errorf("asked within the hour: %d", asked)
				}
			})
		})
	}
}
