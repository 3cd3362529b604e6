package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/sink/bucket/s3test"
)

// flaw is what a proxy in front of an S3 server does to a write.
type flaw string

// The flaws of a line, and of a store on a bad day.
const (
	lost      flaw = "done, but the answer is lost"
	cut       flaw = "not done, the connection breaks"
	failed    flaw = "done, but answered 500"
	slowDown  flaw = "done, but answered 503 SlowDown"
	twiceDone flaw = "done twice"
	late      flaw = "the connection breaks, and it is done later"
	denied    flaw = "403 AccessDenied"
	expired   flaw = "403 ExpiredToken"
)

// flawed is a proxy that passes everything on but for some of the writes.
type flawed struct {
	server *s3test.Server

	mu     sync.Mutex
	writes []string       // so far, by kind
	struck int            // how many of them
	strike func(int) flaw // "" for none
	lates  sync.WaitGroup
}

// seen is what there was to strike at, and how often that was done.
func (f *flawed) seen() (writes []string, struck int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.writes), f.struck
}

// lateness is longer than most retries wait, and shorter than a run.
const lateness = 400 * time.Millisecond

// behindProxy is a place with a proxy before its server.
func behindProxy(t *testing.T, p place, strike func(write int) flaw) (place, *flawed) {
	t.Helper()
	f := &flawed{server: p.server, strike: strike}
	proxy := httptest.NewServer(f)
	t.Cleanup(func() {
		proxy.Close()
		f.lates.Wait()
	})
	p.url = strings.Replace(p.url, url.QueryEscape(p.server.Endpoint), url.QueryEscape(proxy.URL), 1)
	return p, f
}

// ServeHTTP passes a request on as it is: what is signed is the same on both
// sides, the host included.
func (f *flawed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch what := f.count(r); what {
	case "":
		f.answer(w, f.pass(r, body))
	case cut:
		hangUp(w)
	case lost:
		f.pass(r, body)
		hangUp(w)
	case failed:
		f.pass(r, body)
		refuse(w, http.StatusInternalServerError, "InternalError")
	case slowDown:
		f.pass(r, body)
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	case twiceDone:
		f.pass(r, body)
		f.answer(w, f.pass(r, body))
	case late:
		again := r.Clone(r.Context())
		again.Body = nil
		f.lates.Go(func() {
			<-time.After(lateness)
			f.pass(again, body)
		})
		hangUp(w)
	case denied:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case expired:
		refuse(w, http.StatusForbidden, "ExpiredToken")
	default:
		panic(what)
	}
}

// count decides what happens to a request.
func (f *flawed) count(r *http.Request) flaw {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return ""
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	kind := r.Method
	what := []string{"uploads", "partNumber", "uploadId"} // of several, the first tells
	if i := slices.IndexFunc(what, r.URL.Query().Has); i >= 0 {
		kind += " " + what[i]
	}
	f.writes = append(f.writes, kind+" of "+strings.TrimPrefix(kindOf(" "+key), " "))
	struck := f.strike(len(f.writes))
	if struck != "" {
		f.struck++
	}
	return struck
}

// passed is the server's answer.
type passed struct {
	status int
	header http.Header
	body   []byte
}

func (f *flawed) pass(r *http.Request, body []byte) *passed {
	// Not the request's context: a write that was begun is done, whoever hangs up.
	out, err := http.NewRequest(r.Method, f.server.Endpoint+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil
	}
	out.Header, out.Host, out.ContentLength = r.Header.Clone(), r.Host, int64(len(body))
	answer, err := http.DefaultTransport.RoundTrip(out) //nolint:forbidigo // a proxy follows no redirects
	if err != nil {
		return nil
	}
	defer func() { _ = answer.Body.Close() }()
	p := &passed{status: answer.StatusCode, header: answer.Header}
	if p.body, err = io.ReadAll(answer.Body); err != nil {
		return nil
	}
	return p
}

func (*flawed) answer(w http.ResponseWriter, p *passed) {
	if p == nil {
		hangUp(w)
		return
	}
	maps.Copy(w.Header(), p.header)
	w.WriteHeader(p.status)
	_, _ = w.Write(p.body)
}

func hangUp(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as the test wants it</Message></Error>", code)
}
