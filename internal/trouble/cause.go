package trouble

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Cause is what is wrong with a connection, in words that may be told: hosts and
// ports, no path, no query, no user, no password. Its zero value is none that is
// known.
type Cause struct {
	What string
	Do   string
	// Lasting says that asking again is of no use until a person has done something.
	Lasting bool
}

// Known reports whether it is one.
func (c Cause) Known() bool { return c.What != "" }

// What to do about each, as far as it is the same for the API and for a store.
const (
	doHost    = "check the host name in the address, and the name server of this machine"
	doRefused = "nothing listens there: check host and port in the address, and whether the server is up"
	doRoute   = "check the network of this machine, and what lies between (firewall, NetworkPolicy, VPN)"
	doSlow    = "the server, or what lies between, is slow or drops packets: check firewall, NetworkPolicy, VPN, and its status page"
	doCut     = "the server, or what lies between (load balancer, proxy), closes connections: see its status page"
	doTrust   = "have the authority's certificate trusted (SSL_CERT_FILE=ca.pem beside the system's own); behind a proxy that opens TLS it is the proxy's"
	doClock   = "have the server's certificate renewed; where it is good, set the clock of this machine"
	doName    = "check the host name in the address; the right one stands in the certificate"
	doPlain   = "write http:// in place of https://, or the port of HTTPS"
	doTLS     = "write https:// in place of http://"
	doShake   = "server and client find no common version of TLS, or the server wants a certificate of the client's, which syncer has none of"
	doForeign = "something else answers there: check host and port in the address, and those of the proxy if there is one"
	doProxy   = "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names the hosts that need none"
	doLogin   = "put user and password into HTTPS_PROXY (http://user:password@host:port), special characters as %XX; NO_PROXY names the hosts that need none"
)

// CauseOf names what is wrong with a connection by the error that it failed with.
func CauseOf(err error) Cause {
	if err == nil {
		return Cause{}
	}
	if c := ofProxy(err); c.Known() {
		return c
	}
	if c := ofTLS(err); c.Known() {
		return c
	}
	return ofNetwork(err)
}

func ofProxy(err error) Cause {
	if p, ok := errors.AsType[*proxyError](err); ok {
		do := doProxy
		if p.login {
			do = doLogin
		}
		return Cause{What: p.Error(), Do: do, Lasting: p.lasting}
	}
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "proxyconnect" {
		return Cause{}
	}
	what := CauseOf(op.Err)
	if !what.Known() {
		what.What = "it does not do as it is asked"
	}
	return Cause{What: "the proxy cannot be reached: " + what.What, Do: doProxy, Lasting: what.Lasting}
}

func ofTLS(err error) Cause {
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return Cause{What: "the certificate is not for " + plain(e.Host), Do: doName, Lasting: true}
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return Cause{What: "the certificate is of an unknown authority", Do: doTrust, Lasting: true}
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired {
			return Cause{What: "the certificate has expired, or is not valid yet", Do: doClock, Lasting: true}
		}
		return Cause{What: "the certificate is not valid", Do: doClock, Lasting: true}
	}
	if _, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return Cause{What: "this machine has no certificates of authorities", Do: doTrust, Lasting: true}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Cause{What: "the certificate cannot be verified", Do: doTrust, Lasting: true}
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && looksLikeHTTP(e.RecordHeader) || errors.Is(err, http.ErrSchemeMismatch) {
		return Cause{What: "plain HTTP is spoken there, and no TLS", Do: doPlain, Lasting: true}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return Cause{What: "no TLS is spoken there", Do: doPlain, Lasting: true}
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return Cause{What: "the server refuses TLS: " + plain(strings.TrimPrefix(e.Error(), "tls: ")), Do: doShake}
	}
	text := err.Error()
	switch {
	case errors.Is(err, ErrWantsTLS), strings.Contains(text, "malformed HTTP response \"\\x15\\x03"): // an alert of TLS
		return Cause{What: "TLS is spoken there, and no plain HTTP", Do: doTLS, Lasting: true}
	case strings.Contains(text, "remote error: tls: "):
		_, alert, _ := strings.Cut(text, "remote error: tls: ")
		return Cause{What: "the server refuses TLS: " + plain(alert), Do: doShake}
	case strings.Contains(text, "TLS handshake timeout"):
		return Cause{What: "the TLS handshake takes too long", Do: doSlow}
	case strings.Contains(text, "malformed HTTP response"), strings.Contains(text, "malformed MIME header"):
		return Cause{What: "what comes back is no HTTP", Do: doForeign}
	}
	return Cause{}
}

// ErrWantsTLS is a server that answers, to plain HTTP, that it speaks TLS.
var ErrWantsTLS = errors.New("TLS is spoken there, and no plain HTTP")

func looksLikeHTTP(header [5]byte) bool { return string(header[:]) == "HTTP/" }

func ofNetwork(err error) Cause {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		switch {
		case e.IsNotFound:
			return Cause{What: "no such host: " + plain(e.Name), Do: doHost}
		case e.IsTimeout:
			return Cause{What: "the name server does not answer (asked for " + plain(e.Name) + ")", Do: doHost}
		}
		return Cause{What: "the name server fails (asked for " + plain(e.Name) + ")", Do: doHost}
	}
	dialing := ""
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && op.Addr != nil {
		dialing = " " + plain(op.Addr.String())
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Cause{What: "connection refused" + by(dialing), Do: doRefused}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Cause{What: "no route to the host" + dialing, Do: doRoute}
	case dialing != "" && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES)):
		return Cause{What: "connecting to" + dialing + " is not permitted", Do: doRoute}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Cause{What: "connection reset by peer", Do: doCut}
	case dialing != "" && isTimeout(err):
		return Cause{What: "connecting to" + dialing + " takes too long", Do: doRoute}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Cause{What: "the connection was closed before the answer was whole", Do: doCut}
	}
	return Cause{}
}

// Slow is the cause of what did not come in time; what says it.
func Slow(what string) Cause { return Cause{What: what, Do: doSlow} }

// CauseOr is [CauseOf], and where that is not known what is said instead.
func CauseOr(err error, instead string) Cause {
	cause := CauseOf(err)
	switch {
	case cause.Known():
	case isTimeout(err):
		cause = Slow(instead)
	default:
		cause.What = instead
	}
	return cause
}

func by(address string) string {
	if address == "" {
		return ""
	}
	return " by" + address
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// plain is a host or a word of another's, cut, and without what a terminal obeys.
func plain(text string) string {
	const most = 100
	kept := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if len(kept) > most {
		kept = kept[:most] + "..."
	}
	return kept
}
