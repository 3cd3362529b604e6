package trouble

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
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
	if err != nil {
		return nil, &proxyError{what: "the address of the proxy cannot be read", lasting: true}
	}
	return proxy, nil
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
