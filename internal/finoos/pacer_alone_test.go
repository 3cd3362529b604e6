package finoos

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// refuses answers one user's logins with a refusal, and everybody else.
func refuses(t *testing.T, user, after string) (*Client, *api) {
	t.Helper()
	return setup(t, func(r *http.Request, _ int) reply {
		if strings.Contains(r.URL.Path, user) {
			return reply{status: 429, header: map[string]string{"Retry-After": after}, body: `{"type":"rate_limit"}`}
		}
		return reply{body: `[]`}
	})
}

func TestAUserWhoIsRefusedAgainWhileOthersAreAnsweredPausesNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := refuses(t, "alone", "15")
		ctx := WithAttempt(t.Context(), 0)
		ask := func(user string) (*Error, time.Duration) {
			begun := time.Now()
			l, err := c.Logins(ctx, user)
			if err == nil {
				_ = l.Close()
				return nil, time.Since(begun)
			}
			e, _ := err.(*Error) //nolint:errorlint // its own type, or nil
			return e, time.Since(begun)
		}
		if e, _ := ask("alone"); e == nil || e.Personal || e.RetryAfter != 15*time.Second {
			t.Fatalf("first: %+v", e)
		}
		if _, took := ask("other"); took != 15*time.Second {
			t.Errorf("after the first refusal others wait for %v, want 15 s", took)
		}
		for range 5 {
			_, _ = ask("other")
		}
		if e, _ := ask("alone"); e == nil || !e.Personal {
			t.Fatalf("second: %+v", e)
		}
		if _, took := ask("other"); took != 0 {
			t.Errorf("after the second refusal others wait for %v", took)
		}
		// Now it is known that there are such users, and the next is believed at once.
		for range 5 {
			_, _ = ask("other")
		}
		if e, _ := ask("alone-too"); e == nil || !e.Personal {
			t.Errorf("another user: %+v", e)
		}
		// Where nobody is answered in between, it is the limit of all.
		if e, _ := ask("alone-three"); e == nil || e.Personal {
			t.Errorf("one right after: %+v", e)
		}
		if s := c.Stats(); s.Refused != 4 {
			t.Errorf("%d refused", s.Refused)
		}
	})
}

func TestOneAttemptIsOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{status: 503}))
		for before := range 2 {
			if _, err := c.Logins(WithAttempt(t.Context(), before), testUser); ClassOf(err) != Server {
				t.Error(err)
			}
			if a.count() != before+1 {
				t.Errorf("%d requests after %d attempts", a.count(), before+1)
			}
		}
		if s := c.Stats(); s.Retries != 1 {
			t.Errorf("%d retries counted, want 1", s.Retries)
		}
	})
}

func TestOnlyABodyThatNamesATypeIsTheAPIsOwn(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"type":"forbidden"}`:                             true,
		`{"type":"forbidden","message":"scope"}`:           true,
		`{"Type":"forbidden","message":null}`:              true,
		`{"message":"Forbidden"}`:                          false,
		`{"error":"forbidden"}`:                            false,
		`{"type":"","message":"no"}`:                       false,
		`{"type":null}`:                                    false,
		`{"type":{"type":"forbidden"}}`:                    false,
		`[{"type":"forbidden"}]`:                           false,
		`"forbidden"`:                                      false,
		`<html>blocked</html>`:                             false,
		``:                                                 false,
		`{"type":"about:blank","title":"Forbidden"}`:       false,
		`{"type":"https://example.test/waf","status":403}`: false,
		`{"type":"forbidden"`:                              false,
	} {
		c, _ := setup(t, always(reply{status: 403, body: body}))
		_, err := c.Logins(WithAttempt(t.Context(), 0), testUser)
		e, ok := err.(*Error) //nolint:errorlint // its own type
		if !ok || e.Class != Forbidden || e.Own != want {
			t.Errorf("%s: %+v, want own %v", body, e, want)
		}
	}
}
