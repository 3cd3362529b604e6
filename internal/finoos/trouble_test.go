package finoos

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/trouble"
)

// spokenLog is a log whose lines are asked for while it is written.
type spokenLog struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *spokenLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *spokenLog) into(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(l, nil)) }

// saying are the lines with a text.
func (l *spokenLog) saying(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.lines.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// outage answers well, but for a time from the first request on.
type outage struct {
	began atomic.Int64
	lasts time.Duration
	ill   reply
}

func (o *outage) answer(*http.Request, int) reply {
	o.began.CompareAndSwap(0, time.Now().UnixNano())
	if time.Since(time.Unix(0, o.began.Load())) < o.lasts {
		return o.ill
	}
	return reply{body: `{"accounts":[]}`}
}

var errRefusedDial = &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 443}, Err: syscall.ECONNREFUSED}

// readAll has many users read at once.
func readAll(t *testing.T, c *Client, users int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range users {
		all.Go(func() {
			l, err := c.Accounts(t.Context(), testUser+strconv.Itoa(i))
			if err != nil {
				t.Error(err)
				return
			}
			_ = l.Close()
		})
	}
	all.Wait()
}

func TestAnAPIThatServesNobodyIsOneLineAndOneWhenItServesAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ill          reply
		begins, ends string
		kind         trouble.Kind
	}{
		"refused": {reply{err: errRefusedDial}, `msg="the API does not answer" cause="connection refused by 192.0.2.7:443"`, "the API answers again", trouble.Network},
		"cut":     {reply{err: io.ErrUnexpectedEOF, sent: true}, `msg="the API does not answer" cause="the connection was closed before the answer was whole"`, "the API answers again", trouble.Network},
		"503":     {reply{status: 503, body: `{"type":"unavailable","message":"of somebody"}`}, `msg="the API answers with errors" cause="503 Service Unavailable, unavailable"`, "the API answers without errors again", trouble.Errors},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log spokenLog
				o := &outage{lasts: 40 * time.Second, ill: tc.ill}
				c, _ := setup(t, o.answer, log.into)
				readAll(t, c, 50)
				if warned := log.saying("level=WARN"); len(warned) != 2 || !strings.Contains(warned[0], tc.begins) || !strings.Contains(warned[1], tc.ends) ||
					!strings.Contains(warned[0], `trying_for="2 min"`) || strings.Contains(warned[0], "somebody") {
					t.Errorf("said: %s", warned)
				}
				if n := c.watch.Counts(); len(n) != 1 || n[tc.kind].Times != 1 || n[tc.kind].Seconds < 39 || n[tc.kind].Tries != c.Stats().Retries {
					t.Errorf("counted %+v beside %d retries", n, c.Stats().Retries)
				}
			})
		})
	}
}

func TestATokenEndpointThatFailsIsToldAsThat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log spokenLog
		c, a := setup(t, always(reply{body: `{"accounts":[]}`}), log.into)
		began := time.Now()
		a.token = func(int) reply {
			if time.Since(began) < 30*time.Second {
				return reply{status: 502, body: "<html>"}
			}
			return granted("token", 300)
		}
		readAll(t, c, 20)
		warned := log.saying("level=WARN")
		if len(warned) != 2 || !strings.Contains(warned[0], `msg="the API grants no token" cause="502 Bad Gateway"`) || !strings.Contains(warned[1], "grants tokens again") {
			t.Errorf("said: %s", warned)
		}
	})
}

func TestOneUserWhoIsNeverServedIsNoTroubleOfTheAPI(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log spokenLog
		c, _ := setup(t, func(r *http.Request, _ int) reply {
			if strings.HasSuffix(r.URL.Path, "/bad/banking/accounts") {
				return reply{status: 500}
			}
			return reply{body: `{"accounts":[]}`}
		}, log.into)
		done := make(chan error)
		go func() {
			_, err := c.Accounts(t.Context(), "bad")
			done <- err
		}()
		for {
			select {
			case err := <-done:
				if ClassOf(err) != Server {
					t.Error(err)
				}
				if said := log.saying(""); len(said) != 0 {
					t.Errorf("said: %s", said)
				}
				return
			case <-time.After(time.Second):
				readAll(t, c, 1)
			}
		}
	})
}

func TestAPauseIsToldAtOnceWithItsReasonAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log spokenLog
		first := true
		c, _ := setup(t, func(*http.Request, int) reply {
			if first {
				first = false
				return reply{status: 429, header: map[string]string{"Retry-After": "50"}}
			}
			return reply{body: `{"accounts":[]}`}
		}, log.into)
		readAll(t, c, 1)
		readAll(t, c, 20)
		warned := log.saying("level=WARN")
		if len(warned) != 2 || !strings.Contains(warned[0], `msg="the API asks for a pause of all requests" cause="429 Too Many Requests, Retry-After: 50 s"`) ||
			!strings.Contains(warned[0], "until=") || !strings.Contains(warned[1], "the pause of all requests is over") {
			t.Errorf("said: %s", warned)
		}
	})
}

func TestWhoPausesForAnotherClientsRefusalSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first, other spokenLog
		shared := NewPacing(0, 1)
		refused := false
		c, _ := setup(t, func(*http.Request, int) reply {
			if !refused {
				refused = true
				return reply{status: 429, header: map[string]string{"Retry-After": "50"}}
			}
			return reply{body: `{"accounts":[]}`}
		}, first.into, func(cfg *Config) { cfg.Pacing = shared })
		waits, _ := setup(t, always(reply{body: `{"accounts":[]}`}), other.into, func(cfg *Config) { cfg.Pacing = shared })
		var both sync.WaitGroup
		both.Go(func() { readAll(t, c, 1) })
		time.Sleep(time.Second)
		both.Go(func() { readAll(t, waits, 3) })
		both.Wait()
		for name, log := range map[string]*spokenLog{"first": &first, "other": &other} {
			if said := log.saying("level=WARN"); len(said) != 2 || !strings.Contains(said[0], "until=") || !strings.Contains(said[1], "is over") {
				t.Errorf("%s said: %s", name, said)
			}
		}
	})
}

func TestOnlyWhatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer reply
		want   string
	}{
		"a proxy's 407":         {reply{status: 407, body: "Proxy Authentication Required"}, "the proxy wants a user and a password (407)"},
		"plain HTTP, wants TLS": {reply{status: 400, body: "Client sent an HTTP request to an HTTPS server.\n"}, "TLS is spoken there, and no plain HTTP"},
		"TLS, speaks plain":     {reply{err: http.ErrSchemeMismatch}, "plain HTTP is spoken there, and no TLS"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, a := setup(t, nil)
			a.token = func(int) reply { return tc.answer }
			err := c.Authenticate(t.Context())
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Class != Network || e.Message != tc.want || c.Stats().Requests != 1 || CauseOf(err).Do == "" {
				t.Errorf("%s: %v after %d requests", name, err, c.Stats().Requests)
			}
		})
	}
}
