package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fault sets faults; a user must exist, or the test would prove nothing.
func (c *client) fault(f Faults) {
	c.Helper()
	if err := c.s.SetFaults(f); err != nil {
		c.Fatal(err)
	}
}

func userFaults(user, op string, kind Kind) Faults {
	return Faults{Users: map[string]map[string]UserFault{user: {op: {Kind: kind}}}}
}

func TestFaultsOfAUserStrikeThatUserAlone(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1, Plain: true})
	for _, x := range []struct {
		kind   Kind
		op     string
		path   string
		status int
	}{
		{Forbidden, "account_history", "/account-history", http.StatusForbidden},
		{NotFound, "contracts", "/contracts", http.StatusNotFound},
		{ServerError, "accounts", "/banking/accounts", http.StatusInternalServerError},
		{NeverAnalysed, "*", "/contracts/correlation", http.StatusNotFound},
		{NeverAnalysed, "correlation/contracts", "/contracts/correlation", http.StatusNotFound},
	} {
		id := c.s.UserID(3)
		for _, user := range []string{"3", id} {
			c.fault(userFaults(user, x.op, x.kind))
			if status, _ := c.get("/users/" + id + x.path); status != x.status {
				t.Errorf("%s of %s: answered %d", x.kind, user, status)
			}
		}
		if status, _ := c.get("/users/" + id + "/banking/logins"); status != http.StatusOK && x.op != "*" {
			t.Errorf("%s: another operation is answered %d", x.kind, status)
		}
		if status, _ := c.get("/users/" + c.s.UserID(2) + x.path); status != http.StatusOK {
			t.Errorf("%s: another user is answered %d", x.kind, status)
		}
	}
}

func TestMalformedAnswersAreNoJSON(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1})
	c.fault(userFaults("3", "contracts", Malformed))
	status, body := c.get("/users/" + c.s.UserID(3) + "/contracts")
	if status != http.StatusOK || json.Valid(body) {
		t.Errorf("%d %s", status, body)
	}
}

func TestAUserIsDeletedInTheMiddle(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1})
	c.fault(Faults{Users: map[string]map[string]UserFault{"3": {"*": {Kind: Deleted, After: 2}}}})
	for i, want := range []int{200, 200, 404, 404} {
		if status, _ := c.get("/users/" + c.s.UserID(3)); status != want {
			t.Errorf("request %d is answered %d", i, status)
		}
	}
	c.fault(Faults{})
	if status, _ := c.get("/users/" + c.s.UserID(3)); status != 404 || c.s.Users() != 4 {
		t.Error("the user came back")
	}
	for range c.s.TruthUser("users", c.s.UserID(3)) {
		t.Error("the truth still has the user")
	}
}

func TestFaultsOfNobodyAreAnError(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"5", "-1", "nobody"} {
		if _, err := New(Options{Users: 5, Faults: userFaults(user, "*", NotFound)}); err == nil {
			t.Errorf("user %q passes", user)
		}
	}
}

func TestRandomFaultsStrikeAtTheirRate(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1})
	c.fault(Faults{ErrorRate: 0.2, ResetRate: 0.2, TruncateRate: 0.2})
	errs, resets, cuts := 0, 0, 0
	for range 300 {
		resp, err := c.send(http.MethodGet, "/users", "")
		if err != nil {
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
			resets++
			continue
		}
		if _, err = io.ReadAll(resp.Body); errors.Is(err, io.ErrUnexpectedEOF) {
			cuts++
		}
		if resp.StatusCode >= 500 {
			errs++
		}
		_ = resp.Body.Close()
	}
	for name, n := range map[string]int{"errors": errs, "resets": resets, "truncated": cuts} {
		if n < 20 || n > 100 {
			t.Errorf("%s: %d of 300 at rates of 0.2", name, n)
		}
	}
}

func TestBrokenConnectionsLookTheSameOverTCP(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1})
	server := httptest.NewServer(c.s)
	t.Cleanup(server.Close)
	ask := func(kind Kind) error {
		c.fault(userFaults("0", "user", kind))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/users/"+c.s.UserID(0), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.token)
		resp, err := server.Client().Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := ask(SyncSucceeds); err != nil {
		t.Errorf("a healthy answer: %v", err)
	}
	if err := ask(Truncated); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a truncated answer: %v", err)
	}
	if err := ask(Reset); err == nil {
		t.Error("a broken connection answers")
	}
}

func TestDownRefusesConnections(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1})
	c.fault(Faults{Down: true})
	if err := c.try(http.MethodGet, "/users"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

func TestTheRateLimitIsHidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, form := range []RetryAfter{"", RetrySeconds, RetryDate, RetryNone} {
			c := setup(t, Options{Users: 5, Seed: 1})
			c.fault(Faults{RateLimit: 10, Burst: 3, RetryAfter: form})
			refused := 0
			for range 5 {
				resp, err := c.send(http.MethodGet, "/users", "")
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusTooManyRequests {
					continue
				}
				refused++
				after := resp.Header.Get("Retry-After")
				_, notSeconds := strconv.Atoi(after)
				_, notDate := http.ParseTime(after)
				if form == RetryNone && after != "" || form == RetryDate && notDate != nil || (form == "" || form == RetrySeconds) && notSeconds != nil {
					t.Errorf("%q: Retry-After is %q", form, after)
				}
			}
			if refused != 2 {
				t.Errorf("%q: %d of 5 refused with a burst of 3", form, refused)
			}
			<-time.After(time.Second)
			if status, _ := c.get("/users"); status != http.StatusOK {
				t.Errorf("%q: after a second the answer is %d", form, status)
			}
		}
	})
}

func TestReadsAloneCanBeRefused(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1})
	c.fault(Faults{RefuseReads: true})
	if status, _ := c.get("/users"); status != http.StatusTooManyRequests {
		t.Errorf("a read is answered %d", status)
	}
	c.login()
}

func TestLatencyPassesOnTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := setup(t, Options{Users: 5, Seed: 1})
		c.fault(Faults{Latency: 3 * time.Second})
		start := time.Now()
		c.get("/users")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("an answer took %s", d)
		}
		c.http.Timeout = time.Second
		if err := c.try(http.MethodGet, "/users"); err == nil || time.Since(start) != 4*time.Second {
			t.Errorf("a request given up after a second: %v after %s", err, time.Since(start))
		}
	})
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := setup(t, Options{Users: 5, Seed: 1})
		wants := func(after time.Duration, want int) {
			t.Helper()
			<-time.After(after)
			if status, _ := c.get("/users"); status != want {
				t.Errorf("the answer is %d, want %d", status, want)
			}
		}
		wants(299*time.Second, http.StatusOK)
		wants(time.Second, http.StatusUnauthorized)
		c.login()
		c.fault(Faults{TokenEarly: 4 * time.Minute})
		wants(59*time.Second, http.StatusOK)
		wants(time.Second, http.StatusUnauthorized)
		c.fault(Faults{})
		wants(0, http.StatusOK)
		c.s.RevokeTokens()
		wants(0, http.StatusUnauthorized)
		c.login()
		wants(0, http.StatusOK)
		c.fault(Faults{Revoked: true})
		wants(0, http.StatusUnauthorized)
	})
}

func TestTokensAreRefusedForWrongCredentials(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1})
	for form, want := range map[string]int{
		"grant_type=client_credentials&client_id=sandbox&client_secret=wrong":   http.StatusUnauthorized,
		"grant_type=client_credentials&client_id=someone&client_secret=sandbox": http.StatusUnauthorized,
		"grant_type=password&client_id=sandbox&client_secret=sandbox":           http.StatusBadRequest,
	} {
		status, body := c.do(http.MethodPost, "/auth", form, "Content-Type", "application/x-www-form-urlencoded")
		if status != want || !bytes.Contains(body, []byte(`"error"`)) {
			t.Errorf("%s: %d %s", form, status, body)
		}
	}
	for _, token := range []string{"", "x", "sandbox.0.99999999999999.0000000000000000", c.token + "0"} {
		c.token = token
		if status, _ := c.get("/users"); status != http.StatusUnauthorized {
			t.Errorf("token %q is answered %d", token, status)
		}
	}
}

func TestScopesAreAskedFor(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 1, Seed: 1, Scopes: []string{"banking"}})
	id := c.s.UserID(0)
	for path, want := range map[string]int{"/banking/logins": 200, "/contracts": 403, "/contracts/correlation": 403, "/banking/correlation": 200} {
		if status, _ := c.get("/users/" + id + path); status != want {
			t.Errorf("%s is answered %d", path, status)
		}
	}
}
