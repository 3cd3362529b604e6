package finoos

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answers grants tokens, counts other requests, and has nothing to say to them.
type answers struct{ n atomic.Int64 }

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: req, Header: http.Header{}}
	if strings.HasSuffix(req.URL.Path, "/auth") {
		resp.StatusCode = http.StatusOK
		resp.Header.Set("Content-Type", "application/json")
		resp.Body = readCloser{strings.NewReader(`{"access_token":"t","expires_in":3600,"token_type":"Bearer"}`)}
		return resp, nil
	}
	a.n.Add(1)
	return resp, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestClientsThatShareAPaceKeepToOneCeiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind answers
		pacing := NewPacing(10, 1)
		var clients sync.WaitGroup
		for range 4 {
			c, err := New(Config{BaseURL: "http://bank.test", ClientID: "a", ClientSecret: "b", Transport: &behind, Pacing: pacing})
			if err != nil {
				t.Fatal(err)
			}
			clients.Go(func() {
				for range 25 {
					if _, err := c.Accounts(t.Context(), "u"); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		begun := time.Now()
		clients.Wait()
		// Four tokens are asked for as well.
		if took := time.Since(begun); took < 10*time.Second || took > 10500*time.Millisecond || behind.n.Load() != 100 {
			t.Errorf("%d requests took %s at 10 a second", behind.n.Load(), took)
		}
	})
}
