package path

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
	"finoos-syncer/internal/jobs/config"
)

// Stream is one kind of body, and the path that it is asked for under.
type Stream struct {
	Name config.Stream
	path string
}

// Streams returns those that have many rows.
func Streams() []Stream {
	return []Stream{
		{config.StreamTransactions, "/banking/transactions"},
		{config.StreamCategorization, "/categorization"},
		{config.StreamContracts, "/contracts"},
		{config.StreamAccountHistory, "/account-history"},
	}
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
func (r *recorded) settle(tb testing.TB) {
	tb.Helper()
	file, err := os.Create(filepath.Join(tb.TempDir(), "bodies"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = file.Close() })
	var at int64
	for key, a := range r.answers {
		n, err := file.Write(a.body)
		if err != nil {
			tb.Fatal(err)
		}
		a.body, a.file = nil, io.NewSectionReader(file, at, int64(n))
		at += int64(n)
		r.answers[key] = a
	}
	r.api = nil
}

// Bodies are the answers about one stream.
type Bodies struct {
	Stream

	Users  []string
	ByUser []*io.SectionReader // the body of each of Users
	Bytes  int64

	api *recorded
}

// Record lets the product run once against a simulated API, and keeps what was
// answered. That run also fills the file cache and the pools.
func Record(tb testing.TB, s Stream, o sandbox.Options) *Bodies {
	tb.Helper()
	o.PageSize, o.CategorizationPageSize, o.NoHistory, o.CacheUsers = 100_000, 1<<30, true, 4
	api, err := sandbox.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	b := &Bodies{Stream: s, api: &recorded{api: api.Transport(), answers: map[string]answer{}}}
	Product(tb, b, tb.TempDir())
	b.api.settle(tb)
	for key, a := range b.api.answers {
		user, isBody := strings.CutSuffix(strings.TrimPrefix(key, "GET /users/"), s.path)
		if !isBody {
			continue
		}
		b.Users = append(b.Users, user)
		b.ByUser = append(b.ByUser, a.file)
		b.Bytes += a.file.Size()
	}
	return b
}
