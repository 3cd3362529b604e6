package pace

import "time"

// latency tells when answers are getting slower, which is how a server warns
// that queues before it refuses. Operations differ, so each is compared with
// its own past: a fast average with a slow one. The slow one follows, so that
// a server that is slower for good (another night job, say) counts as normal
// after some hundred requests.
type latency map[string]*averages

type averages struct {
	fast, slow float64 // seconds
	n          int
}

const (
	warnFor    = 2 * time.Second
	enoughSeen = 50
)

// seen reports whether answers to op are rising with this one.
func (l latency) seen(op string, took time.Duration) bool {
	a := l[op]
	if a == nil {
		a = &averages{fast: took.Seconds(), slow: took.Seconds()}
		l[op] = a
	}
	a.n++
	a.fast += (took.Seconds() - a.fast) / 10
	a.slow += (took.Seconds() - a.slow) / 300
	// Twice the usual, and by more than what a busy machine of our own makes
	// of it.
	return a.n > enoughSeen && a.fast > 2*a.slow && a.fast > a.slow+0.03
}
