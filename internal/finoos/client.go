package finoos

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// Config says how to reach the API. Only BaseURL, ClientID and ClientSecret
// are required.
type Config struct {
	BaseURL      string
	ClientID     string
	ClientSecret Secret
	Tenant       string // TenantID header; "" = the client's default tenant

	RequestsPerSecond float64       // 0 = unpaced
	Timeout           time.Duration // of one request, its body included; 0 = 30 s
	RetryMaxElapsed   time.Duration // of one read with all its retries; 0 = 2 min, negative = no retries
	MaxResponse       int64         // bytes of a body; 0 = 256 MiB
	FirstPage         string        // number of the first page of users: auto (or ""), 0, 1

	Paths      map[string]string // operation name -> path template
	Transport  http.RoundTripper // nil = a tuned transport of the client's own
	Budget     Budget            // memory that bodies may hold; nil = no bound
	ScratchDir string            // where bodies go beyond that; "" = the system's
	Logger     *slog.Logger      // nil = silent
	UserAgent  string
}

// Budget is memory shared by all bodies. [golang.org/x/sync/semaphore.Weighted]
// is one. It must be safe for concurrent use.
type Budget interface {
	TryAcquire(n int64) bool
	Release(n int64)
}

// Client calls the API. It is safe for concurrent use.
type Client struct{}

func New(cfg Config) (*Client, error) { panic("todo") }

func (c *Client) Authenticate(ctx context.Context) error { panic("todo") }

func (c *Client) Scopes(ctx context.Context) ([]string, error) { panic("todo") }

func (c *Client) Stats() Stats { panic("todo") }

// Stats counts what a client has sent since it was made.
type Stats struct {
	Requests, Refused, Retries, Bytes int64
	ByOperation                       map[string]int64
}

// Meter counts the requests made under a context, and the bytes of their
// answers.
type Meter struct {
	Requests, Bytes atomic.Int64
}

func WithMeter(ctx context.Context, m *Meter) context.Context { panic("todo") }

const HashVersion = 1
