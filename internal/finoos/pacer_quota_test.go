package finoos

import (
	"context"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/wait"
)

// quota is an API with a token bucket that its clients are not told of. It
// counts, by shard and second, what it served and what it refused.
type quota struct {
	burst      float64 // seconds' worth
	retryAfter bool
	latency    time.Duration

	mu      sync.Mutex
	rate    float64
	tokens  float64
	at      time.Time
	begun   time.Time
	served  [][]int // by shard, then second
	refused [][]int
}

func newQuota(rate, burst float64, shards int) *quota {
	now := time.Now()
	q := &quota{
		burst: burst, retryAfter: true, latency: 50 * time.Millisecond, rate: rate, at: now, begun: now,
		served: make([][]int, shards), refused: make([][]int, shards),
	}
	q.tokens = q.depth()
	return q
}

func (q *quota) depth() float64 { return math.Max(1, q.rate*q.burst) }

func (q *quota) fill() {
	now := time.Now()
	q.tokens = math.Min(q.depth(), q.tokens+now.Sub(q.at).Seconds()*q.rate)
	q.at = now
}

// set changes the limit.
func (q *quota) set(rate float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fill()
	q.rate = rate
}

// take serves or refuses a request of a shard; it tells for how long there is
// nothing to be had.
func (q *quota) take(shard int) (time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fill()
	counts := q.served
	if q.tokens < 1 {
		counts = q.refused
	}
	second := int(time.Since(q.begun) / time.Second)
	for len(counts[shard]) <= second {
		counts[shard] = append(counts[shard], 0)
	}
	counts[shard][second]++
	if q.tokens < 1 {
		return time.Duration((1 - q.tokens) / q.rate * float64(time.Second)), false
	}
	q.tokens--
	return 0, true
}

// shardOf is the API as one of its shards reaches it.
type shardOf struct {
	q     *quota
	shard int
}

func (s shardOf) RoundTrip(req *http.Request) (*http.Response, error) {
	_ = req.Body.Close()
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: req, Body: io.NopCloser(strings.NewReader("[]")), ContentLength: 2}
	if req.URL.Path == "/api/auth" {
		r := granted("t", 36000)
		resp.Header.Set("Content-Type", "application/json")
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(r.body)), -1
		return resp, nil
	}
	if err := wait.For(req.Context(), s.q.latency/2); err != nil {
		return nil, err
	}
	after, ok := s.q.take(s.shard)
	if err := wait.For(req.Context(), s.q.latency/2); err != nil {
		return nil, err
	}
	if !ok {
		resp.StatusCode = http.StatusTooManyRequests
		if s.q.retryAfter {
			resp.Header.Set("Retry-After", strconv.Itoa(int(math.Max(1, math.Ceil(after.Seconds())))))
		}
	}
	return resp, nil
}

// shard is a client of the quota; work keeps it asking until ctx ends.
func (q *quota) shard(t *testing.T, i int, ceiling float64) *Client {
	t.Helper()
	c, err := New(Config{
		BaseURL: "https://finoos.test/api", ClientID: "client", ClientSecret: testSecret, Transport: shardOf{q, i},
		RequestsPerSecond: ceiling, Shards: len(q.served), RetryMaxElapsed: time.Hour, Timeout: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// work has workers ask again and again, with a pause between two requests
// of each. A call costs a hundredth of what a decoded one does.
func work(ctx context.Context, c *Client, workers int, between time.Duration) *sync.WaitGroup {
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			_ = wait.For(ctx, time.Duration(i)*time.Millisecond) // no two at the same instant
			for ctx.Err() == nil {
				call, err := c.newCall(opLogins, testUser, "", nil)
				if err != nil {
					panic(err)
				}
				if body, err := c.read(ctx, call); err == nil {
					closeQuietly(body)
				}
				if between > 0 {
					_ = wait.For(ctx, between)
				}
			}
		})
	}
	return &all
}

// between sums the counts of all shards over some seconds.
func between(counts [][]int, from, to int) (sum int, each []int) {
	for _, seconds := range counts {
		n := 0
		for i := from; i < min(to, len(seconds)); i++ {
			n += seconds[i]
		}
		sum += n
		each = append(each, n)
	}
	return sum, each
}

// judge returns, for some seconds, how much of the limit was used and how many
// requests were refused, in percent, and how far the shard that is farthest
// from the mean is off, as a share of that.
func (q *quota) judge(from, to int, limit float64) (used, refused, off float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ok, each := between(q.served, from, to)
	no, _ := between(q.refused, from, to)
	for _, n := range each {
		off = math.Max(off, math.Abs(float64(n*len(each))/float64(ok)-1))
	}
	return 100 * float64(ok) / limit / float64(to-from), 100 * float64(no) / float64(max(ok+no, 1)), off
}
