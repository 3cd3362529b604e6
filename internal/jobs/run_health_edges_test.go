package jobs

import (
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

func TestWhoIsGoneWhilePassedOverIsCountedOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(45), func(b *bank) {
		t := b.t
		b.run(fourServices)
		b.Night()
		began, id := time.Now(), b.UserID(40)
		isUp := func() bool { return time.Since(began) > 20*time.Second }
		b.fail(outages["503"], func(_, rest string) bool { return rest == "contracts/correlation" && !isUp() })
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if isUp() && strings.HasPrefix(r.URL.Path, "/users/"+id) {
				return answers(r, 404, `{"type":"not_found"}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		rep, _ := b.try(t.Context(), b.options(b.config(fourServices, "probe: each")))
		if u := rep.Users; u.Missing != 1 || u.PassedOver != 0 || u.Done() != u.Listed {
			t.Errorf("%+v", u)
		}
	})
}

func TestAnOperationIsKnockedAtWhileItAnswers(t *testing.T) {
	t.Parallel()
	h, op := &health{of: map[apiPart]*condition{}}, dataOf(config.StreamContracts)
	h.answered(t.Context(), op, "a") // between a look whether it is down and the knock
	for range 4 {
		if got := h.knockNow(op); got != "a" {
			t.Errorf("knocks with %q", got)
		}
	}
}

func TestWhomTheDeadlineKeepsFromComingBackIsNotReached(t *testing.T) {
	t.Parallel()
	for _, deadline := range []string{"25s", "29s", "33s"} { // before, at and among their return
		t.Run(deadline, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(60)
			o.Faults.Latency = time.Second
			inBubble(t, o, func(b *bank) {
				t := b.t
				began := time.Now()
				b.fail(outages["503"], func(_, rest string) bool {
					return rest == "contracts/correlation" && time.Since(began) < 22*time.Second
				})
				lines := []string{"streams: [contracts]", "concurrency: 8"}
				rep := b.run(append(lines, "deadline: "+deadline)...)
				if u := rep.Users; rep.Outcome != "deadline" || u.PassedOver != 0 || u.Failed != 0 || u.Done()+rep.Unreached != u.Listed {
					t.Errorf("%s: %+v, %d unreached", rep.Outcome, u, rep.Unreached)
				}
				if rep.Resume == nil || len(rep.Resume.Waiting) == 0 {
					t.Fatalf("%+v", rep.Resume)
				}
				if rep = b.run(lines...); rep.Users.Pulled+rep.Users.Unchanged != 60 {
					t.Errorf("the next night: %+v", rep.Users)
				}
			})
		})
	}
}

func TestEverythingForbiddenInTheAPIsOwnWordsIsAMatterOfCredentials(t *testing.T) {
	t.Parallel()
	for _, users := range []int{5, 45} {
		t.Run(strconv.Itoa(users), func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(users), func(b *bank) {
				t := b.t
				b.run(fourServices) // scopes were granted, and are no more
				b.Night()
				b.fail(func(r *http.Request) (*http.Response, error) {
					return answers(r, 403, `{"type":"forbidden","message":"the scope is missing"}`), nil
				}, func(string, string) bool { return true })
				rep, _ := b.stops(t.Context(), ReasonCredentials, b.options(b.config(fourServices)))
				if rep.Users.Failed > 0 {
					t.Errorf("%+v", rep.Users)
				}
			})
		})
	}
}

func TestATokenRefusedSoonAfterOneUsersEndsTheRun(t *testing.T) {
	t.Parallel()
	o := banktest.Still(80)
	o.Faults.Latency = 200 * time.Millisecond
	inBubble(t, o, func(b *bank) {
		t := b.t
		began, id := time.Now(), b.UserID(2)
		var first atomic.Int64 // the first of that user
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			user, rest := below(r)
			bad := rest != "" && user == id
			if bad {
				first.CompareAndSwap(0, int64(time.Since(began)))
			}
			at := time.Duration(first.Load())
			if bad || at > 0 && time.Since(began) > at+2*time.Second && path.Base(r.URL.Path) != "auth" {
				return answers(r, 401, `{"type":"unauthorized"}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		rep, _ := b.stops(t.Context(), ReasonCredentials, b.options(b.config(fourServices, firstSeparate)))
		if took := time.Since(began); rep.Users.Failed > 1 || took > 3*time.Minute {
			t.Errorf("%+v after %s", rep.Users, took)
		}
	})
}

func TestWhatIsDownIsNotAskedForTheSakeOfOthers(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"banking, to tell who is quiet": {"probe: banking"},
		"a service that is settling":    {"sync: {when: always, user_ip: 192.0.2.1, settle_timeout: 10m}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(90), func(b *bank) {
				t := b.t
				lines := append(lines, fourServices, "concurrency: 1")
				down := "contracts/correlation"
				if name[0] == 'b' {
					b.run(lines...)
					down = "banking/correlation"
				}
				var dead atomic.Int64
				b.fail(func(r *http.Request) (*http.Response, error) {
					dead.Add(1)
					return answers(r, 503, ""), nil
				}, func(_, rest string) bool { return rest == down })
				began := time.Now()
				rep, _ := b.try(t.Context(), b.options(b.config(lines...)))
				if n := dead.Load(); n > 200 || rep.Users.PassedOver != 90 || rep.Unsettled > 0 {
					t.Errorf("%d requests to what is down, %+v, %d unsettled after %s", n, rep.Users, rep.Unsettled, time.Since(began))
				}
			})
		})
	}
}

func TestAPanicOutsideOfAPullIsOneUsersFailureToo(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"banking/logins", "banking/sync"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(5), func(b *bank) {
				t := b.t
				id := b.UserID(2)
				b.fail(func(*http.Request) (*http.Response, error) { panic("DE02120300000000202051") },
					func(user, rest string) bool { return user == id && rest == at })
				rep := b.run("streams: [contracts]", lenient, "sync: {when: always, user_ip: 192.0.2.1}")
				if rep.Users.Failed != 1 || rep.Users.Pulled != 4 || rep.FailuresByClass[finoos.Internal] != 1 {
					t.Errorf("%+v, %v", rep.Users, rep.FailuresByClass)
				}
			})
		})
	}
}

func TestAServiceThatComesAndGoesFailsNobody(t *testing.T) {
	t.Parallel()
	for how, period := range map[string]time.Duration{"503": 7 * time.Second, "403 page of a firewall": 20 * time.Second} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(60)
			o.Faults.Latency = 500 * time.Millisecond
			inBubble(t, o, func(b *bank) {
				t := b.t
				began := time.Now()
				b.fail(outages[how], func(_, rest string) bool {
					return strings.HasPrefix(rest, "contracts") && time.Since(began)%(2*period) < period
				})
				if rep := b.run("streams: [accounts, contracts]"); rep.Users.Pulled != 60 {
					t.Errorf("%+v", rep.Users)
				}
			})
		})
	}
}

func TestAPanicIsOneUsersFailureAndTellsNothingOfIt(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		id := b.UserID(2)
		b.fail(func(*http.Request) (*http.Response, error) { panic("DE02120300000000202051") },
			func(user, rest string) bool { return user == id && rest == "contracts" })
		rep := b.run(fourServices, lenient)
		if rep.Users.Failed != 1 || rep.Users.Pulled != 4 || rep.FailuresByClass[finoos.Internal] != 1 {
			t.Errorf("%+v, %v", rep.Users, rep.FailuresByClass)
		}
		if c := b.cursors()[id][config.StreamContracts]; c.ErrorClass != "internal" {
			t.Errorf("%+v", c)
		}
		for _, body := range b.tree() {
			if strings.Contains(body, "DE02120300000000202051") {
				t.Error("what the panic was made of is in the lake")
			}
		}
	})
}

func TestWhatIsCompleteDoesNotWaitForStragglers(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t := b.t
		b.light()
		id := b.UserID(3)
		b.fail(func(r *http.Request) (*http.Response, error) {
			res := answers(r, 429, "")
			res.Header.Set("Retry-After", "58")
			return res, nil
		}, func(user, rest string) bool { return user == id && rest == "contracts" })
		var mu sync.Mutex
		var early bool
		o := b.options(b.config(fourServices, lenient, "checkpoint_every: 10h"))
		o.Now = nil
		began := time.Now()
		// A user's pause is told from everybody's by the second refusal or
		// the third; after three pauses, 174 s, the user is given up.
		time.AfterFunc(170*time.Second, func() {
			mu.Lock()
			defer mu.Unlock()
			early = len(b.log()) > 0
		})
		rep, err := b.try(t.Context(), o)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || !early || rep.Commits != 2 {
			t.Errorf("after %s %d commits: %v", time.Since(began), rep.Commits, err)
		}
	})
}
