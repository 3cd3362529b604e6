package trouble

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask asks an address by a transport as the program's, and returns the error, which
// must be there.
func ask(t *testing.T, address string, change func(*http.Transport)) error {
	t.Helper()
	transport := Proxied(&http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext})
	transport.Proxy = nil
	if change != nil {
		change(transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/users/secret-user?token=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatalf("%s answers %d", address, resp.StatusCode)
	}
	return err
}

// unheard is an address that nobody listens at.
func unheard(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// secured is a server with a certificate that is its own authority, changed by change.
func secured(t *testing.T, change func(*x509.Certificate)) (address string, trusts func(*http.Transport)) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := silent(httptest.NewUnstartedServer(http.NotFoundHandler()))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return s.URL, func(t *http.Transport) { t.TLSClientConfig = &tls.Config{RootCAs: pool} }
}

func silent(s *httptest.Server) *httptest.Server {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// raw is a server that says something to whoever comes, and hangs up.
func raw(t *testing.T, says string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1<<10))
			_, _ = io.WriteString(conn, says)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// through sends by a proxy, with a password.
func through(address string) func(*http.Transport) {
	return func(t *http.Transport) {
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("me", "hunter2"), Host: address})
	}
}

func TestConnectionsThatFailAreNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	trusted, _ := secured(t, nil)
	expired, trustsExpired := secured(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	other, trustsOther := secured(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} })
	plainHTTP := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plainHTTP.Close)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(map[string]int{"login.example:443": 407, "no.example:443": 403, "far.example:443": 502}[r.Host])
	}))
	t.Cleanup(refusing.Close)
	proxy := strings.TrimPrefix(refusing.URL, "http://")
	down := unheard(t)
	for name, tc := range map[string]struct {
		address string
		change  func(*http.Transport)
		want    string
		do      string
		lasting bool
	}{
		"refused":           {"http://" + down, nil, "connection refused by " + down, doRefused, false},
		"no such host":      {"http://nowhere.invalid", nil, "nowhere.invalid", doHost, false},
		"unknown authority": {trusted, nil, "the certificate is of an unknown authority", doTrust, true},
		"expired":           {expired, trustsExpired, "the certificate has expired, or is not valid yet", doClock, true},
		"wrong name":        {other, trustsOther, "the certificate is not for 127.0.0.1", doName, true},
		"plain to TLS":      {strings.Replace(plainHTTP.URL, "http:", "https:", 1), nil, "plain HTTP is spoken there, and no TLS", doPlain, true},
		"rubbish to TLS":    {"https://" + raw(t, "SSH-2.0-OpenSSH_9.6\r\n"), nil, "no TLS is spoken there", doPlain, true},
		"TLS to plain":      {"http://" + raw(t, "\x15\x03\x01\x00\x02\x02\x16"), nil, "TLS is spoken there, and no plain HTTP", doTLS, true},
		"cut":               {"http://" + raw(t, ""), nil, "the connection was closed before the answer was whole", doCut, false},
		"half":              {"http://" + raw(t, "HTTP/1.1 200 OK\r\nContent-"), nil, "what comes back is no HTTP", doForeign, false},
		"proxy login":       {"https://login.example", through(proxy), "the proxy wants a user and a password (407)", doLogin, true},
		"proxy refuses":     {"https://no.example", through(proxy), "the proxy does not let us through (403)", doProxy, true},
		"proxy fails":       {"https://far.example", through(proxy), "the proxy answers 502 Bad Gateway", doProxy, false},
		"proxy down":        {"https://api.example", through(down), "the proxy cannot be reached: connection refused by " + down, doProxy, false},
		"proxy down, plain": {"http://api.example", through(down), "the proxy cannot be reached: connection refused by " + down, doProxy, false},
		"no proxy":          {"https://api.example", through(raw(t, "SSH-2.0\r\n")), "what comes back is no HTTP", doForeign, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ask(t, tc.address, tc.change)
			got := CauseOf(err)
			if !strings.Contains(got.What, tc.want) || got.Do != tc.do || got.Lasting != tc.lasting {
				t.Errorf("%#v of %v", got, err)
			}
			for _, secret := range []string{"hunter2", "secret", "token"} {
				if strings.Contains(got.What+got.Do, secret) {
					t.Errorf("tells %s: %#v", secret, got)
				}
			}
		})
	}
}

func TestTheAddressOfAProxyThatCannotBeReadIsNotTold(t *testing.T) {
	t.Parallel()
	err := &url.Error{Op: "Get", URL: "https://api.example/users/secret-user", Err: &proxyError{what: "the address of the proxy cannot be read", lasting: true}}
	if got := CauseOf(err); got.What != "the address of the proxy cannot be read" || !got.Lasting || got.Do != doProxy {
		t.Errorf("%+v", got)
	}
}

func TestAProxyThatCannotBeReadIsNotPassedOver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		to   string
		env  map[string]string
		want bool
	}{
		"none":          {"https://api.example", nil, false},
		"right":         {"https://api.example", map[string]string{"HTTPS_PROXY": "http://me:pass@proxy.example:3128"}, false},
		"bare":          {"https://api.example", map[string]string{"https_proxy": "proxy.example:3128"}, false},
		"an address":    {"https://api.example", map[string]string{"HTTPS_PROXY": "192.0.2.1:3128"}, false},
		"unreadable":    {"https://api.example", map[string]string{"HTTPS_PROXY": "http://me:100%@proxy.example"}, true},
		"in lower case": {"https://api.example", map[string]string{"https_proxy": "http://me:100%@proxy.example"}, true},
		"of another":    {"http://api.example", map[string]string{"HTTPS_PROXY": "http://me:100%@proxy.example"}, false},
		"loopback":      {"https://127.0.0.1:8443", map[string]string{"HTTPS_PROXY": "http://me:100%@proxy.example"}, false},
		"NO_PROXY":      {"https://api.example", map[string]string{"HTTPS_PROXY": "http://me:100%@proxy.example", "NO_PROXY": "api.example"}, false},
	} {
		to, err := url.Parse(tc.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := isUnread(to, func(name string) string { return tc.env[name] }); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWhatIsNotKnownIsNotNamed(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("a file is gone"), context.Canceled, context.DeadlineExceeded} {
		if got := CauseOf(err); got.Known() {
			t.Errorf("%v is %+v", err, got)
		}
	}
}

func TestNamesOfOthersAreCutAndHarmless(t *testing.T) {
	t.Parallel()
	got := CauseOf(&net.DNSError{Name: "a\x1b[31m" + strings.Repeat("b", 500), IsNotFound: true}).What
	if strings.ContainsRune(got, '\x1b') || len(got) > 150 {
		t.Errorf("%q", got)
	}
}
