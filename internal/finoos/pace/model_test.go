package pace

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// model is a limited API and the paces of its shards in virtual time, without
// clients: some hundred times quicker than these, so that many cases can be
// watched for long. Every shard has workers that ask again as soon as they have
// been answered, and the way there takes a random time.
type model struct {
	limit, depth float64 // requests/s; seconds' worth
	header       bool    // Retry-After, in whole seconds
	latency      time.Duration
	ceiling      float64
	shards       int
	changes      map[int]float64 // of the limit, by second
	drained      bool            // the bucket is empty when they begin
	known        Known           // of all shards together; zero = nothing

	rng        *rand.Rand
	begun, now time.Time
	tokens     float64
	filled     time.Time
	events     events
	each       []*modelShard
}

type modelShard struct {
	turns   *turns
	closed  time.Time   // until then
	waiting []time.Time // since when, in order
	served  []int       // by second
	refused []int
}

// event is something that happens; those of an instant in the order in which
// they were planned.
type event struct {
	at    time.Time
	order int
	do    func()
}

type events struct {
	planned int
	heap    []event
}

func (e *events) Len() int      { return len(e.heap) }
func (e *events) Swap(i, j int) { e.heap[i], e.heap[j] = e.heap[j], e.heap[i] }
func (e *events) Less(i, j int) bool {
	a, b := e.heap[i], e.heap[j]
	return a.at.Before(b.at) || a.at.Equal(b.at) && a.order < b.order
}

func (e *events) Push(x any) { e.heap = append(e.heap, x.(event)) } //nolint:errcheck,forcetypeassert // only events are pushed
func (e *events) Pop() any {
	last := e.heap[len(e.heap)-1]
	e.heap = e.heap[:len(e.heap)-1]
	return last
}

func (m *model) at(t time.Time, do func()) {
	m.events.planned++
	heap.Push(&m.events, event{t, m.events.planned, do})
}

func (m *model) fill() {
	m.tokens = min(max(1, m.limit*m.depth), m.tokens+m.now.Sub(m.filled).Seconds()*m.limit)
	m.filled = m.now
}

// run lets the shards work for some seconds. What chance decides follows from
// seed.
func (m *model) run(secs int, seed uint64) *model {
	const workers = 64
	m.rng = rand.New(rand.NewPCG(seed, 0))
	m.begun = time.Unix(1e9, 0)
	m.now, m.filled, m.tokens = m.begun, m.begun, max(1, m.limit*m.depth)
	if m.drained {
		m.tokens = 0
	}
	for at, limit := range m.changes {
		m.at(m.begun.Add(seconds(float64(at))), func() {
			m.fill()
			m.limit = limit
		})
	}
	for range m.shards {
		s := &modelShard{turns: newTurns(m.ceiling, m.shards), served: make([]int, secs+1), refused: make([]int, secs+1)}
		s.turns.governor.begin(m.known.Share(m.shards))
		m.each = append(m.each, s)
		for w := range max(workers/m.shards, 16) {
			m.at(m.begun.Add(time.Duration(w)*time.Millisecond), func() { m.ask(s) })
		}
	}
	for end := m.begun.Add(seconds(float64(secs))); m.events.Len() > 0; {
		e := heap.Pop(&m.events).(event) //nolint:errcheck,forcetypeassert // only events are pushed
		if e.at.After(end) {
			break
		}
		m.now = e.at
		e.do()
	}
	return m
}

// ask puts a worker in the queue.
func (m *model) ask(s *modelShard) {
	s.waiting = append(s.waiting, m.now)
	if len(s.waiting) == 1 {
		m.turn(s)
	}
}

// turn lets those in the queue go whose time has come.
func (m *model) turn(s *modelShard) {
	for len(s.waiting) > 0 {
		if wait := max(s.closed.Sub(m.now), s.turns.until(m.now)); wait > 0 {
			m.at(m.now.Add(wait), func() { m.turn(s) })
			return
		}
		s.turns.take(s.waiting[0], m.now)
		s.waiting = s.waiting[1:]
		m.send(s)
	}
}

func (m *model) send(s *modelShard) {
	sent := m.now
	half := seconds(m.latency.Seconds() * (0.35 + 0.3*m.rng.Float64()))
	m.at(sent.Add(half), func() {
		m.fill()
		second := int(m.now.Sub(m.begun) / time.Second)
		if m.tokens >= 1 {
			m.tokens--
			s.served[second]++
			m.at(m.now.Add(half), func() {
				s.turns.answered("", m.now, m.now.Sub(sent))
				m.ask(s)
			})
			return
		}
		s.refused[second]++
		var asked time.Duration
		if m.header {
			asked = seconds(max(1, math.Ceil((1-m.tokens)/m.limit)))
		}
		m.at(m.now.Add(half), func() {
			delay := max(asked, seconds(0.5*m.rng.Float64()))
			pause := s.turns.refused(sent, m.now, asked, delay)
			if until := m.now.Add(pause); until.After(s.closed) {
				s.closed = until
			}
			m.at(m.now.Add(max(delay, pause)), func() { m.ask(s) })
		})
	})
}

// judge returns, for some seconds, how much of a limit was used and how many
// requests were refused, in percent, and the least and the largest share, of
// the mean.
func (m *model) judge(from, to int, limit float64) (used, refused, least, most float64) {
	var ok, no int
	var each []float64
	for _, s := range m.each {
		n, _ := between([][]int{s.served}, from, to)
		r, _ := between([][]int{s.refused}, from, to)
		ok, no, each = ok+n, no+r, append(each, float64(n))
	}
	mean := float64(ok) / float64(m.shards)
	return 100 * float64(ok) / limit / float64(to-from), 100 * float64(no) / float64(max(ok+no, 1)), slices.Min(each) / mean, slices.Max(each) / mean
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
