package finoos

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// These tests go over real connections, with the client's own transport: what
// they show depends on what net/http makes of a connection.

func overNetwork(t *testing.T, api http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, granted("token", 300).body)
			return
		}
		api(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{BaseURL: server.URL, ClientID: "c", ClientSecret: testSecret, Timeout: 5 * time.Second, RetryMaxElapsed: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hangUp sends the start of an answer and closes the connection.
func hangUp(w http.ResponseWriter, start string) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = buf.WriteString(start)
	_ = buf.Flush()
	_ = conn.Close()
}

func TestCutConnectionsAreRetriedForReads(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	starts := []string{
		"", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + oneLogin,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n" + oneLogin + "\r\n",
	}
	c := overNetwork(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := int(asked.Add(1)) - 1; n < len(starts) {
			hangUp(w, starts[n])
			return
		}
		_, _ = fmt.Fprint(w, oneLogin)
	})
	l, err := c.Logins(t.Context(), testUser)
	// The transport itself repeats a read on a kept connection that was closed.
	if got := all(t, l, err); len(got) != 1 || asked.Load() != int64(len(starts)+1) {
		t.Errorf("%d logins after %d requests, counted %+v", len(got), asked.Load(), c.Stats())
	}
}

func TestLostAnswerToASyncSessionIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c := overNetwork(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		hangUp(w, "")
	})
	got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
	if got.Outcome != Unknown || err != nil || asked.Load() != 1 {
		t.Errorf("%+v, %v after %d requests", got, err, asked.Load())
	}
}

func TestSyncSessionWithoutAServerHasFailed(t *testing.T) {
	t.Parallel()
	c := overNetwork(t, nil)
	if err := c.Authenticate(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.base = "http://" + listener.Addr().String()
	_ = listener.Close() // nobody listens there now
	c.cfg.RetryMaxElapsed = 300 * time.Millisecond
	got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
	if got.Outcome != Failed || got.Status != 0 || err != nil || !strings.Contains(got.Message, "refused") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTokenIsNotSentElsewhere(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	c := overNetwork(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := c.Logins(t.Context(), testUser)
	if ClassOf(err) != Invalid || !strings.Contains(err.Error(), "redirects are not followed") || elsewhere.Load() != 0 {
		t.Errorf("%v, %d requests elsewhere", err, elsewhere.Load())
	}
	got, err := c.Synchronize(t.Context(), testUser, SyncRequest{UserIP: "203.0.113.7"})
	if got.Outcome != Failed || err != nil || elsewhere.Load() != 0 {
		t.Errorf("%+v, %v, %d requests elsewhere", got, err, elsewhere.Load())
	}
}

func TestCertificateThatIsNotTrustedIsNotRetried(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c, err := New(Config{BaseURL: server.URL, ClientID: "c", ClientSecret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Authenticate(t.Context()); ClassOf(err) != Network || c.Stats().Requests != 1 {
		t.Errorf("%v after %d requests", err, c.Stats().Requests)
	}
}

func TestACertificateOfAnAuthorityOfOnesOwnIsTakenWhereItIsNamed(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, granted("token", 300).body)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{BaseURL: server.URL, ClientID: "c", ClientSecret: testSecret, CAFile: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Authenticate(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := New(Config{BaseURL: server.URL, ClientID: "c", ClientSecret: testSecret, CAFile: file + "x"}); err == nil || !strings.Contains(err.Error(), "ca_file: ") {
		t.Errorf("a file that is not there: %v", err)
	}
}
