package finoos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/wait"
)

// drip is an API whose answers come piece by piece, each after a while.
type drip struct {
	first  time.Duration // until the header
	pieces []string
	each   time.Duration
	status int
	token  bool // the token does so, too
}

func (d drip) RoundTrip(req *http.Request) (*http.Response, error) {
	isToken := strings.HasSuffix(req.URL.Path, "/auth")
	if isToken && !d.token {
		r := granted("token", 3600)
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(r.body)), ContentLength: -1, Request: req,
		}, nil
	}
	pieces := d.pieces
	if isToken {
		pieces = strings.SplitAfter(granted("token", 3600).body, ",")
	}
	if err := wait.For(req.Context(), d.first); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: max(d.status, 200), Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1, Request: req,
		Body: &dripBody{ctx: req.Context(), pieces: slices.Clone(pieces), each: d.each},
	}, nil
}

type dripBody struct {
	ctx    context.Context //nolint:containedctx // a connection's body ends with its request
	pieces []string
	each   time.Duration
	begun  bool // some of the piece at hand was read
}

func (b *dripBody) Read(p []byte) (int, error) {
	if len(b.pieces) == 0 {
		return 0, io.EOF
	}
	if !b.begun {
		if err := wait.For(b.ctx, b.each); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.pieces[0])
	b.pieces[0] = b.pieces[0][n:]
	if b.begun = b.pieces[0] != ""; !b.begun {
		b.pieces = b.pieces[1:]
	}
	return n, nil
}

func (*dripBody) Close() error { return nil }

func dripping(t *testing.T, d drip, tweaks ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{BaseURL: "https://finoos.test/api", ClientID: "c", ClientSecret: testSecret, Transport: d, RetryMaxElapsed: -1}
	for _, tweak := range tweaks {
		tweak(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// contractsIn are so many, in as many pieces.
func contractsIn(n int) []string {
	pieces := []string{"["}
	for i := range n {
		pieces = append(pieces, fmt.Sprintf(`{"contractId":"%d"},`, i))
	}
	return append(pieces, `{"contractId":"last"}]`)
}

func TestABodyMayTakeLongAsLongAsItMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := dripping(t, drip{first: 29 * time.Second, pieces: contractsIn(20), each: 20 * time.Second})
		began := time.Now()
		l, err := c.Contracts(t.Context(), testUser)
		if got := all(t, l, err); len(got) != 21 || time.Since(began) < 5*time.Minute {
			t.Errorf("%d after %s", len(got), time.Since(began))
		}
	})
}

func TestWhatIsTooSlowEndsInTimeAndNamesTheKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		drip drip
		key  string
		took time.Duration
	}{
		"no answer":                 {drip{first: time.Hour}, "no answer within 30s (finoos.timeout)", 30 * time.Second},
		"a silence":                 {drip{pieces: []string{"[", "]", "x"}, each: 31 * time.Second}, "stopped for 30s (finoos.timeout)", 30 * time.Second},
		"a silence later":           {drip{first: time.Second, pieces: contractsIn(1), each: 40 * time.Second}, "stopped for 30s (finoos.timeout)", 31 * time.Second},
		"a drip without an end":     {drip{first: 5 * time.Second, pieces: contractsIn(1000), each: 20 * time.Second}, "not ended after 10m0s (finoos.body_timeout)", 605 * time.Second},
		"a refusal that drips":      {drip{pieces: contractsIn(1000), each: 5 * time.Second, status: 400}, "", 30 * time.Second},
		"a token that is silent":    {drip{token: true, each: time.Minute}, "stopped for 30s (finoos.timeout)", 30 * time.Second},
		"a token without an answer": {drip{token: true, first: time.Minute}, "no answer within 30s (finoos.timeout)", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := dripping(t, test.drip)
				began := time.Now()
				err := failure(c.Contracts(t.Context(), testUser))
				if took := time.Since(began); took != test.took {
					t.Errorf("ended after %s, want %s: %v", took, test.took, err)
				}
				if test.key == "" {
					if ClassOf(err) != Invalid {
						t.Errorf("a refusal remains one: %v", err)
					}
				} else if ClassOf(err) != Timeout || !strings.Contains(err.Error(), test.key) {
					t.Errorf("says %v, want %q", err, test.key)
				}
			})
		})
	}
}

func TestASlowTokenThatMovesIsOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if err := dripping(t, drip{token: true, each: 25 * time.Second}).Authenticate(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTheTimeoutsAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := dripping(t, drip{pieces: contractsIn(50), each: time.Second}, func(cfg *Config) { cfg.Timeout, cfg.BodyTimeout = 2*time.Second, 10*time.Second })
		if err := failure(c.Contracts(t.Context(), testUser)); err == nil || !strings.Contains(err.Error(), "after 10s (finoos.body_timeout)") {
			t.Error(err)
		}
		c = dripping(t, drip{pieces: contractsIn(50), each: time.Second}, func(cfg *Config) { cfg.Timeout, cfg.BodyTimeout = 30*time.Second, 5*time.Second })
		if err := failure(c.Contracts(t.Context(), testUser)); err == nil || !strings.Contains(err.Error(), "after 5s (finoos.body_timeout)") {
			t.Error(err)
		}
	})
}

func TestASignalDoesNotWaitForASlowBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := dripping(t, drip{pieces: contractsIn(1000), each: 20 * time.Second})
		ctx, cancel := contextFor(t, 65*time.Second)
		defer cancel()
		began := time.Now()
		err := failure(c.Contracts(ctx, testUser))
		if !errors.Is(err, context.Canceled) || time.Since(began) != 65*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// Who retries by itself has had its patience when a slow body ends.
func TestASlowBodyIsNotAskedForAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := dripping(t, drip{pieces: contractsIn(1000), each: 20 * time.Second}, func(cfg *Config) { cfg.RetryMaxElapsed = 2 * time.Minute })
		began := time.Now()
		if err := failure(c.Contracts(t.Context(), testUser)); ClassOf(err) != Timeout || time.Since(began) > 11*time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// The same over a connection, with the client's own transport.
func TestASlowBodyOverAConnectionIsRead(t *testing.T) {
	t.Parallel()
	c := overNetwork(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, piece := range contractsIn(8) {
			time.Sleep(50 * time.Millisecond)
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	})
	c, err := New(Config{BaseURL: c.base, ClientID: "c", ClientSecret: testSecret, Timeout: 250 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Contracts(t.Context(), testUser)
	if got := all(t, l, err); len(got) != 9 {
		t.Errorf("%d contracts", len(got))
	}
}
