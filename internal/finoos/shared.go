package finoos

import (
	"net/http"

	"golang.org/x/time/rate"
)

// SharedTransport returns a transport for several clients of one process, which
// keeps all of them together below perSecond requests (0 = unpaced): each client
// paces itself alone, and the ceiling is that of the process. next is what it
// stands before, nil = a tuned transport. Waiting here counts as part of a
// request, so it is short of nothing but the ceiling.
func SharedTransport(perSecond float64, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = newTransport()
	}
	return &sharedPacer{limiter: newLimiter(perSecond), next: next}
}

type sharedPacer struct {
	limiter *rate.Limiter
	next    http.RoundTripper
}

func (s *sharedPacer) RoundTrip(req *http.Request) (*http.Response, error) {
	turn := s.limiter.Reserve()
	if err := sleep(req.Context(), turn.Delay()); err != nil {
		turn.Cancel()
		_ = req.Body.Close()
		return nil, err
	}
	return s.next.RoundTrip(req)
}
