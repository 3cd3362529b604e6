package finoos

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/wait"
)

const (
	testSecret = "s3cr3t-value"
	testUser   = "7f2c-user-0001"
)

// reply is what the API is made to answer.
type reply struct {
	status int // 0 = 200
	header map[string]string
	body   string
	err    error         // instead of an answer
	cut    error         // instead of the body's end
	after  time.Duration // latency
	sent   bool          // with err: the request's headers had gone out
}

// api is a finoOS within the process: it answers what a test says, hands out
// tokens, and remembers what was asked.
type api struct {
	t      *testing.T
	answer func(r *http.Request, n int) reply // n counts from 0, tokens not included
	token  func(n int) reply

	mu     sync.Mutex
	asked  []*http.Request
	bodies []string
	tokens int
	opened int // bodies that were not closed again
}

func (a *api) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	var r reply
	a.mu.Lock()
	if req.URL.Path == "/api/auth" {
		a.tokens++
		r = a.token(a.tokens)
	} else {
		a.asked = append(a.asked, req)
		a.bodies = append(a.bodies, string(body))
		r = a.answer(req, len(a.asked)-1)
	}
	a.mu.Unlock()
	if r.after > 0 {
		if err := wait.For(req.Context(), r.after); err != nil {
			return nil, err
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if r.err != nil {
		if r.sent {
			callOf(req.Context()).written.Store(true)
		}
		return nil, r.err
	}
	return a.response(req, r), nil
}

func (a *api) response(req *http.Request, r reply) *http.Response {
	resp := &http.Response{
		StatusCode: max(r.status, http.StatusOK), Header: http.Header{}, Request: req,
		ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1,
	}
	for k, v := range r.header {
		resp.Header.Set(k, v)
	}
	end := r.cut
	if end == nil {
		end = io.EOF
	}
	a.mu.Lock()
	a.opened++
	a.mu.Unlock()
	resp.Body = &replyBody{Reader: io.MultiReader(strings.NewReader(r.body), failedReader{end}), api: a}
	return resp
}

type replyBody struct {
	io.Reader
	api  *api
	once sync.Once
}

func (b *replyBody) Close() error {
	b.once.Do(func() {
		b.api.mu.Lock()
		defer b.api.mu.Unlock()
		b.api.opened--
	})
	return nil
}

// queries are the queries of what was asked, tokens not included.
func (a *api) queries() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []string{}
	for _, r := range a.asked {
		q, _ := url.QueryUnescape(r.URL.RawQuery)
		list = append(list, q)
	}
	return list
}

func (a *api) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

// setup returns a client of an API that answers what answer says.
func setup(t *testing.T, answer func(r *http.Request, n int) reply, tweaks ...func(*Config)) (*Client, *api) {
	t.Helper()
	a := &api{t: t, answer: answer, token: func(n int) reply { return granted("token-"+strconv.Itoa(n), 300) }}
	cfg := Config{
		BaseURL: "https://finoos.test/api", ClientID: "client", ClientSecret: testSecret,
		Transport: a, ScratchDir: t.TempDir(),
	}
	for _, tweak := range tweaks {
		tweak(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.opened != 0 {
			t.Errorf("%d bodies were not closed", a.opened)
		}
	})
	return c, a
}

func granted(token string, seconds int) reply {
	return reply{
		header: map[string]string{"Content-Type": "application/json"},
		body: `{"access_token":"` + token + `","expires_in":` + strconv.Itoa(seconds) +
			`,"token_type":"Bearer","scope":"banking contracts"}`,
	}
}

// always answers every request alike.
func always(r reply) func(*http.Request, int) reply {
	return func(*http.Request, int) reply { return r }
}

// inTurn answers with one reply after the other, and then with the last.
func inTurn(replies ...reply) func(*http.Request, int) reply {
	return func(_ *http.Request, n int) reply { return replies[min(n, len(replies)-1)] }
}

// all reads a list to its end and closes it.
func all[T any](t *testing.T, l *List[T], err error) []T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(l)
	records := []T{}
	for r, err := range l.All() {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

// failure reads a list and returns the error that it ends with, at once or
// while it is read.
func failure[T any](l *List[T], err error) error {
	if err != nil {
		return err
	}
	defer closeQuietly(l)
	for _, err := range l.All() {
		if err != nil {
			return err
		}
	}
	return nil
}

// one decodes a single record.
func one[T any](t *testing.T, s *schema[T], text string) T {
	t.Helper()
	record, err := decodeText(s, text)
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return record
}

func decodeText[T any](s *schema[T], text string) (T, error) {
	v, ok := parseValue([]byte(text))
	if !ok {
		var none T
		return none, errNoJSON
	}
	return s.decode(&recordDecoder{}, v)
}

// listOfText is a list whose answer is text.
func listOfText[T any](t *testing.T, s *schema[T], text string, names ...string) *List[T] {
	t.Helper()
	body, err := newSpool(t.Context(), bytes.NewReader([]byte(text)), 1<<30, spoolRoom{})
	if err != nil {
		t.Fatal(err)
	}
	l := newList(&apiCall{op: &Operation{Name: "test", Path: "/test"}}, s, names...)
	l.parts = append(l.parts, body)
	return l
}

// contextFor is a context that is cancelled after d.
func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(d, cancel)
	return ctx, func() { timer.Stop(); cancel() }
}
