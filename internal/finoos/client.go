package finoos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"finoos-syncer/internal/finoos/pace"
	"finoos-syncer/internal/trouble"
	"finoos-syncer/internal/trust"
)

// Config says how to reach the API. Only BaseURL, ClientID and ClientSecret
// are required.
type Config struct {
	BaseURL      string
	ClientID     string
	ClientSecret Secret
	Tenant       string // TenantID header; "" = the client's default tenant

	RequestsPerSecond float64       // ceiling, below which the rate adapts; 0 = unpaced
	Shards            int           // processes that share the limit, each with a client: this one starts from its part of the ceiling; 0 = 1
	Pacing            *Pacing       // shared with other clients, in place of the two above; nil = the client's own
	Timeout           time.Duration // of the wait for an answer, and of every silence within its body; 0 = 30 s
	BodyTimeout       time.Duration // of a body as a whole; 0 = 10 min
	RetryMaxElapsed   time.Duration // of one call with all its retries; 0 = 2 min, negative = no retries
	MaxResponse       int64         // bytes of a body; 0 = 256 MiB
	FirstPage         string        // number of the first page of users: "auto" (or ""), "0", "1"

	Paths      map[string]string // operation name -> path template
	Transport  http.RoundTripper // nil = a tuned transport of the client's own
	CAFile     string            // PEM certificates that it trusts beside the system's; "" = none
	Budget     Budget            // memory that bodies may hold; nil = no bound
	ScratchDir string            // where bodies go beyond that; "" = the system's
	Disk       Disk              // how much they may hold there together; nil = no bound
	Logger     *slog.Logger      // nil = silent
	Trouble    *trouble.Watch    // told of what is waited for; nil = one of the client's own, which speaks to Logger
	UserAgent  string
}

// Budget is memory shared by all bodies. It must be safe for concurrent use;
// golang.org/x/sync/semaphore.Weighted is one.
type Budget interface {
	TryAcquire(n int64) bool
	Release(n int64)
}

// Disk is room for bodies that do not fit into memory, shared by all of them.
// golang.org/x/sync/semaphore.Weighted is one.
type Disk interface {
	Budget
	Acquire(ctx context.Context, n int64) error
}

// Client calls the API. It is safe for concurrent use.
type Client struct {
	// Fixed once made.
	cfg        Config
	base       string // without a slash at its end
	operations map[string]*Operation
	common     http.Header // of every request; its values are shared and never changed
	log        *slog.Logger
	plain      *http.Client      // for tokens
	http       http.RoundTripper // for everything else: no redirect is followed, and http.Client would cost a quarter of a request's allocations

	// Shared by all calls, each with its own lock.
	tokens   tokens
	pace     *Pacing
	refusals pace.Refusals
	counters counters
	saidFull sync.Once // that bodies wait for room on the disk
	totals   totals
	watch    *trouble.Watch
}

// New makes a client. It does not call the API; see [Client.Authenticate].
func New(cfg Config) (*Client, error) {
	base, err := baseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("base url %w", err) // "is no address: …"
	}
	operations, err := withPaths(cfg.Paths)
	if err != nil {
		return nil, err
	}
	switch cfg.FirstPage {
	case "", "auto", "0", "1":
	default:
		return nil, errors.New("first page: must be auto, 0 or 1")
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, 30*time.Second)
	cfg.BodyTimeout = cmp.Or(cfg.BodyTimeout, 10*time.Minute)
	cfg.RetryMaxElapsed = cmp.Or(cfg.RetryMaxElapsed, 2*time.Minute)
	cfg.MaxResponse = cmp.Or(cfg.MaxResponse, 256<<20)
	cfg.UserAgent = cmp.Or(cfg.UserAgent, "finoos-syncer")
	c := &Client{cfg: cfg, base: base, operations: operations, log: cfg.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.counters.byOperation, c.counters.answers = map[string]int64{}, map[Answer]int64{}
	c.tokens.fetch = c.fetchToken
	c.totals.log = c.log
	if c.watch = cfg.Trouble; c.watch == nil {
		c.watch = trouble.New(c.log)
	}
	if cfg.Pacing == nil {
		cfg.Pacing = NewPacing(cfg.RequestsPerSecond, cfg.Shards)
	}
	c.pace = cfg.Pacing
	if cfg.Transport == nil {
		roots, err := trust.Pool(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		cfg.Transport = newTransport(roots)
	}
	var chain http.RoundTripper = &deadline{silence: cfg.Timeout, body: cfg.BodyTimeout, next: cfg.Transport}
	chain = &watching{watch: c.watch, next: chain}
	chain = &metering{counters: &c.counters, next: chain}
	chain = &pacer{pace: c.pace, refusals: &c.refusals, watch: c.watch, next: chain}
	c.plain = httpClient(chain)
	c.http = &authorizer{tokens: &c.tokens, next: chain}
	c.common = http.Header{"Accept": {"application/json"}, "User-Agent": {cfg.UserAgent}}
	if cfg.Tenant != "" {
		c.common["Tenantid"] = []string{cfg.Tenant}
	}
	return c, nil
}

// read makes a call that may be repeated and returns its complete answer, nil
// for a 204.
func (c *Client) read(ctx context.Context, call *apiCall) (*spool, error) {
	var body *spool
	c.limitAttempts(ctx, call)
	err := c.retry(ctx, call, func() error {
		var err error
		body, err = c.once(ctx, call)
		return err
	})
	return body, err
}

// once makes one attempt at a read.
func (c *Client) once(ctx context.Context, call *apiCall) (*spool, error) {
	resp, err := c.send(ctx, call)
	if err != nil {
		return nil, err
	}
	defer closeQuietly(resp.Body)
	switch {
	case isWhole(resp.StatusCode):
	case isEmpty(resp.StatusCode):
		return nil, nil //nolint:nilnil // nothing, and that is no error
	default:
		return nil, c.refusal(call, resp)
	}
	if resp.ContentLength > c.cfg.MaxResponse {
		return nil, c.transportError(ctx, call, errTooLarge)
	}
	body, err := newSpool(ctx, withoutMark(bodyOf(resp)), c.cfg.MaxResponse, c.room())
	if err != nil {
		return nil, c.transportError(ctx, call, err)
	}
	return body, nil
}

// send makes one attempt and returns whatever the API answers.
func (c *Client) send(ctx context.Context, call *apiCall) (*http.Response, error) {
	req, err := call.request(ctx)
	if err != nil {
		return nil, c.transportError(ctx, call, err)
	}
	maps.Copy(req.Header, c.common)
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, c.transportError(ctx, call, err)
	}
	return resp, nil
}

// CheckBaseURL checks a URL that all paths are below. Its error says what is wrong
// and what to write, and none of the URL: it may hold a password.
func CheckBaseURL(text string) error {
	_, err := baseURL(text)
	return err
}

// baseURL returns the URL without a slash at its end.
func baseURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		return "", errors.New("is no address: write one such as https://os.fino.cloud/api")
	case u.User != nil:
		return "", errors.New("holds a user or password: credentials belong in client_id and client_secret")
	case u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#"):
		return "", errors.New("holds a query or fragment: write the address up to the path only")
	}
	return strings.TrimRight(u.String(), "/"), nil
}
