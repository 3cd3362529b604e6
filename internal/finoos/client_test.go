package finoos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const oneLogin = `[{"bankLoginId":"l"}]`

func TestReadsAreRepeatedUntilTheySucceed(t *testing.T) {
	t.Parallel()
	for name, failed := range map[string]reply{
		"reset":             {err: syscall.ECONNRESET},
		"refused":           {err: syscall.ECONNREFUSED},
		"cut body":          {body: oneLogin[:5], cut: io.ErrUnexpectedEOF},
		"reset within body": {body: oneLogin, cut: syscall.ECONNRESET},
		"408":               {status: 408},
		"429":               {status: 429},
		"500":               {status: 500},
		"502":               {status: 502, body: "<html>"},
		"503":               {status: 503, header: map[string]string{"Retry-After": "3"}},
		"late":              {after: time.Hour},
		"202, not ready":    {status: 202, body: `[]`},
		"206, a part":       {status: 206, body: oneLogin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, a := setup(t, inTurn(failed, failed, reply{body: oneLogin}))
				l, err := c.Logins(t.Context(), testUser)
				if got := all(t, l, err); len(got) != 1 || a.count() != 3 {
					t.Errorf("%d logins after %d requests", len(got), a.count())
				}
				if s := c.Stats(); s.Retries != 2 || s.ByOperation["logins"] != 3 || s.ByOperation["auth"] != 1 || s.Requests != 4 {
					t.Errorf("counted %+v", s)
				}
			})
		})
	}
}

func TestWhatRepetitionCannotMendIsAskedOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply reply
		class Class
	}{
		"400":            {reply{status: 400}, Invalid},
		"403":            {reply{status: 403, body: `{"type":"forbidden","message":"no"}`}, Forbidden},
		"404":            {reply{status: 404}, NotFound},
		"409":            {reply{status: 409}, Invalid},
		"410":            {reply{status: 410}, NotFound},
		"redirect":       {reply{status: 302, header: map[string]string{"Location": "https://elsewhere.test/"}}, Invalid},
		"not JSON":       {reply{body: "<html>"}, Malformed},
		"truncated JSON": {reply{body: oneLogin[:9]}, Malformed},
		"empty":          {reply{}, Malformed},
		"too large":      {reply{body: strings.Repeat(" ", 2000) + oneLogin}, TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, a := setup(t, always(test.reply), func(cfg *Config) { cfg.MaxResponse = 1999 })
			err := failure(c.Logins(t.Context(), testUser))
			if ClassOf(err) != test.class || a.count() != 1 {
				t.Errorf("%v after %d requests", err, a.count())
			}
		})
	}
}

func TestBodyOfExactlyTheLimitIsRead(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(" ", chunkSize) + oneLogin
	c, _ := setup(t, always(reply{body: body}), func(cfg *Config) { cfg.MaxResponse = int64(len(body)) })
	l, err := c.Logins(t.Context(), testUser)
	if got := all(t, l, err); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestEndlessFailureEndsWithThePatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{status: 503, body: `{"type":"down","message":"later"}`}),
			func(cfg *Config) { cfg.RetryMaxElapsed = 2 * time.Minute })
		begun := time.Now()
		_, err := c.Accounts(t.Context(), testUser)
		var e *Error
		if !errors.As(err, &e) || e.Class != Server || e.Status != 503 || e.Type != "down" || e.Message != "later" {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(begun); took > 2*time.Minute || took < 30*time.Second {
			t.Errorf("gave up after %v", took)
		}
		if n := a.count(); n < 8 || n > 60 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestNegativePatienceMeansNoRetry(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{status: 500}), func(cfg *Config) { cfg.RetryMaxElapsed = -1 })
	if _, err := c.Accounts(t.Context(), testUser); ClassOf(err) != Server || a.count() != 1 {
		t.Errorf("%v after %d requests", err, a.count())
	}
}

func TestBackoffIsJitteredWithinItsBounds(t *testing.T) {
	t.Parallel()
	for attempt, ceiling := range []time.Duration{firstBackoff, 2 * firstBackoff, 4 * firstBackoff} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := backoff(attempt)
			if d < 0 || d >= ceiling {
				t.Fatalf("retry %d waits %v", attempt, d)
			}
			seen[d] = true
		}
		if len(seen) < 50 {
			t.Errorf("retry %d waits one of %d times", attempt, len(seen))
		}
	}
	if d := backoff(1 << 30); d >= maxBackoff {
		t.Errorf("a late retry waits %v", d)
	}
}

func TestRetryAfterIsWaitedForInBothForms(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"seconds", "date", "date by the server's clock"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				header := map[string]string{"Retry-After": "20"}
				switch form {
				case "date":
					header["Retry-After"] = begun.Add(20 * time.Second).UTC().Format(http.TimeFormat)
				case "date by the server's clock":
					header["Date"] = begun.Add(-time.Hour).UTC().Format(http.TimeFormat)
					header["Retry-After"] = begun.Add(-time.Hour + 20*time.Second).UTC().Format(http.TimeFormat)
				}
				c, _ := setup(t, inTurn(reply{status: 503, header: header}, reply{body: oneLogin}))
				l, err := c.Logins(t.Context(), testUser)
				all(t, l, err)
				if took := time.Since(begun); took < 20*time.Second || took > 21*time.Second {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

func TestRetryAfterBeyondThePatienceEndsTheCallAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{status: 503, header: map[string]string{"Retry-After": "121"}}))
		begun := time.Now()
		_, err := c.Accounts(t.Context(), testUser)
		var e *Error
		if !errors.As(err, &e) || e.RetryAfter != 121*time.Second || a.count() != 1 || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestCancelledContextWinsOverWhateverHappens(t *testing.T) {
	t.Parallel()
	stop := errors.New("stopped by the test")
	for name, r := range map[string]reply{
		"in flight": {after: time.Hour}, "while backing off": {status: 503, header: map[string]string{"Retry-After": "90"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := setup(t, always(r))
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(10*time.Second, func() { cancel(stop) })
				begun := time.Now()
				_, err := c.Accounts(ctx, testUser)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, stop) || ClassOf(err) != "" {
					t.Errorf("got %v", err)
				}
				if took := time.Since(begun); took != 10*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestLateAnswerIsATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := setup(t, always(reply{after: time.Minute}), func(cfg *Config) { cfg.RetryMaxElapsed = -1 })
		begun := time.Now()
		_, err := c.Accounts(t.Context(), testUser)
		if ClassOf(err) != Timeout || time.Since(begun) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestRequestsSayWhoAsks(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{body: `{"accounts":[]}`}), func(cfg *Config) {
		cfg.BaseURL, cfg.Tenant, cfg.UserAgent = "https://finoos.test/api/", "acme", "syncer/1"
	})
	l, err := c.Accounts(t.Context(), "a/b c?d")
	all(t, l, err)
	req := a.asked[0]
	got := []string{req.URL.String(), req.Header.Get("Authorization"), req.Header.Get("Tenantid"), req.UserAgent()}
	want := []string{"https://finoos.test/api/users/a%2Fb%20c%3Fd/banking/accounts", "Bearer token-1", "acme", "syncer/1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestIDsThatLeadElsewhereAreNotSent(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", ".."} {
		c, a := setup(t, always(reply{body: `[]`}))
		if _, err := c.Logins(t.Context(), id); ClassOf(err) != Invalid || a.count() != 0 {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestNoContentIsAnEmptyList(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, always(reply{status: 204}))
	l, err := c.Accounts(t.Context(), testUser)
	if got := all(t, l, err); len(got) != 0 || l.Bytes() != 0 {
		t.Errorf("got %v", got)
	}
}

func TestAccountHistoryIsAskedForAsAWhole(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{body: `{"histories":[{"accountId":"a","balances":[{"date":"2024-01-01","balance":1}]}]}`}))
	l, err := c.AccountHistory(t.Context(), testUser)
	if got := all(t, l, err); len(got) != 1 || len(got[0].Balances) != 1 || a.asked[0].URL.Path != "/api/users/"+testUser+"/account-history" {
		t.Errorf("asked %s, got %v", a.asked[0].URL, got)
	}
}

func TestMeterCountsRetriesAndBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := setup(t, inTurn(reply{status: 500, body: "12345"}, reply{body: oneLogin}))
		if err := c.Authenticate(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := c.Stats().Bytes
		var m Meter
		l, err := c.Logins(WithMeter(t.Context(), &m), testUser)
		all(t, l, err)
		if m.Requests.Load() != 2 || m.Bytes.Load() != int64(5+len(oneLogin)) || c.Stats().Bytes-before != m.Bytes.Load() {
			t.Errorf("counted %d requests, %d bytes", m.Requests.Load(), m.Bytes.Load())
		}
	})
}

func TestTransactionsAreBoundedByInstants(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{body: `{"transactions":[{"transactionId":"t","accountId":"a"}]}`}))
	since := time.Date(2024, 3, 31, 0, 0, 0, 0, time.FixedZone("", 2*3600))
	for _, q := range []TransactionQuery{{}, {Since: since}, {Since: since, Until: date(2024, 4, 2)}} {
		l, err := c.Transactions(t.Context(), testUser, q)
		if got := all(t, l, err); len(got) != 1 {
			t.Errorf("got %v", got)
		}
	}
	want := []string{
		"", "since=2024-03-31T00:00:00+02:00", "since=2024-03-31T00:00:00+02:00&until=2024-04-02T00:00:00Z",
	}
	if d := cmp.Diff(want, a.queries()); d != "" {
		t.Error(d)
	}
}

func TestSingleRecordsMayBeWrapped(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"context":{},"User":{"id":"u","name":"n"}}`, `{"id":"u","name":"n"}`} {
		c, _ := setup(t, always(reply{body: body}))
		u, err := c.User(t.Context(), "u")
		if err != nil || u.ID != "u" || u.Name != "n" || u.Extra != "" {
			t.Errorf("%s: %+v, %v", body, u, err)
		}
	}
	for _, r := range []reply{{body: `{}`}, {body: `[]`}, {body: ``}, {status: 204}, {body: `{"user":{"id":"u"}} x`}} {
		c, _ := setup(t, always(r))
		if _, err := c.User(t.Context(), "u"); ClassOf(err) != Malformed {
			t.Errorf("%q: %v", r.body, err)
		}
	}
}

func TestCorrelationIsReadOrNotThere(t *testing.T) {
	t.Parallel()
	c, a := setup(t, inTurn(
		reply{body: `{"correlationID":"c1","correlationTimestamp":"2024-01-22T14:08:47+01:00","note":1}`},
		reply{status: 404}, reply{status: 204}, reply{body: `{"correlationID":null}`},
	))
	got, err := c.Correlation(t.Context(), testUser, AccountHistoryService)
	want := Correlation{ID: "c1", At: time.Date(2024, 1, 22, 13, 8, 47, 0, time.UTC)}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if path := a.asked[0].URL.Path; path != "/api/users/"+testUser+"/account-history/correlation" {
		t.Errorf("asked %s", path)
	}
	for _, class := range []Class{NotFound, NotFound, Malformed} {
		if _, err := c.Correlation(t.Context(), testUser, Banking); ClassOf(err) != class {
			t.Errorf("got %v, want %s", err, class)
		}
	}
}

func TestNothingPrivateIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		c, _ := setup(t, inTurn(
			reply{status: 500, body: `{"message":"user ` + testUser + ` with Bearer token-1"}`},
			reply{status: 429, header: map[string]string{"Retry-After": "1"}}, reply{body: `[]`},
		), func(cfg *Config) {
			cfg.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		l, err := c.Contracts(t.Context(), testUser)
		all(t, l, err)
		for _, private := range []string{testUser, "token-1", testSecret} {
			if strings.Contains(logged.String(), private) {
				t.Errorf("%s is in the log: %s", private, logged.String())
			}
		}
		if !strings.Contains(logged.String(), "call is retried") {
			t.Errorf("logged %s", logged.String())
		}
	})
}
