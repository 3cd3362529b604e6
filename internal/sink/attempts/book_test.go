package attempts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// notedStore is a bucket in memory, and what was asked of it.
type notedStore struct {
	bucket.Objects
	mu        sync.Mutex
	objects   map[string]string
	etags     map[string]int
	puts      int
	deletes   int
	fail      error
	hides     map[string]error
	conflicts int
	keeps     error            // says so of what is to be deleted
	before    func(key string) // of a conditional Put
}

func newStore() *notedStore {
	return &notedStore{objects: map[string]string{}, etags: map[string]int{}}
}

func (s *notedStore) Put(_ context.Context, key string, body []byte, c bucket.Condition) (bucket.Info, error) {
	if s.before != nil && c.IfMatch != "" {
		f := s.before
		s.before = nil
		f(key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	_, there := s.objects[key]
	if s.conflicts > 0 {
		s.conflicts--
		return bucket.Info{}, bucket.ErrConflict
	}
	switch {
	case s.fail != nil:
		return bucket.Info{}, s.fail
	case c.IfNoneMatch && there, c.IfMatch != "" && (!there || c.IfMatch != strconv.Itoa(s.etags[key])):
		return bucket.Info{}, bucket.ErrPrecondition
	}
	s.etags[key]++
	s.objects[key] = string(body)
	return bucket.Info{Key: key}, nil
}

func (s *notedStore) Get(_ context.Context, key string) ([]byte, bucket.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, there := s.objects[key]
	if err := s.hides[key]; err != nil {
		return nil, bucket.Info{}, err
	}
	if !there {
		return nil, bucket.Info{}, bucket.ErrNotExist
	}
	return []byte(body), bucket.Info{Key: key, ETag: strconv.Itoa(s.etags[key])}, nil
}

func (s *notedStore) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deletes++; s.keeps != nil {
		return s.keeps
	}
	delete(s.objects, key)
	return nil
}

func (s *notedStore) List(_ context.Context, prefix, _ string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		for _, key := range s.keys() {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			s.mu.Lock()
			n := int64(len(s.objects[key]))
			s.mu.Unlock()
			if !yield(bucket.Info{Key: key, Size: n}, nil) {
				return
			}
		}
	}
}

func (s *notedStore) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key := range s.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func book(s *notedStore, run string, atOnce int) *Book {
	return NewBook(Options{
		Store: s, Prefix: "a/", RunID: run, AtOnce: atOnce, Logger: slog.New(slog.DiscardHandler),
		Key:   func(n int64) string { return fmt.Sprintf("a/%s-0-%d.json", run, n) },
		Check: func(context.Context) error { return nil },
	})
}

func attempt(i int) Attempt {
	return Attempt{UserID: fmt.Sprintf("u%d", i), LoginID: "l", At: time.Date(2026, 11, 22, 2, 30, i, 0, time.UTC)}
}

// note notes attempts side by side.
func note(t *testing.T, b *Book, from, to int) []*Ticket {
	t.Helper()
	tickets := make([]*Ticket, to-from)
	var all sync.WaitGroup
	for i := from; i < to; i++ {
		all.Go(func() {
			var err error
			if tickets[i-from], err = b.Note(t.Context(), attempt(i)); err != nil {
				t.Errorf("note: %v", err)
			}
		})
	}
	all.Wait()
	return tickets
}

func left(t *testing.T, b *Book, own func(string) bool) []*Ticket {
	t.Helper()
	var all []*Ticket
	if err := b.Left(t.Context(), own, func(some []*Ticket) error { all = append(all, some...); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func everybody(string) bool { return true }

func TestThoseWhoWaitAreNotedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := book(s, "r", 16)
		begun := time.Now()
		note(t, b, 0, 16)
		if len(s.keys()) != 1 || time.Since(begun) != 0 {
			t.Errorf("%d objects after %v: nobody else could come", len(s.keys()), time.Since(begun))
		}
		begun = time.Now()
		note(t, b, 16, 21)
		if len(s.keys()) != 2 || time.Since(begun) != quiet {
			t.Errorf("%d objects after %v", len(s.keys()), time.Since(begun))
		}
	})
}

func TestAnAttemptWaitsNoLongerThanASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := book(s, "r", 0)
		begun := time.Now()
		var all sync.WaitGroup
		for i := range 20 { // one more every fifth of a second
			all.Go(func() {
				time.Sleep(time.Duration(i) * 200 * time.Millisecond)
				if _, err := b.Note(t.Context(), attempt(i)); err != nil {
					t.Error(err)
				}
				if i == 0 && time.Since(begun) > gatherFor {
					t.Errorf("the first waited for %v", time.Since(begun))
				}
			})
		}
		all.Wait()
		if n := len(s.keys()); n < 4 || n > 5 {
			t.Errorf("%d objects", n)
		}
	})
}

func TestAnObjectGoesWhenAllItTellsIsCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := book(s, "r", 3)
		tickets := note(t, b, 0, 3)
		commit := func() {
			b.Committed(b.Seal())
			if err := b.Clear(t.Context()); err != nil {
				t.Error(err)
			}
		}
		b.Told(tickets[:1])
		b.Drop(tickets[1])
		b.Drop(tickets[1]) // counts once
		if commit(); len(s.keys()) != 1 {
			t.Error("deleted though of one nothing is known")
		}
		b.Told(tickets[2:])
		b.Seal() // for a commit that failed
		if err := b.Close(t.Context()); err != nil || len(s.keys()) != 1 {
			t.Errorf("deleted though it is not committed: %v", err)
		}
		if commit(); len(s.keys()) != 0 {
			t.Errorf("still there: %v", s.keys())
		}
	})
}

// One of an object is committed, and then it turns out that another was not made: there
// is nothing left to commit, and nothing to keep.
func TestAnObjectGoesThoughTheLastOfItWasNotMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := book(s, "r", 2)
		tickets := note(t, b, 0, 2)
		b.Told(tickets[:1])
		b.Committed(b.Seal())
		b.Drop(tickets[1])
		if err := b.Close(t.Context()); err != nil || len(s.keys()) > 0 {
			t.Errorf("left: %v, %v", s.keys(), err)
		}
	})
}

// What was told while a commit was being made is not in it.
func TestWhatIsToldDuringACommitIsOfTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := book(s, "r", 2)
		tickets := note(t, b, 0, 2)
		b.Told(tickets[:1])
		sealed := b.Seal()
		b.Told(tickets[1:])
		b.Committed(sealed)
		if err := b.Close(t.Context()); err != nil || len(s.keys()) != 1 {
			t.Errorf("%v, %v", s.keys(), err)
		}
	})
}

// A store that keeps what it has, for some days or for ever, is not asked again and again
// for each of many objects.
func TestAStoreThatDeletesNothingIsNotAskedForEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := book(s, "r", 1)
		b.Told(note(t, b, 0, 400))
		b.Committed(b.Seal())
		s.keeps = bucket.ErrDenied
		for range 3 {
			if err := b.Clear(t.Context()); !errors.Is(err, bucket.ErrDenied) {
				t.Errorf("says %v", err)
			}
		}
		if s.deletes > 3*2*deletions {
			t.Errorf("asked %d times", s.deletes)
		}
		s.keeps = nil
		if err := b.Close(t.Context()); err != nil || len(s.keys()) > 0 {
			t.Errorf("%d are left, %v", len(s.keys()), err)
		}
	})
}

func TestWithoutItsNoteNobodyIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, lost := newStore(), errors.New("lost")
		s.fail = bucket.ErrDenied
		b := book(s, "r", 2)
		if _, err := b.Note(t.Context(), attempt(0)); !errors.Is(err, bucket.ErrDenied) {
			t.Errorf("a failed write: %v", err)
		}
		s.fail = nil
		s.conflicts = 2
		if ticket, err := b.Note(t.Context(), attempt(3)); err != nil {
			t.Errorf("a repeated request meets itself: %v", err)
		} else {
			b.Drop(ticket)
		}
		b.o.Check = func(context.Context) error { return lost }
		if _, err := b.Note(t.Context(), attempt(1)); !errors.Is(err, lost) {
			t.Errorf("another has the lease: %v", err)
		}
		b.o.Check = func(context.Context) error { return nil }
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Note(ctx, attempt(2)); !errors.Is(err, context.Canceled) {
			t.Errorf("the run is over: %v", err)
		}
		if err := b.Close(t.Context()); err != nil || len(s.keys()) != 0 {
			t.Errorf("left: %v, %v", s.keys(), err)
		}
	})
}

func TestWhatARunLeavesIsFoundByTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		note(t, book(s, "r1", 3), 0, 3)
		b := book(s, "r2", 0)
		found := left(t, b, everybody)
		if len(found) != 3 || found[0].Attempt != attempt(0) && found[1].Attempt != attempt(0) && found[2].Attempt != attempt(0) {
			t.Fatalf("found %+v", found)
		}
		b.Told(found[:2])
		b.Drop(found[2])
		b.Committed(b.Seal())
		if err := b.Clear(t.Context()); err != nil || len(s.keys()) != 0 {
			t.Errorf("left: %v, %v", s.keys(), err)
		}
	})
}

// N may change from night to night: an object then has users of several shards.
func TestShardsTakeTheirUsersOutOfAnObjectByTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		note(t, book(s, "r1", 4), 0, 4)
		odd := func(id string) bool { return (id[1]-'0')%2 == 1 }
		even := func(id string) bool { return !odd(id) }
		a, b := book(s, "r2", 0), book(s, "r3", 0)
		ofA, ofB := left(t, a, odd), left(t, b, even)
		a.Told(ofA)
		b.Told(ofB)
		a.Committed(a.Seal())
		b.Committed(b.Seal())
		s.before = func(string) { // b is quicker
			if err := b.Clear(t.Context()); err != nil {
				t.Error(err)
			}
			if again := left(t, book(s, "r4", 0), everybody); len(again) != 2 || !odd(again[0].UserID) {
				t.Errorf("of two shards one is through, and it is left: %v", again)
			}
		}
		if err := a.Clear(t.Context()); err != nil || len(s.keys()) != 0 {
			t.Errorf("left: %v, %v", s.keys(), err)
		}
		if got := len(ofA) + len(ofB); got != 4 {
			t.Errorf("%d attempts found", got)
		}
	})
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStore()
	good, err := encode("r1", []Attempt{attempt(1)})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.objects, map[string]string{
		"a/readme.txt":   "hello",
		"a/r1-0.json":    string(good),
		"a/r1-0-x.json":  string(good),
		"a/r1-0-1.json/": string(good),
		"a/r1-0-2.json":  "{",
		"a/r1-0-3.json":  `{"version":2,"run_id":"r1","attempts":[]}`,
		"a/r1-0-4.json":  `{"version":1,"run_id":"r1","attempts":[]}`,
		"a/r9-0-5.json":  string(good), // another run's name
		"a/r1-0-6.json":  `{"version":1,"run_id":"r1","attempts":[{"user_id":"","bank_login_id":"l","at":"2026-01-02T03:04:05Z"}]}`,
		"a/r1-0-7.json":  `{"version":1,"run_id":"r1","attempts":[{"user_id":"u","bank_login_id":"l"}]}`,
		"a/r1-0-8.json":  strings.Repeat(" ", MaxObject+1),
		"b/r1-0-1.json":  string(good),
	})
	n := len(s.keys())
	b := book(s, "r2", 0)
	if found := left(t, b, everybody); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	if err := b.Close(t.Context()); err != nil || len(s.keys()) != n {
		t.Errorf("%d of %d are left, %v", len(s.keys()), n, err)
	}
}

// A lifecycle rule may archive it, a key may be gone: no night is lost for it.
func TestAnObjectThatNobodyMayReadIsPassedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		note(t, book(s, "r1", 2), 0, 2)
		note(t, book(s, "r2", 2), 2, 4)
		s.hides = map[string]error{s.keys()[0]: fmt.Errorf("get: %w: InvalidObjectState", bucket.ErrDenied)}
		if found := left(t, book(s, "r3", 0), everybody); len(found) != 2 || found[0].UserID < "u2" {
			t.Errorf("found %v", found)
		}
		s.hides[s.keys()[0]] = errors.New("not now")
		if err := book(s, "r3", 0).Left(t.Context(), everybody, func([]*Ticket) error { return nil }); err == nil {
			t.Error("what may be read later is passed over, and its banks are asked again")
		}
	})
}

func FuzzObject(f *testing.F) {
	good, err := encode("r1", []Attempt{attempt(1), {UserID: "\u2028<&\"", LoginID: "\\", At: attempt(2).At}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"run_id":"r1","attempts":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := parse(body, "r1")
		if err != nil {
			return
		}
		again, err := encode("r1", list)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parse(again, "r1")
		if err != nil || !slices.Equal(list, back) {
			t.Errorf("%v: %v became %v", err, list, back)
		}
	})
}

func TestTheLargestObjectCanBeReadAgain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\"", 1024)
	var list []Attempt
	for range most {
		list = append(list, Attempt{UserID: long, LoginID: long, At: attempt(0).At})
	}
	body, err := encode("r1", list)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := parse(body, "r1"); err != nil || !slices.Equal(list, back) {
		t.Errorf("%d bytes: %v", len(body), err)
	}
}
