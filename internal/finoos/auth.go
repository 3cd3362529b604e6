package finoos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"
)

// defaultLife is the life of a token that does not tell: the documented one.
const defaultLife = 5 * time.Minute

// grant is a token and when to get the next one.
type grant struct {
	token   string
	scopes  []string
	renewAt time.Time // 80 % of its life
	expires time.Time
}

// tokens holds the one token of a client. Any number of calls may ask for it;
// one request at a time renews it.
type tokens struct {
	fetch  func(context.Context) (grant, error)
	flight singleflight.Group

	mu       sync.Mutex
	renewing time.Time // since when, zero where nobody is
	held     grant
	previous string // still in flight somewhere, and so a secret
}

// get returns a token that is fresh enough and is not stale, the one that has
// just been refused.
func (t *tokens) get(ctx context.Context, stale string) (grant, error) {
	if g := t.usable(stale); time.Now().Before(g.renewAt) {
		return g, nil
	}
	// The flight serves others too, so it does not end with this call.
	flying := t.flight.DoChan("", func() (any, error) {
		if g := t.usable(stale); time.Now().Before(g.renewAt) {
			return g, nil // renewed since this call looked
		}
		t.setRenewing(time.Now())
		defer t.setRenewing(time.Time{})
		g, err := t.fetch(context.WithoutCancel(ctx))
		if err == nil {
			t.keep(g)
		}
		return g, err
	})
	late := time.NewTimer(t.patience())
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return grant{}, ctx.Err()
		case <-late.C:
			if g := t.usable(stale); time.Now().Before(g.expires) {
				return g, nil
			}
		case r := <-flying:
			if r.Err != nil {
				// Early renewal may fail while the old token still serves.
				if g := t.usable(stale); time.Now().Before(g.expires) {
					return g, nil
				}
				return grant{}, r.Err
			}
			g, _ := r.Val.(grant)
			return g, nil
		}
	}
}

// renewalMayTake is how long calls wait for a new token while the old one serves.
const renewalMayTake = 7 * time.Second

// patience is what is left of that.
func (t *tokens) patience() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.renewing.IsZero() {
		return renewalMayTake
	}
	return renewalMayTake - time.Since(t.renewing)
}

func (t *tokens) setRenewing(since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewing = since
}

// usable is the token held, or none if that is stale.
func (t *tokens) usable(stale string) grant {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held.token == "" || t.held.token == stale {
		return grant{}
	}
	return t.held
}

func (t *tokens) keep(g grant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.previous = t.held.token
	t.held = g
}

// secrets are the tokens that an answer could echo.
func (t *tokens) secrets() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []string{t.held.token, t.previous}
}

// fetchToken asks the token endpoint, once.
func (c *Client) fetchToken(ctx context.Context) (grant, error) {
	call, err := c.newCall(opAuth, "", "", nil)
	if err != nil {
		return grant{}, err
	}
	config := clientcredentials.Config{
		ClientID:     c.cfg.ClientID,
		ClientSecret: c.cfg.ClientSecret.Reveal(),
		TokenURL:     call.url,
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	asked := time.Now()
	ctx = context.WithValue(withCall(ctx, call), oauth2.HTTPClient, &http.Client{Transport: tokenReader{c.plain.Transport}, CheckRedirect: c.plain.CheckRedirect})
	token, err := config.Token(ctx)
	if err != nil {
		err = c.tokenError(ctx, call, err)
	}
	c.heardOfToken(ctx, call, err)
	if err != nil {
		return grant{}, err
	}
	life := defaultLife
	if !token.Expiry.IsZero() {
		life = time.Until(token.Expiry)
	}
	scope, _ := token.Extra("scope").(string)
	return grant{
		token:   token.AccessToken,
		scopes:  strings.Fields(scope),
		renewAt: asked.Add(life * 4 / 5),
		expires: asked.Add(life),
	}, nil
}

// tokenReader reads answers of the token endpoint as widely as is unambiguous: a
// life such as 300.0 or "300", and a byte order mark before it all.
type tokenReader struct{ next http.RoundTripper }

func (t tokenReader) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || !isPlain(resp.StatusCode) {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(withoutMark(resp.Body), maxProblem))
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	closeQuietly(resp.Body)
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil {
		for name, value := range members {
			seconds, err := strconv.ParseFloat(strings.Trim(string(value), `" `), 64)
			if strings.EqualFold(name, "expires_in") && err == nil && seconds >= 0 && seconds < maxLife.Seconds() {
				members[name] = strconv.AppendInt(nil, int64(seconds), 10)
			}
		}
		if again, err := json.Marshal(members); err == nil {
			body = again
		}
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// maxLife of a token is believed: beyond it a misreading is likelier.
const maxLife = 366 * 24 * time.Hour

// tokenError makes the error of a failed token request. An answer that is no
// token, such as the page of a proxy, is the server's failure and may pass.
func (c *Client) tokenError(ctx context.Context, call *apiCall, err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return c.refused(call, refused.Response.StatusCode, refused.Response.Header, refused.Body)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return c.transportError(ctx, call, err)
	}
	e := call.failed(Server, err)
	e.Message = "the answer is no token"
	return e
}

// authorizer puts the token on requests, which it may change: they are the
// client's own. It renews it when a request is refused, once: a second refusal is
// passed on.
type authorizer struct {
	tokens *tokens
	next   http.RoundTripper
}

func (a *authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	g, err := a.tokens.get(req.Context(), "")
	if err != nil {
		_ = req.Body.Close()
		return nil, err
	}
	req.Header["Authorization"] = []string{"Bearer " + g.token}
	resp, err := a.next.RoundTrip(req)
	if err != nil || !isUnauthorized(resp.StatusCode) {
		return resp, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil { // else there is no body
		if again.Body, err = req.GetBody(); err != nil {
			return resp, nil //nolint:nilerr // the refusal is the better answer
		}
	}
	discard(resp)
	if g, err = a.tokens.get(req.Context(), g.token); err != nil {
		return nil, err
	}
	again.Header["Authorization"] = []string{"Bearer " + g.token}
	return a.next.RoundTrip(again)
}

// Authenticate fetches a token if none is held, so that refused credentials
// show before any work is begun.
func (c *Client) Authenticate(ctx context.Context) error {
	_, err := c.Scopes(ctx)
	return err
}

// Scopes returns the scopes that the token grants.
func (c *Client) Scopes(ctx context.Context) ([]string, error) {
	call, err := c.newCall(opAuth, "", "", nil)
	if err != nil {
		return nil, err
	}
	var scopes []string
	err = c.retry(ctx, call, func() error {
		g, err := c.tokens.get(ctx, "")
		scopes = slices.Clone(g.scopes)
		return err
	})
	return scopes, err
}
