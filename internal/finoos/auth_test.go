package finoos

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func tokensUsed(a *api) []string {
	used := []string{}
	for _, r := range a.asked {
		used = append(used, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}
	return used
}

func TestTokenIsRenewedAtFourFifthsOfItsLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}))
		for _, wait := range []time.Duration{0, 239 * time.Second, 2 * time.Second, 60 * time.Second} {
			time.Sleep(wait)
			l, err := c.Logins(t.Context(), testUser)
			all(t, l, err)
		}
		if d := cmp.Diff([]string{"token-1", "token-1", "token-2", "token-2"}, tokensUsed(a)); d != "" {
			t.Error(d)
		}
	})
}

func TestOneRequestRenewsTheTokenForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}))
		a.token = func(n int) reply {
			r := granted("token-"+strconv.Itoa(n), 300)
			r.after = 5 * time.Second
			return r
		}
		for range 2 {
			var calls sync.WaitGroup
			for range 20 {
				calls.Go(func() {
					l, err := c.Logins(t.Context(), testUser)
					all(t, l, err)
				})
			}
			calls.Wait()
			time.Sleep(5 * time.Minute)
		}
		if a.tokens != 2 || a.count() != 40 {
			t.Errorf("%d tokens for %d requests", a.tokens, a.count())
		}
	})
}

func TestRenewalDoesNotEndWithTheCallThatBeganIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}))
		a.token = func(int) reply {
			r := granted("token", 300)
			r.after = 10 * time.Second
			return r
		}
		ctx, cancel := contextFor(t, 5*time.Second)
		defer cancel()
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, err := c.Logins(ctx, testUser); err == nil || ClassOf(err) != "" {
				t.Errorf("the first call: %v", err)
			}
		})
		time.Sleep(time.Second)
		l, err := c.Logins(t.Context(), testUser)
		all(t, l, err)
		calls.Wait()
		if a.tokens != 1 {
			t.Errorf("%d tokens", a.tokens)
		}
	})
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	c, a := setup(t, func(r *http.Request, _ int) reply {
		if r.Header.Get("Authorization") == "Bearer token-1" {
			return reply{status: 401}
		}
		return reply{body: `[]`}
	})
	l, err := c.Logins(t.Context(), testUser)
	all(t, l, err)
	if d := cmp.Diff([]string{"token-1", "token-2"}, tokensUsed(a)); d != "" {
		t.Error(d)
	}
}

func TestSecondRefusalIsFinal(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{status: 401, body: `{"type":"unauthorized","message":"token-2 of client"}`}))
	_, err := c.Logins(t.Context(), testUser)
	if ClassOf(err) != Auth || a.count() != 2 || strings.Contains(err.Error(), "token-2") {
		t.Errorf("%v after %d requests", err, a.count())
	}
}

func TestManyRefusalsOfOneTokenRenewItOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, func(r *http.Request, _ int) reply {
			if r.Header.Get("Authorization") == "Bearer token-1" {
				return reply{status: 401, after: time.Second}
			}
			return reply{body: `[]`}
		})
		var calls sync.WaitGroup
		for range 10 {
			calls.Go(func() {
				l, err := c.Logins(t.Context(), testUser)
				all(t, l, err)
			})
		}
		calls.Wait()
		if a.tokens != 2 {
			t.Errorf("%d tokens", a.tokens)
		}
	})
}

// A token endpoint that is slow, or hangs, does not hold up what the old token may still
// ask for.
func TestASlowRenewalHoldsNobodyUpWhileTheOldTokenServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}))
		a.token = func(n int) reply {
			r := granted("token-"+strconv.Itoa(n), 300)
			if n > 1 {
				r.after = 25 * time.Second
			}
			return r
		}
		var took []time.Duration
		for _, wait := range []time.Duration{0, 245 * time.Second, 0, 5 * time.Second, 20 * time.Second} {
			time.Sleep(wait)
			began := time.Now()
			l, err := c.Logins(t.Context(), testUser)
			all(t, l, err)
			took = append(took, time.Since(began))
		}
		if want := []time.Duration{0, renewalMayTake, 0, 0, 0}; !slices.Equal(took, want) {
			t.Errorf("calls took %v, want %v", took, want)
		}
		if got := a.asked[len(a.asked)-1].Header.Get("Authorization"); got != "Bearer token-2" {
			t.Errorf("asked with %s", got)
		}
		a.token = func(int) reply { r := granted("token-3", 300); r.after = 25 * time.Second; return r }
		time.Sleep(290 * time.Second) // it has run out
		began := time.Now()
		l, err := c.Logins(t.Context(), testUser)
		all(t, l, err)
		if took, got := time.Since(began), a.asked[len(a.asked)-1].Header.Get("Authorization"); took != 25*time.Second || got != "Bearer token-3" {
			t.Errorf("asked with %s after %v", got, took)
		}
	})
}

func TestFailedEarlyRenewalLeavesTheOldTokenInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}), func(cfg *Config) { cfg.RetryMaxElapsed = -1 })
		a.token = func(n int) reply {
			if n > 1 {
				return reply{err: syscall.ECONNRESET}
			}
			return granted("token-1", 300)
		}
		for _, wait := range []time.Duration{0, 250 * time.Second} {
			time.Sleep(wait)
			l, err := c.Logins(t.Context(), testUser)
			all(t, l, err)
		}
		time.Sleep(51 * time.Second) // it has expired now
		if _, err := c.Logins(t.Context(), testUser); ClassOf(err) != Network {
			t.Errorf("got %v", err)
		}
		if d := cmp.Diff([]string{"token-1", "token-1"}, tokensUsed(a)); d != "" {
			t.Error(d)
		}
	})
}

func TestTokenEndpointsFailuresHaveTheirClass(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply reply
		class Class
		asked int
	}{
		"400": {reply{status: 400, body: `{"error":"invalid_client","error_description":"secret ` + testSecret + `"}`}, Auth, 1},
		"401": {reply{status: 401, body: `{"type":"unauthorized","message":"wrong"}`}, Auth, 1},
		"403": {reply{status: 403}, Auth, 1},
		// Not the error of a user who is gone:
		"404":      {reply{status: 404}, Auth, 1},
		"302":      {reply{status: 302, header: map[string]string{"Location": "https://elsewhere.test/"}}, Auth, 1},
		"error":    {reply{body: `{"error":"invalid_client"}`}, Auth, 1},
		"429":      {reply{status: 429}, RateLimited, 2},
		"503":      {reply{status: 503}, Server, 2},
		"reset":    {reply{err: syscall.ECONNRESET}, Network, 2},
		"late":     {reply{after: time.Hour}, Timeout, 2},
		"web page": {reply{body: "<html>log in</html>"}, Server, 2},
		"no token": {reply{body: `{"token_type":"Bearer"}`}, Server, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, a := setup(t, always(reply{body: `[]`}))
				a.token = func(int) reply { return test.reply }
				_, err := c.Logins(t.Context(), testUser)
				var e *Error
				if !errors.As(err, &e) || e.Class != test.class || e.Operation != "auth" || e.Path != "/auth" {
					t.Fatalf("got %v", err)
				}
				if strings.Contains(err.Error(), testSecret) || a.count() > 0 || a.tokens < test.asked || (test.asked == 1 && a.tokens > 1) {
					t.Errorf("%v after %d requests", err, a.tokens)
				}
			})
		})
	}
}

func TestAuthenticateIsRepeatedAndTellsScopes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{}))
		a.token = func(n int) reply {
			if n == 1 {
				return reply{status: 502}
			}
			return granted("t", 300)
		}
		if err := c.Authenticate(t.Context()); err != nil {
			t.Fatal(err)
		}
		scopes, err := c.Scopes(t.Context())
		if d := cmp.Diff([]string{"banking", "contracts"}, scopes); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
		if s := c.Stats(); s.ByOperation["auth"] != 2 || s.Requests != 2 || s.Retries != 1 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestTokenThatTellsNoLifeLivesTheDocumentedOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}))
		a.token = func(n int) reply {
			return reply{header: map[string]string{"Content-Type": "application/json"}, body: `{"access_token":"t` + strconv.Itoa(n) + `"}`}
		}
		for range 2 {
			l, err := c.Logins(t.Context(), testUser)
			all(t, l, err)
			time.Sleep(241 * time.Second)
		}
		if a.tokens != 2 {
			t.Errorf("%d tokens", a.tokens)
		}
	})
}
