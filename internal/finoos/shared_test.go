package finoos

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answers counts requests and has nothing to say.
type answers struct{ n atomic.Int64 }

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	a.n.Add(1)
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: req}, nil
}

func TestClientsThatShareATransportKeepToOneCeiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind answers
		shared := SharedTransport(10, &behind)
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for range 25 {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://bank.test/", http.NoBody)
					if err != nil {
						t.Error(err)
						return
					}
					resp, err := shared.RoundTrip(req)
					if err != nil {
						t.Error(err)
						return
					}
					_ = resp.Body.Close()
				}
			})
		}
		begun := time.Now()
		clients.Wait()
		if took := time.Since(begun); took < 9900*time.Millisecond || took > 10*time.Second || behind.n.Load() != 100 {
			t.Errorf("%d requests took %s at 10 a second", behind.n.Load(), took)
		}
	})
}
