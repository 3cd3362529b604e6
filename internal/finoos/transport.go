package finoos

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"finoos-syncer/internal/trouble"
)

// newTransport is the transport where none is given: as Go's own, but with as
// many connections kept as calls may be in flight to one host. roots are who may have
// signed a server's certificate; nil is whom the system trusts.
func newTransport(roots *x509.CertPool) http.RoundTripper {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return trouble.Proxied(&http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          1024, // the most workers that a job may have
		MaxIdleConnsPerHost:   1024,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	})
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

// deadline bounds the wait for an answer, every silence within its body, and the
// body as a whole. It stands next to the base transport, so that waiting for a turn
// does not count.
type deadline struct {
	silence time.Duration
	body    time.Duration
	next    http.RoundTripper
}

func (d *deadline) RoundTrip(req *http.Request) (*http.Response, error) {
	if call := callOf(req.Context()); call != nil && !call.handed.hand() {
		return nil, context.Canceled
	}
	ctx, cancel := context.WithCancel(req.Context())
	// Reads may be repeated, so nobody asks what of them went out.
	if call := callOf(ctx); call != nil && req.Method != http.MethodGet {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteHeaderField: func(string, []string) { call.written.Store(true) },
			WroteHeaders:     func() { call.written.Store(true) },
		})
	}
	b := &deadlineBody{cancel: cancel, silence: d.silence, whole: d.body, key: "finoos.body_timeout"}
	b.timer = time.AfterFunc(d.silence, b.expire)
	resp, err := d.next.RoundTrip(req.WithContext(ctx))
	b.timer.Stop()
	if err != nil {
		cancel()
		if b.expired.Load() && req.Context().Err() == nil {
			return nil, lateError{fmt.Sprintf("no answer within %s (finoos.timeout)", d.silence)}
		}
		return nil, err
	}
	if !isWhole(resp.StatusCode) && d.silence < d.body {
		b.whole, b.key = d.silence, "finoos.timeout" // what it says beside that is short
	}
	if resp.Uncompressed {
		b.silence *= unpackedSilence
	}
	b.end = time.Now().Add(b.whole)
	b.ReadCloser, resp.Body = resp.Body, b
	return resp, nil
}

// unpackedSilence is how many times as long a body may be silent that was packed: it
// comes out of its packing in blocks, while nobody sees what comes in.
const unpackedSilence = 4

// deadlineBody ends a body that is silent, or takes too long. While nobody reads, it
// is not the body that is silent.
type deadlineBody struct {
	io.ReadCloser
	cancel  context.CancelFunc
	timer   *time.Timer
	expired atomic.Bool

	silence, whole time.Duration
	key            string // that bounds the whole
	end            time.Time
}

func (b *deadlineBody) expire() {
	b.expired.Store(true)
	b.cancel()
}

func (b *deadlineBody) Read(p []byte) (int, error) {
	left := time.Until(b.end)
	if left > 0 {
		b.timer.Reset(min(b.silence, left))
	} else {
		b.expire()
	}
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	switch {
	case err == nil && left > 0, errors.Is(err, io.EOF), !b.expired.Load():
		return n, err
	case time.Until(b.end) > 0:
		return n, lateError{fmt.Sprintf("the answer stopped for %s (finoos.timeout)", b.silence)}
	}
	return n, lateError{fmt.Sprintf("the answer had not ended after %s (%s)", b.whole, b.key)}
}

func (b *deadlineBody) Close() error {
	b.timer.Stop()
	defer b.cancel()
	return b.ReadCloser.Close()
}

// lateError is an answer that did not come in time. It names the key that says so.
type lateError struct{ what string }

func (e lateError) Error() string { return e.what }
func (lateError) Unwrap() error   { return context.DeadlineExceeded }

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
