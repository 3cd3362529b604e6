package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"finoos-syncer/internal/sink/bucket"
)

// weakStore is the log's part of a store whose answers are lost and whose
// requests take their time: a write that its writer has given up, or repeated,
// may still arrive. It keeps its word on conditions all the same.
//
// Processes take turns: each waits in a request until it is granted, and one
// is granted only when all processes wait. So a seed decides everything.
type weakStore struct {
	random   *rand.Rand
	live     int
	requests chan *weakRequest

	objects  map[string][]byte
	inFlight []*weakRequest // writes that may yet arrive, or never

	trace            []string
	wrong            []string // promises that were broken to the store
	late, ownRefused int
}

// weakRequest is one request; a nil body reads, done says that a process has
// ended.
type weakRequest struct {
	process int
	key     string
	body    []byte
	cond    bucket.Condition
	done    bool
	answer  chan weakAnswer
}

type weakAnswer struct {
	body []byte
	err  error
}

var errLost = errors.New("the answer was lost")

func newWeakStore(random *rand.Rand, processes int) *weakStore {
	return &weakStore{random: random, live: processes, requests: make(chan *weakRequest), objects: map[string][]byte{}}
}

// schedule grants requests until all processes have ended, and lets what is
// still on its way arrive.
func (s *weakStore) schedule() {
	var waiting []*weakRequest
	for {
		for len(waiting) < s.live {
			if r := <-s.requests; r.done {
				s.live--
			} else {
				waiting = append(waiting, r)
			}
		}
		if s.live == 0 {
			break
		}
		if len(s.inFlight) > 0 && s.random.IntN(4) == 0 {
			s.arrive()
			continue
		}
		slices.SortFunc(waiting, func(a, b *weakRequest) int { return a.process - b.process })
		i := s.random.IntN(len(waiting))
		r := waiting[i]
		waiting = slices.Delete(waiting, i, i+1)
		r.answer <- s.serve(r)
	}
	for len(s.inFlight) > 0 {
		s.arrive()
	}
}

// arrive lets a write arrive that was given up.
func (s *weakStore) arrive() {
	i := s.random.IntN(len(s.inFlight))
	r := s.inFlight[i]
	s.inFlight = slices.Delete(s.inFlight, i, i+1)
	if s.random.IntN(4) == 0 {
		return // it never does
	}
	if s.write(r) == nil {
		s.late++
	}
	s.note(r, "arrives late")
}

// write is what every store does: the first one wins.
func (s *weakStore) write(r *weakRequest) error {
	if _, stands := s.objects[r.key]; stands {
		return fmt.Errorf("put %s: %w", r.key, bucket.ErrPrecondition)
	}
	s.objects[r.key] = r.body
	return nil
}

func (s *weakStore) note(r *weakRequest, what string) {
	var record Record
	if r.body != nil && json.Unmarshal(r.body, &record) == nil {
		what = "put of " + record.Nonce + ": " + what
	}
	s.trace = append(s.trace, fmt.Sprintf("process %d: %s: %s", r.process, r.key, what))
}

func (s *weakStore) serve(r *weakRequest) weakAnswer {
	if r.body == nil {
		return s.read(r)
	}
	if !r.cond.IfNoneMatch {
		s.wrong = append(s.wrong, r.key+" is written without a condition")
	}
	var what string
	var err error
	switch s.random.IntN(10) {
	default:
		what, err = "answered", s.write(r)
	case 0:
		what, err = "lost on the way there", errLost
	case 1:
		what, err = "lost on the way back", errLost
		_ = s.write(r) // nobody is told
	case 2:
		what, err = "given up, and still on its way", errLost
		s.inFlight = append(s.inFlight, r)
	case 3:
		what, err = "conflict", fmt.Errorf("put %s: %w", r.key, bucket.ErrConflict)
	case 4: // a lost answer, and a request that is repeated below us
		what = "repeated inside"
		if s.write(r) == nil {
			s.ownRefused++
		}
		err = s.write(r)
	case 5: // refused because of a write that did not come about in the end
		what, err = "refused for nothing", fmt.Errorf("put %s: %w", r.key, bucket.ErrPrecondition)
	case 6:
		what, err = "answered, and on its way a second time", s.write(r)
		s.inFlight = append(s.inFlight, r)
	}
	s.note(r, fmt.Sprintf("%s (%v)", what, err))
	return weakAnswer{err: err}
}

func (s *weakStore) read(r *weakRequest) weakAnswer {
	body, stands := s.objects[r.key]
	switch {
	case s.random.IntN(12) == 0:
		s.note(r, "read, and the answer is lost")
		return weakAnswer{err: errLost}
	case !stands:
		s.note(r, "read, and nothing stands there")
		return weakAnswer{err: fmt.Errorf("get %s: %w", r.key, bucket.ErrNotExist)}
	}
	s.note(r, "read")
	return weakAnswer{body: body}
}

// log returns the records that stand, in order, and says where one is missing.
func (s *weakStore) log() (records []*Record, gap string) {
	for i, key := range slices.Sorted(maps.Keys(s.objects)) {
		seq := uint64(i) + 1
		if want := jobKeys("j").record(seq); key != want {
			return records, fmt.Sprintf("%s stands where %s is due", key, want)
		}
		r, err := parseRecord(s.objects[key], seq)
		if err != nil {
			return records, err.Error()
		}
		records = append(records, r)
	}
	return records, ""
}

// weakHandle is the store as one process sees it. The log needs no more than
// to get and put.
type weakHandle struct {
	bucket.Objects // nil: all else fails the test
	*weakStore
	process int
}

func (h weakHandle) ctx() context.Context { return context.Background() } //nolint:forbidigo // processes end by themselves

func (h weakHandle) leave() { h.requests <- &weakRequest{process: h.process, done: true} }

func (h weakHandle) ask(r *weakRequest) weakAnswer {
	r.process, r.answer = h.process, make(chan weakAnswer)
	h.requests <- r
	return <-r.answer
}

func (h weakHandle) Get(_ context.Context, key string) ([]byte, bucket.Info, error) {
	a := h.ask(&weakRequest{key: key})
	return a.body, bucket.Info{Key: key}, a.err
}

func (h weakHandle) Put(_ context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	return bucket.Info{Key: key}, h.ask(&weakRequest{key: key, body: body, cond: cond}).err
}
