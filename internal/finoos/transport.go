package finoos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// newTransport is the transport where none is given: as Go's own, but with as
// many connections kept as calls may be in flight to one host.
func newTransport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          1024, // the most workers that a job may have
		MaxIdleConnsPerHost:   1024,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// httpClient follows no redirect: a token is meant for one host.
func httpClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// deadline bounds one request, its body included. It stands next to the base
// transport, so that waiting for a turn does not count.
type deadline struct {
	timeout time.Duration
	next    http.RoundTripper
}

func (d *deadline) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), d.timeout)
	if call := callOf(ctx); call != nil {
		call.handed.Store(true)
	}
	// Reads may be repeated, so nobody asks what of them went out.
	if call := callOf(ctx); call != nil && req.Method != http.MethodGet {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteHeaderField: func(string, []string) { call.written.Store(true) },
			WroteHeaders:     func() { call.written.Store(true) },
		})
	}
	resp, err := d.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &deadlineBody{ReadCloser: resp.Body, cancel: cancel}
	return resp, nil
}

type deadlineBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *deadlineBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// wholeBody reports a body that ends before its announced length, which not
// every transport does.
type wholeBody struct {
	r    io.Reader
	left int64 // negative = not announced
}

func bodyOf(resp *http.Response) io.Reader {
	if resp.ContentLength < 0 {
		return resp.Body
	}
	return &wholeBody{r: resp.Body, left: resp.ContentLength}
}

func (b *wholeBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if errors.Is(err, io.EOF) && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// markless drops a byte order mark before a body, which says nothing in UTF-8.
type markless struct {
	r     io.Reader
	begun bool
	held  []byte // read, and not passed on yet
	err   error
}

func withoutMark(r io.Reader) io.Reader { return &markless{r: r} }

func (m *markless) Read(p []byte) (int, error) {
	if !m.begun {
		m.begun = true
		first := make([]byte, len(byteOrderMark))
		n := 0
		for n < len(first) && m.err == nil { // a cut body stays one
			var k int
			k, m.err = m.r.Read(first[n:])
			n += k
		}
		m.held = bytes.TrimPrefix(first[:n], []byte(byteOrderMark))
	}
	if len(m.held) > 0 {
		n := copy(p, m.held)
		m.held = m.held[n:]
		return n, nil
	}
	if m.err != nil {
		return 0, m.err
	}
	return m.r.Read(p)
}

const byteOrderMark = "\ufeff"

// discard lets the connection of an answer that nobody reads be used again.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxProblem)
	_ = resp.Body.Close()
}
