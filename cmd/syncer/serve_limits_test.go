package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are held in memory: in a bubble their
// deadlines come in virtual time.
type pipes struct {
	coming chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.coming:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// endsAfter is when a server ends the connection of a caller who says something,
// reads so many bytes of what comes back, and then does nothing.
func endsAfter(t *testing.T, answer time.Duration, says string, reads int64) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		server := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = w.Write(make([]byte, 100_000))
		}), answer)
		ended := make(chan struct{})
		server.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				close(ended)
			}
		}
		served := make(chan error)
		go func() { served <- server.Serve(p) }()
		mine, theirs := net.Pipe()
		p.coming <- theirs
		began := time.Now()
		go func() {
			_, _ = io.WriteString(mine, says)
			_, _ = io.CopyN(io.Discard, mine, reads)
		}()
		select {
		case <-ended:
			took = time.Since(began)
		case <-time.After(100 * time.Hour):
			t.Error("it is never ended")
		}
		_ = mine.Close()
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return took
}

func TestNoCallerHoldsAConnectionForEver(t *testing.T) {
	t.Parallel()
	const whole, answer = "GET / HTTP/1.1\r\nHost: h\r\n\r\n", time.Minute
	for _, c := range []struct {
		name, says string
		reads      int64
		want       time.Duration
	}{
		{"says nothing", "", 0, requestTime},
		{"does not come to the end of a header", whole[:20], 1 << 20, requestTime},
		{"does not come to the end of a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12", 0, requestTime + answer},
		{"does not read the answer", whole, 10, requestTime + answer},
		{"asks once", whole, 1 << 20, idleTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if took := endsAfter(t, answer, c.says, c.reads); took < c.want || took > c.want+time.Second {
				t.Errorf("ended after %s, want %s", took, c.want)
			}
		})
	}
}

func TestAHeaderIsNoLongerThanItMayBe(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{maxHeader / 2: "200", 2 * maxHeader: "431"} { // net/http allows for some more
		s := &webServer{flag: "--listen", address: "127.0.0.1:0", handler: new(readiness).routes(http.NotFoundHandler())}
		c := dial(t, serving(t, s))
		if got := asks(t, c, "GET /healthz HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", size)+"\r\n\r\n", time.Minute); got != want {
			t.Errorf("a header of %d bytes: %q, want %s", size, got, want)
		}
	}
}

// serving serves until the test ends, and returns the address.
func serving(t *testing.T, s *webServer) string {
	t.Helper()
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- s.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// asks returns the status that is answered, "" for none within a time.
func asks(t *testing.T, c net.Conn, request string, within time.Duration) string {
	t.Helper()
	_, _ = io.WriteString(c, request) // it may be refused before its end
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	} else if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(line)[1]
}

// isBounded says of an address that one caller more than it serves waits until
// another has gone.
func isBounded(t *testing.T, address string) {
	t.Helper()
	const request = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
	var first net.Conn
	for range maxConnections {
		if c := dial(t, address); first == nil {
			first = c
		}
	}
	last := dial(t, address)
	if got := asks(t, last, request, time.Second/2); got != "" {
		t.Errorf("with %d callers there, another is answered %s", maxConnections, got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := asks(t, last, "", time.Minute); got == "" {
		t.Error("who waits for a place does not come to it")
	}
}

func TestServersHaveSoManyCallersAtATime(t *testing.T) {
	t.Parallel()
	t.Run("serve", func(t *testing.T) {
		t.Parallel()
		isBounded(t, serving(t, &webServer{flag: "--listen", address: "127.0.0.1:0", handler: http.NotFoundHandler()}))
	})
	t.Run("sandbox", func(t *testing.T) {
		t.Parallel()
		text := started(t, func(line string) bool { return strings.Contains(line, ", on http://") }, nil, "sandbox", "--addr", "127.0.0.1:0", "--users", "2")
		_, address, _ := strings.Cut(text, ", on http://")
		isBounded(t, strings.TrimSpace(address))
	})
}

// started starts a command that is stopped with the test, and returns what it has
// printed up to a line, that line included.
func started(t *testing.T, until func(line string) bool, env map[string]string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		newTestApp(w, env).execute(ctx, args)
		_ = w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	lines, text := bufio.NewReader(r), ""
	defer func() {
		go func() {
			_, _ = io.Copy(io.Discard, lines)
			close(done)
		}()
	}()
	for {
		line, err := lines.ReadString('\n')
		if text += line; err != nil {
			t.Errorf("%v ended: %s", args, text)
			return text
		}
		if until(line) {
			return text
		}
	}
}

func TestProfilesThatOthersCanReadAreAWarning(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"127.0.0.1:0": false, ":0": true} {
		env := map[string]string{
			"FINOOS_BASE_URL": "http://127.0.0.1:1", "FINOOS_CLIENT_ID": "me", "FINOOS_CLIENT_SECRET": "x", "SYNCER_SINK": "file://" + t.TempDir(),
		}
		begun := false
		text := started(t, func(line string) bool { // the warning, or what comes in its place
			was := begun
			begun = begun || strings.Contains(line, "for=--pprof")
			return was
		}, env, "serve", "--config", "../../jobs.yaml", "--listen", "127.0.0.1:0", "--pprof", address)
		if warned := strings.Contains(text, "profiles are open to other machines"); warned != want {
			t.Errorf("%s: warned: %t\n%s", address, warned, text)
		}
	}
}
