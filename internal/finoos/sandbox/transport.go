package sandbox

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Transport reaches the sandbox without a network: no listener, no goroutine
// outlives a request, so it works within testing/synctest, where a TCP
// connection would hang. Broken connections and bodies that end early look
// as they do on a network.
func (s *Sandbox) Transport() http.RoundTripper { return wireless{s} }

type wireless struct{ s *Sandbox }

// RoundTrip answers a request in the caller's goroutine.
func (t wireless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // nothing was written
	}
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if t.s.Faults().Down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	in := r.Clone(ctx)
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	if !rec.serve(t.s, in) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	if trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	return rec.response(r), nil
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (rec *recorder) Header() http.Header         { return rec.header }
func (rec *recorder) WriteHeader(status int)      { rec.status = status }
func (rec *recorder) Write(b []byte) (int, error) { return rec.body.Write(b) }

// serve runs a handler; false if it broke the connection.
func (rec *recorder) serve(h http.Handler, r *http.Request) (answered bool) {
	defer func() {
		if v := recover(); v != nil {
			if err, isErr := v.(error); !isErr || !errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			answered = false
		}
	}()
	h.ServeHTTP(rec, r)
	return true
}

func (rec *recorder) response(r *http.Request) *http.Response {
	body := &cutBody{rest: rec.body.Bytes()}
	length := int64(rec.body.Len())
	if promised, err := strconv.ParseInt(rec.header.Get("Content-Length"), 10, 64); err == nil {
		body.short = promised > length
		length = promised
	}
	return &http.Response{
		Status: strconv.Itoa(rec.status) + " " + http.StatusText(rec.status), StatusCode: rec.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rec.header, Body: body, ContentLength: length, Request: r,
	}
}

// cutBody is a body; one that is shorter than promised ends in the error that
// a broken connection has.
type cutBody struct {
	rest  []byte
	short bool
}

func (b *cutBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.short {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *cutBody) Close() error {
	b.rest = nil
	return nil
}

// Request is one request that the sandbox has seen.
type Request struct {
	Operation, Method, UserID, Service, Path, Query string
	// Status is 0 where the connection broke before an answer.
	Status int
	// At is when it came, by Options.Clock.
	At time.Time
}

// requestHistory remembers what was asked.
type requestHistory struct {
	off   bool
	limit int

	mu      sync.Mutex
	list    []*Request
	counts  map[string]int
	unknown int
	nights  []map[string]int // by operation and service, one a night
}

// begin notes a request as it comes, so that the list is in order of arrival.
func (h *requestHistory) begin(r Request) *Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[r.Operation]++
	h.tonight()[strings.TrimSuffix(r.Operation+" "+r.Service, " ")]++
	if r.Operation == unknownRoute {
		h.unknown++
	}
	if h.off {
		return &r
	}
	if len(h.list) >= h.limit {
		h.list = slices.Delete(h.list, 0, max(1, h.limit/10))
	}
	h.list = append(h.list, &r)
	return &r
}

// tonight are the counts of this night. The caller holds h.mu.
func (h *requestHistory) tonight() map[string]int {
	if len(h.nights) == 0 {
		h.nights = append(h.nights, map[string]int{})
	}
	return h.nights[len(h.nights)-1]
}

// dusk begins to count anew.
func (h *requestHistory) dusk() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tonight()
	h.nights = append(h.nights, map[string]int{})
}

func (h *requestHistory) end(r *Request, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Status = status
}

// Requests lists what was asked, oldest first. Where the list is full, a
// tenth of it is dropped at once.
func (s *Sandbox) Requests() []Request {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	out := make([]Request, len(s.asked.list))
	for i, r := range s.asked.list {
		out[i] = *r
	}
	return out
}

// ResetRequests forgets what was asked, and sets all counts to zero.
func (s *Sandbox) ResetRequests() {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	s.asked.list, s.asked.unknown = nil, 0
	clear(s.asked.counts)
}

// Counts tells how many requests each operation has had.
func (s *Sandbox) Counts() map[string]int {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	return maps.Clone(s.asked.counts)
}

// NightCounts tells for each night, this one last, how many requests each
// operation has had; correlations are told apart by service, as in "correlation
// banking". ResetRequests leaves them alone.
func (s *Sandbox) NightCounts() []map[string]int {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	s.asked.tonight()
	out := make([]map[string]int, len(s.asked.nights))
	for i, n := range s.asked.nights {
		out[i] = maps.Clone(n)
	}
	return out
}

// UnknownRoutes counts requests that no route matched. A test of a client
// asserts that there are none.
func (s *Sandbox) UnknownRoutes() int {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	return s.asked.unknown
}
