package finoos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestErrorTellsWhatWasAskedAndAnswered(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, always(reply{
		status: 403, header: map[string]string{"X-Request-Id": "r-1"}, body: `{"type":"forbidden","message":"scope is missing"}`,
	}))
	_, err := c.Correlation(t.Context(), testUser, Banking)
	const want = "call correlation: GET /users/{user-id}/{service}/correlation: forbidden (403): forbidden: scope is missing [request r-1]"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestErrorsTellNothingPrivateEvenIfTheServerDoes(t *testing.T) {
	t.Parallel()
	private := []string{
		testUser, strings.ToUpper(testUser), "token-1", testSecret, url.QueryEscape("since=2024"),
		"DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "de89370400440532013000", "jane.doe@bank.example", "0532013000",
		"eyJhbGciOi.eyJzdWIi.c2ln", "opaque-token-of-another", "hunter2", "AT611904300234573201",
		"203.0.113.77", "2001:db8::77", "2001:DB8:0:1:2:3:4:78", "sca-link-of-app",
	}
	echo := strings.Join([]string{
		"no user " + private[0] + " " + private[1], "Authorization: Bearer token-1", "secret " + testSecret,
		"GET /users/x?since=2024&name=Jane", private[5], private[6], private[7], private[8] + ",", "account " + private[9],
		"jwt " + private[10], "Bearer " + private[11], `"password":"` + private[12] + `"`, "(" + private[13] + ")",
		"see https://bank.test/" + testUser,
		"PSU-IP-Address: " + private[14] + " is no address", "User-IP:" + private[15] + ".", "[" + private[16] + "]:443", "from " + private[14] + ":443", "open bankapp://auth/" + private[17],
	}, " ; ")
	bodies := []string{
		echo, fmt.Sprintf(`{"type":%q,"message":%q}`, echo, echo), fmt.Sprintf(`{"error":%q,"error_description":%q}`, echo, echo),
	}
	for _, body := range bodies {
		for _, status := range []int{400, 401, 404, 500} {
			c, a := setup(t, always(reply{status: status, body: body, header: map[string]string{"X-Request-Id": testUser}}), noRetries)
			a.token = func(int) reply { return granted("token-1", 300) }
			_, err := c.Transactions(t.Context(), testUser, TransactionQuery{Since: date(2024, 1, 1)})
			checkNothingPrivate(t, err, private)
			a.token = func(int) reply { return reply{status: status, body: body} }
			c.tokens.keep(grant{})
			checkNothingPrivate(t, c.Authenticate(t.Context()), private[2:]) // it is not told of users
		}
	}
	// The transport's own errors hold the URL.
	c, _ := setup(t, always(reply{err: &url.Error{Op: "Get", URL: "https://finoos.test/api/users/" + testUser + "?since=2024", Err: errors.New("broken at " + testUser)}}), noRetries)
	_, err := c.Accounts(t.Context(), testUser)
	checkNothingPrivate(t, err, private)
	if !strings.Contains(err.Error(), "broken at [redacted]") {
		t.Errorf("got %v", err)
	}
}

func TestWhatOnlyLooksLikeAnAddressIsLeft(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"at 12:30:45", "2026-11-30T12:30:45.123Z", "std::string", "Foo::bar: no", "a:b:c", "::", "10:00", "v1.2.3"} {
		if got := withoutAddresses(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func noRetries(cfg *Config) { cfg.RetryMaxElapsed = -1 }

func checkNothingPrivate(t *testing.T, err error, private []string) {
	t.Helper()
	if ClassOf(err) == "" {
		t.Errorf("got %v", err)
		return
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%q", err)} {
		for _, p := range append(private, "Jane", "name=") {
			if strings.Contains(text, p) {
				t.Fatalf("%s is in %s", p, text)
			}
		}
	}
}

func TestMessagesAreShortAndOnOneLine(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, always(reply{status: 500, body: strings.Repeat("ä\n\x1b[31m", 100_000)}), noRetries)
	_, err := c.Accounts(t.Context(), testUser)
	var e *Error
	if !errors.As(err, &e) || utf8.RuneCountInString(e.Message) != maxMessage || strings.ContainsAny(e.Message, "\n\x1b") {
		t.Errorf("got %q", err)
	}
}

func TestWebPagesAreNotQuoted(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, always(reply{status: 502, body: "\n<html><body>Bad Gateway of Jane</body></html>"}), noRetries)
	_, err := c.Accounts(t.Context(), testUser)
	if err == nil || !strings.HasSuffix(err.Error(), "server (502): the answer is a web page") {
		t.Errorf("got %v", err)
	}
}

func TestClassIsOfErrorsOfTheAPIOnly(t *testing.T) {
	t.Parallel()
	wrapped := fmt.Errorf("pull: %w", &Error{Class: NotFound})
	for _, test := range []struct {
		err  error
		want Class
	}{{nil, ""}, {errors.New("x"), ""}, {context.Canceled, ""}, {wrapped, NotFound}} {
		if got := ClassOf(test.err); got != test.want {
			t.Errorf("%v is %q", test.err, got)
		}
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 1, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "120": 2 * time.Minute, "4294967295": maxRetryAfter,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.Add(10 * maxRetryAfter).Format(http.TimeFormat): maxRetryAfter,
	} {
		if got, told := retryAfter(http.Header{"Retry-After": {text}}, now); got != want || !told {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "soon", "99999999999999999999"} {
		if got, told := retryAfter(http.Header{"Retry-After": {text}}, now); got != 0 || told {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestNothingInTheWordsOfAServerIsLeft(t *testing.T) {
	t.Parallel()
	said := &Error{Class: Invalid, Operation: "accounts", Method: "GET", Path: "/p", Status: 400, Type: "no_such_account", Message: "Erika has none", RequestID: "r1"}
	quoted := &Error{Class: Server, Operation: "contracts", Method: "GET", Path: "/q", Status: 500, Type: "Erika 17", Message: "Erika again"}
	own := &Error{Class: Malformed, Operation: "users", Method: "GET", Path: "/u", Status: 200, Message: "amount: not a number", Err: errNoJSON}
	for _, err := range []error{
		said, fmt.Errorf("pull: %w", quoted), errors.Join(said, fmt.Errorf("and %w", quoted)),
		fmt.Errorf("%w; %w", fmt.Errorf("a: %w", said), quoted),
	} {
		if text := WithoutWords(err); strings.Contains(text, "Erika") || !strings.Contains(text, "call ") {
			t.Errorf("%s", text)
		}
	}
	if text := WithoutWords(fmt.Errorf("pull: %w", said)); text != "pull: call accounts: GET /p: invalid (400): no_such_account [request r1]" {
		t.Errorf("%s", text)
	}
	for _, err := range []error{own, errors.New("disk full")} {
		if text := WithoutWords(err); text != err.Error() {
			t.Errorf("%s", text)
		}
	}
}
