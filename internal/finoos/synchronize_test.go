package finoos

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errDial = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func retryAfterSeconds(s string) map[string]string { return map[string]string{"Retry-After": s} }

func TestEveryAnswerToASyncSessionIsAnOutcome(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply reply
		want  SyncResult
	}{
		"204": {
			reply{status: 204, header: map[string]string{"Finoos-Correlation-Id": "c1"}},
			SyncResult{Outcome: Synced, Status: 204, CorrelationID: "c1"},
		},
		"200":          {reply{status: 200, body: "fine"}, SyncResult{Outcome: Synced, Status: 200}},
		"400":          {reply{status: 400, body: `{"type":"bad","message":"no"}`}, SyncResult{Outcome: Rejected, Status: 400, ErrorType: "bad", Message: "no"}},
		"403":          {reply{status: 403}, SyncResult{Outcome: SyncForbidden, Status: 403}},
		"404":          {reply{status: 404}, SyncResult{Outcome: Gone, Status: 404}},
		"409":          {reply{status: 409}, SyncResult{Outcome: InterfaceDeprecated, Status: 409}},
		"422":          {reply{status: 422}, SyncResult{Outcome: CredentialsRequired, Status: 422}},
		"423":          {reply{status: 423, body: `{"message":"bank says no"}`}, SyncResult{Outcome: Blocked, Status: 423, Message: "bank says no"}},
		"429":          {reply{status: 429}, SyncResult{Outcome: DailyLimit, Status: 429}},
		"429 for long": {reply{status: 429, header: retryAfterSeconds("3600")}, SyncResult{Outcome: DailyLimit, Status: 429}},
		"429 daily": {
			reply{status: 429, body: `{"type":"daily_limit"}`}, SyncResult{Outcome: DailyLimit, Status: 429, ErrorType: "daily_limit"},
		},
		"451": {
			reply{status: 451, body: `{"sessionId":"s1","userIdentifier":"x","redirectURL":"https://bank.test/?t=1"}`},
			SyncResult{Outcome: SCARequired, Status: 451, SessionID: "s1", RedirectURL: "https://bank.test/?t=1"},
		},
		"451 cut":        {reply{status: 451, body: `{"sessionId":"s1`, cut: io.ErrUnexpectedEOF}, SyncResult{Outcome: SCARequired, Status: 451, Message: `{"sessionId":"s1`}},
		"418":            {reply{status: 418}, SyncResult{Outcome: Failed, Status: 418}},
		"408":            {reply{status: 408}, SyncResult{Outcome: Unknown, Status: 408}},
		"500":            {reply{status: 500}, SyncResult{Outcome: Failed, Status: 500}},
		"500 in words":   {reply{status: 500, body: `{"type":"internal","message":"oh"}`}, SyncResult{Outcome: Failed, Status: 500, ErrorType: "internal", Message: "oh"}},
		"501":            {reply{status: 501}, SyncResult{Outcome: Failed, Status: 501}},
		"502":            {reply{status: 502, body: "<html>"}, SyncResult{Outcome: Unknown, Status: 502, Message: "the answer is a web page"}},
		"503":            {reply{status: 503, header: retryAfterSeconds("1")}, SyncResult{Outcome: Unknown, Status: 503}},
		"504":            {reply{status: 504}, SyncResult{Outcome: Unknown, Status: 504}},
		"524":            {reply{status: 524}, SyncResult{Outcome: Unknown, Status: 524}},
		"202":            {reply{status: 202}, SyncResult{Outcome: Unknown, Status: 202}},
		"206":            {reply{status: 206, body: "{"}, SyncResult{Outcome: Unknown, Status: 206, Message: "{"}},
		"200, a page":    {reply{status: 200, body: "<!doctype html>"}, SyncResult{Outcome: Unknown, Status: 200, Message: "the answer is a web page"}},
		"200 cut":        {reply{status: 200, body: `{"ok`, cut: io.ErrUnexpectedEOF}, SyncResult{Outcome: Unknown, Status: 200, Message: `{"ok`}},
		"303":            {reply{status: 303}, SyncResult{Outcome: Unknown, Status: 303, Message: "redirects are not followed"}},
		"302":            {reply{status: 302, header: map[string]string{"Location": "/"}}, SyncResult{Outcome: Failed, Status: 302, Message: "redirects are not followed"}},
		"reset":          {reply{err: syscall.ECONNRESET, sent: true}, SyncResult{Outcome: Unknown, Message: "connection reset by peer"}},
		"reset unseen":   {reply{err: syscall.ECONNRESET}, SyncResult{Outcome: Unknown, Message: "connection reset by peer"}},
		"end of file":    {reply{err: io.ErrUnexpectedEOF, sent: true}, SyncResult{Outcome: Unknown, Message: "the connection was closed before the answer was whole"}},
		"dial, yet sent": {reply{err: errDial, sent: true}, SyncResult{Outcome: Unknown, Message: "connection refused"}},
		"late":           {reply{after: time.Hour}, SyncResult{Outcome: Unknown, Message: "no answer within 30s (finoos.timeout)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, a := setup(t, always(test.reply))
				got, err := c.Synchronize(t.Context(), testUser, SyncRequest{BankLoginID: "l", UserIP: "203.0.113.7"})
				if d := cmp.Diff(test.want, got); d != "" || err != nil {
					t.Errorf("%v %s", err, d)
				}
				if a.count() != 1 {
					t.Errorf("%d sessions were asked for", a.count())
				}
			})
		})
	}
}

func TestSyncSessionSaysWhichLoginAndWhoAsks(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{status: 204}))
	links := SyncRequest{UserIP: "203.0.113.7", RedirectURL: "https://app.test/done?a=1", ErrorURL: "app://error", ExitURL: "app://exit"}
	for _, r := range []SyncRequest{{BankLoginID: `l"1`, UserIP: "203.0.113.7"}, {UserIP: "203.0.113.7"}, links} {
		if _, err := c.Synchronize(t.Context(), testUser, r); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{
		`{"bankLoginId":"l\"1"}`, `{}`, `{"redirectURL":"https://app.test/done?a=1","errorURL":"app://error","exitURL":"app://exit"}`,
	}, a.bodies); d != "" {
		t.Error(d)
	}
	req := a.asked[0]
	got := []string{req.Method, req.URL.Path, req.Header.Get("User-Ip"), req.Header.Get("Content-Type")}
	if d := cmp.Diff([]string{"POST", "/api/users/" + testUser + "/banking/sync", "203.0.113.7", "application/json"}, got); d != "" {
		t.Error(d)
	}
}

func TestSyncSessionIsAskedForAgainWhereItReachedNobody(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]reply{
		"refused connection":   {err: errDial},
		"no such host":         {err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}},
		"rate limit by time":   {status: 429, header: retryAfterSeconds("60")},
		"rate limit at once":   {status: 429, header: retryAfterSeconds("0")},
		"rate limit by type":   {status: 429, body: `{"type":"RATE_LIMIT"}`},
		"rate limit, for long": {status: 429, body: `{"type":"rate_limit"}`, header: retryAfterSeconds("90")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, a := setup(t, inTurn(r, reply{status: 204}))
				got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
				if d := cmp.Diff(SyncResult{Outcome: Synced, Status: 204}, got); d != "" || err != nil || a.count() != 2 {
					t.Errorf("%v after %d requests %s", err, a.count(), d)
				}
				if r.status == 429 != (c.Stats().Refused == 1) {
					t.Errorf("counted %+v", c.Stats())
				}
			})
		})
	}
}

func TestSyncSessionThatNeverGotOutHasFailed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		session reply
		token   reply
		want    SyncResult
	}{
		"no connection": {session: reply{err: errDial}, token: granted("token", 300), want: SyncResult{Outcome: Failed, Message: "connection refused"}},
		"rate limit":    {session: reply{status: 429, header: retryAfterSeconds("30")}, token: granted("token", 300), want: SyncResult{Outcome: Failed, Status: 429}},
		"no token":      {token: reply{status: 503}, want: SyncResult{Outcome: Failed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, a := setup(t, always(test.session))
				a.token = func(int) reply { return test.token }
				got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
				if d := cmp.Diff(test.want, got); d != "" || err != nil {
					t.Errorf("%v %s", err, d)
				}
			})
		})
	}
}

func TestRefusalIsTheRateLimitWhileReadsAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, func(r *http.Request, n int) reply {
			switch {
			case r.Method == http.MethodPost && n < 2:
				return reply{status: 429, after: time.Second}
			case n < 2:
				return reply{status: 429, header: retryAfterSeconds("10")}
			}
			return reply{status: 204}
		})
		var calls sync.WaitGroup
		calls.Go(func() {
			got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
			if got.Outcome != Synced || err != nil {
				t.Errorf("%+v, %v", got, err)
			}
		})
		calls.Go(func() {
			time.Sleep(500 * time.Millisecond)
			l, err := c.Logins(t.Context(), testUser)
			all(t, l, err)
		})
		calls.Wait()
		if a.count() != 4 {
			t.Errorf("%d requests", a.count())
		}
	})
}

func TestDailyLimitSlowsNothingDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := setup(t, func(r *http.Request, _ int) reply {
			if r.Method == http.MethodPost {
				return reply{status: 429, header: retryAfterSeconds("3600")}
			}
			return reply{body: `[]`}
		})
		begun := time.Now()
		if got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"}); got.Outcome != DailyLimit || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		l, err := c.Logins(t.Context(), testUser)
		all(t, l, err)
		if time.Since(begun) != 0 || c.Stats().Refused != 0 {
			t.Errorf("took %v, counted %+v", time.Since(begun), c.Stats())
		}
	})
}

// As banks were seen to say it, whose API calls each of these a limit of the rate.
func TestALimitOfTheBanksIsToldByItsWords(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"type":"RateLimitError","message":"Daily request limit set by the Institution has been exceeded."}`,
		`{"type":"ASPSP_RATE_LIMIT_EXCEEDED","message":"too many"}`,
		`{"type":"rate_limit","message":"[HUB046] Allowed number of accesses exceeded for consent"}`,
		`{"type":"RATE_LIMIT","message":"Daily PSU not present consultation limit has been exceeded"}`,
		`{"type":"rate_limit","message":"The access on the account has been exceeding the consented multiplicity per day."}`,
		`{"type":"rate_limit","message":"Access exceeded"}`,
		`{"type":"rate_limit","message":"the bank allows 4 in 24 hours"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			c, a := setup(t, always(reply{status: 429, body: body}))
			got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
			if got.Outcome != DailyLimit || err != nil || a.count() != 1 || c.Stats().Refused != 0 {
				t.Errorf("%s: %+v, %v after %d requests, %d refused", body, got, err, a.count(), c.Stats().Refused)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, inTurn(reply{status: 429, body: `{"type":"RateLimitError","message":"too many requests"}`}, reply{status: 204}))
		if got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"}); got.Outcome != Synced || err != nil || a.count() != 2 {
			t.Errorf("a limit of the rate: %+v, %v", got, err)
		}
	})
}

func TestSyncSessionFailsWithItsCredentials(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{status: 401}))
	got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
	if ClassOf(err) != Auth || got.Outcome != Failed || a.count() != 2 {
		t.Errorf("%+v, %v after %d requests", got, err, a.count())
	}
}

func TestSyncSessionWithARefusedTokenIsSentOnceMore(t *testing.T) {
	t.Parallel()
	c, a := setup(t, inTurn(reply{status: 401}, reply{status: 204}))
	got, err := c.Synchronize(t.Context(), testUser, SyncRequest{BankLoginID: "l", UserIP: "203.0.113.7"})
	if got.Outcome != Synced || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if d := cmp.Diff([]string{`{"bankLoginId":"l"}`, `{"bankLoginId":"l"}`}, a.bodies); d != "" {
		t.Error(d)
	}
}

func TestStoppedSyncSessionIsUnknownOnlyIfItWasSent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		session, token reply
		want           Outcome
	}{
		"in flight":         {reply{after: time.Minute}, granted("token", 300), Unknown},
		"without a token":   {reply{}, reply{after: 20 * time.Second}, ""},
		"before it's again": {reply{status: 429, header: retryAfterSeconds("50")}, granted("token", 300), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, a := setup(t, always(test.session))
				a.token = func(int) reply { return test.token }
				ctx, cancel := contextFor(t, 10*time.Second)
				defer cancel()
				got, err := c.Synchronize(ctx, testUser, SyncRequest{UserIP: "203.0.113.7"})
				if got.Outcome != test.want || !errors.Is(err, context.Canceled) {
					t.Errorf("%+v, %v", got, err)
				}
				time.Sleep(time.Minute) // let the token's request end
			})
		})
	}
}

func TestSyncResultTellsNoSecret(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, always(reply{
		status: 451,
		body:   `{"redirectURL":"https://bank.test/?t=1","message":"go to https://bank.test/?t=1 as ` + testUser + `"}`,
	}))
	got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
	if err != nil || strings.Contains(got.Message, "bank.test") || strings.Contains(got.Message, testUser) {
		t.Errorf("%+v, %v", got, err)
	}
	if got.RedirectURL.Reveal() != "https://bank.test/?t=1" {
		t.Error("the link is lost")
	}
}

func TestASessionUnderWayIsWaitedForWhenTheRunIsToldToStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		after time.Duration
		want  Outcome
		err   error
	}{
		"answered soon":     {14 * time.Second, Synced, nil},
		"answered too late": {time.Minute, Unknown, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, a := setup(t, always(reply{status: 204, after: test.after}))
				ctx, cancel := contextFor(t, 10*time.Second)
				defer cancel()
				begun := time.Now()
				got, err := c.Synchronize(ctx, testUser, SyncRequest{UserIP: "203.0.113.7"})
				if got.Outcome != test.want || !errors.Is(err, test.err) || a.count() != 1 {
					t.Errorf("%+v, %v after %d requests", got, err, a.count())
				}
				if took := time.Since(begun); took > 10*time.Second+answerGrace {
					t.Errorf("it took %v", took)
				}
				time.Sleep(time.Minute) // let the request end
			})
		})
	}
}

// At a signal an attempt is sent, and waited for, or not sent: never sent and given up.
func TestAnAttemptThatWasCalledOffIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, a := setup(t, always(reply{status: 204}))
		call, err := c.newCall(opSynchronize, testUser, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, release := whileAnswered(ctx, call)
		defer release()
		cancel()
		synctest.Wait()                        // it is not under way
		resp, err := c.send(t.Context(), call) //nolint:bodyclose // there is none
		if err == nil {
			closeQuietly(resp.Body)
		}
		if err == nil || !unsent(call, err) || a.count() != 0 {
			t.Errorf("%d sent, %v", a.count(), err)
		}
		call.handed.begin()
		if !call.handed.hand() || call.handed.callOff() || !call.handed.hand() {
			t.Error("called off though it is under way, or not sent again with a new token")
		}
	})
}

func TestWhatMayHaveReachedTheBankIsTold(t *testing.T) {
	t.Parallel()
	for _, r := range []SyncResult{{Outcome: Unknown}, {Outcome: Failed, Status: 500}, {Outcome: Failed, Status: 302}} {
		if !r.MayHaveReached() {
			t.Errorf("%+v may not", r)
		}
	}
	for _, r := range []SyncResult{{Outcome: Synced, Status: 204}, {Outcome: Failed}, {Outcome: Failed, Status: 418}, {Outcome: DailyLimit, Status: 429}} {
		if r.MayHaveReached() {
			t.Errorf("%+v may", r)
		}
	}
}
