package finoos

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestsKeepToTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}), func(cfg *Config) { cfg.RequestsPerSecond = 20 })
		begun := time.Now()
		var calls sync.WaitGroup
		for range 16 {
			calls.Go(func() {
				for range 10 {
					l, err := c.Logins(t.Context(), testUser)
					all(t, l, err)
				}
			})
		}
		calls.Wait()
		if took := time.Since(begun); took < 7900*time.Millisecond || took > 8100*time.Millisecond {
			t.Errorf("160 requests and a token took %v at 20 a second", took)
		}
		if a.count() != 160 {
			t.Errorf("%d requests", a.count())
		}
	})
}

func TestRefusalPausesEverybodyUntilRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var at []time.Duration
		c, _ := setup(t, func(_ *http.Request, n int) reply {
			at = append(at, time.Since(begun))
			if n == 0 {
				return reply{status: 429, header: map[string]string{"Retry-After": "30"}}
			}
			return reply{body: `[]`}
		})
		var calls sync.WaitGroup
		for i := range 10 {
			calls.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				l, err := c.Logins(t.Context(), testUser)
				all(t, l, err)
			})
		}
		calls.Wait()
		for i, d := range at[1:] {
			if d < 30*time.Second || d > 31*time.Second {
				t.Errorf("request %d was sent after %v", i+1, d)
			}
		}
		if s := c.Stats(); s.Refused != 1 || s.Retries != 1 || len(at) != 11 {
			t.Errorf("%d requests, counted %+v", len(at), s)
		}
	})
}

func TestRefusalOfTheTokenPausesTheTokenToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{body: `[]`}))
		begun := time.Now()
		var second time.Duration
		a.token = func(n int) reply {
			if n == 1 {
				return reply{status: 429, header: map[string]string{"Retry-After": "7"}}
			}
			second = time.Since(begun)
			return granted("t", 300)
		}
		l, err := c.Logins(t.Context(), testUser)
		all(t, l, err)
		if second < 7*time.Second || second > 8*time.Second {
			t.Errorf("asked again after %v", second)
		}
	})
}

func TestLongPauseEndsRetriesAndIsTestedAfterAMinuteByWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := setup(t, inTurn(reply{status: 429, header: map[string]string{"Retry-After": "600"}}, reply{body: `[]`}))
		begun := time.Now()
		if _, err := c.Logins(t.Context(), testUser); ClassOf(err) != RateLimited || time.Since(begun) > time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		l, err := c.Logins(t.Context(), testUser)
		all(t, l, err)
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("the next was answered after %v", took)
		}
	})
}

func TestRetryThatThePauseMakesTooLateIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := reply{status: 429, header: map[string]string{"Retry-After": "600"}, after: 2 * time.Second}
		c, a := setup(t, func(_ *http.Request, n int) reply {
			if n == 0 { // while it waits for its retry, the other call is refused
				return reply{status: 503, header: map[string]string{"Retry-After": "10"}}
			}
			return limit
		})
		begun := time.Now()
		var calls sync.WaitGroup
		for range 2 {
			calls.Go(func() {
				if _, err := c.Logins(t.Context(), testUser); ClassOf(err) != RateLimited {
					t.Errorf("got %v", err)
				}
			})
		}
		calls.Wait()
		if took := time.Since(begun); took > 11*time.Second || a.count() != 2 {
			t.Errorf("%d requests in %v", a.count(), took)
		}
	})
}
