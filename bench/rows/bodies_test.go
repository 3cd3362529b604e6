package rows

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs"
)

// stream is one kind of body, and the path that it is asked for under.
type stream struct {
	name jobs.Stream
	path string
}

var streams = []stream{
	{jobs.StreamTransactions, "/banking/transactions"},
	{jobs.StreamCategorization, "/categorization"},
	{jobs.StreamContracts, "/contracts"},
	{jobs.StreamAccountHistory, "/account-history"},
}

// answer is what the API said once.
type answer struct {
	status int
	header http.Header
	body   []byte            // while it is recorded
	file   *io.SectionReader // afterwards: bodies shall not be part of the heap
}

// recorded answers requests as they were answered before, without a network
// and without delay. What was never asked goes to the API, if there still is
// one.
type recorded struct {
	api     http.RoundTripper
	mu      sync.RWMutex
	answers map[string]answer
}

// RoundTrip implements [http.RoundTripper].
func (r *recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	key := req.Method + " " + req.URL.RequestURI()
	r.mu.RLock()
	a, known := r.answers[key]
	r.mu.RUnlock()
	if !known {
		if r.api == nil {
			return nil, errors.New("asked for what was not asked before: " + req.URL.Path)
		}
		resp, err := r.api.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		a = answer{status: resp.StatusCode, header: resp.Header}
		if a.body, err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
		r.mu.Lock()
		r.answers[key] = a
		r.mu.Unlock()
	}
	resp := &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}
	if a.file != nil {
		resp.Body, resp.ContentLength = io.NopCloser(io.NewSectionReader(a.file, 0, a.file.Size())), a.file.Size()
	}
	return resp, nil
}

// settle moves all bodies to a file, and forgets the API.
func (r *recorded) settle(t testing.TB) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "bodies"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	var at int64
	for key, a := range r.answers {
		n, err := file.Write(a.body)
		if err != nil {
			t.Fatal(err)
		}
		a.body, a.file = nil, io.NewSectionReader(file, at, int64(n))
		at += int64(n)
		r.answers[key] = a
	}
	r.api = nil
}

// bodies are the answers about one stream.
type bodies struct {
	stream

	api    *recorded
	users  []string
	byUser []*io.SectionReader
	bytes  int64
}

// record lets the product run once against a simulated API, and keeps what was
// answered. That run also fills the file cache and the pools.
func record(t testing.TB, s stream, o sandbox.Options) *bodies {
	t.Helper()
	o.PageSize, o.CategorizationPageSize, o.NoHistory, o.CacheUsers = 100_000, 1<<30, true, 4
	api, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bodies{stream: s, api: &recorded{api: api.Transport(), answers: map[string]answer{}}}
	product(t, b, t.TempDir())
	b.api.settle(t)
	for key, a := range b.api.answers {
		user, isBody := strings.CutPrefix(key, "GET /users/")
		if user, isBody = strings.CutSuffix(user, s.path); !isBody {
			continue
		}
		b.users = append(b.users, user)
		b.byUser = append(b.byUser, a.file)
		b.bytes += a.file.Size()
	}
	return b
}

// berka is where the real accounts lie beside a checkout, if they do.
var berka = filepath.Join("..", "..", "..", "shared", "data", "berka")
