package trouble

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// proxyError is a proxy that is not as it should be. Its text is of our own words.
type proxyError struct {
	what           string
	login, lasting bool
}

func (e *proxyError) Error() string { return e.what }

// Proxied lets a transport take the proxy of the environment, and say by [CauseOf]
// what is wrong with it.
func Proxied(t *http.Transport) *http.Transport {
	t.Proxy = proxyFromEnvironment
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		return ProxyRefusal(resp.StatusCode)
	}
	return t
}

// proxyFromEnvironment is that of net/http, but for its error, which holds the
// address with its password.
func proxyFromEnvironment(req *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(req)
	if err != nil || proxy == nil && isUnread(req.URL, os.Getenv) { //nolint:forbidigo // where net/http reads it
		return nil, &proxyError{what: "the address of the proxy cannot be read", lasting: true}
	}
	return proxy, nil
}

// isUnread finds a proxy that net/http passes over because it cannot read its address:
// what was meant to go through a proxy would go past it. Where NO_PROXY is set it may
// have been meant to.
func isUnread(to *url.URL, getenv func(string) string) bool {
	name := strings.ToUpper(to.Scheme) + "_PROXY"
	address := cmp.Or(getenv(name), getenv(strings.ToLower(name)))
	ip := net.ParseIP(to.Hostname())
	if address == "" || getenv("NO_PROXY")+getenv("no_proxy") != "" || to.Hostname() == "localhost" || ip.IsLoopback() {
		return false
	}
	if _, err := url.Parse(address); err == nil {
		return false
	}
	_, err := url.Parse("http://" + address)
	return err != nil
}

// ProxyRefusal is the error of a proxy that answers by itself.
func ProxyRefusal(status int) error {
	switch status {
	case http.StatusProxyAuthRequired:
		return &proxyError{what: fmt.Sprintf("the proxy wants a user and a password (%d)", status), login: true, lasting: true}
	case http.StatusForbidden:
		return &proxyError{what: fmt.Sprintf("the proxy does not let us through (%d)", status), lasting: true}
	}
	return &proxyError{what: fmt.Sprintf("the proxy answers %d %s", status, http.StatusText(status))}
}
