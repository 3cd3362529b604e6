package jobs

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// feed yields the users of the list, some at a time, each with its cursors.
//
// The order is a circle: by bucket of users, within a bucket by id, those first
// that no run has reached for the longest time (placeOf). How old a user's cursors
// are would not tell that: whoever is found unchanged leaves no trace. And what is
// remembered for it is a few times for each bucket, however many users there are,
// while the cursors are still read bucket by bucket. Those of a bucket are merged
// with its list as both are sorted by id (chunk), so that a few hundred users are
// held.
type feed struct {
	of    *flow
	early map[string]bool // came before the circle, so not again
	steps []stretch       // left; the first is at work

	// Of the stretch at work.
	listed  []*finoos.User             // left, by id
	users   []*user                    // the next of them, with their cursors
	cursors *stepper[sink.UserCursors] // nil while there is none
	more    enlister                   // nil where there is none
	last    string                     // the last who was given a turn
	dealt   string                     // the last who was given cursors
}

// enlister gives the users of a stretch, who come in order of their ids, what
// they need besides their cursors, and leaves out those with nothing to do.
type enlister interface {
	enlist(ctx context.Context, users []*user) ([]*user, error)
	close()
}

// chunk is how many users get their cursors at once.
const chunk = 256

// stretch is a part of the list: the users of one bucket whose ids are at
// least from and, unless to is empty, below to; or those that are named.
type stretch struct {
	bucket   int
	from, to string
	reached  time.Time // the beginning of the last run that reached them
	named    []string
}

// newFeed begins where earlier runs stopped.
func newFeed(of *flow, places byBuckets[placeOf]) *feed {
	f := &feed{of: of, early: map[string]bool{}}
	var circle []stretch
	for _, b := range of.o.Shard.Buckets() {
		p := places[b]
		if len(p.Waiting) > 0 {
			f.steps = append(f.steps, stretch{bucket: b, named: p.Waiting})
		}
		if p.From == "" {
			circle = append(circle, stretch{bucket: b, reached: p.Reached})
			continue
		}
		circle = append(circle, stretch{bucket: b, from: p.From, reached: p.Rest}, stretch{bucket: b, to: p.From, reached: p.Reached})
	}
	slices.SortStableFunc(circle, func(a, b stretch) int { return a.reached.Compare(b.reached) })
	f.steps = append(f.steps, circle...)
	return f
}

// holds says whether a listed user is of the stretch.
func (s *stretch) holds(id string, early map[string]bool) bool {
	if s.named != nil {
		return slices.Contains(s.named, id)
	}
	return id >= s.from && (s.to == "" || id < s.to) && !early[id]
}

// next returns nil without an error when the list is at its end.
func (f *feed) next(ctx context.Context) (*user, error) {
	for len(f.users) == 0 {
		switch {
		case len(f.steps) == 0:
			return nil, nil //nolint:nilnil // the end of the list is no error
		case f.cursors == nil:
			if err := f.enter(ctx, &f.steps[0]); err != nil {
				return nil, err
			}
		default:
			if err := f.chunk(ctx); err != nil {
				return nil, err
			}
		}
		f.leave()
	}
	u := f.users[0]
	if f.steps[0].named != nil {
		f.early[u.ID], u.early = true, true
	}
	f.users[0] = nil // its cursors are not held until all are done
	f.users = f.users[1:]
	f.last = u.ID
	f.leave()
	f.of.inHand.begin(u.ID)
	return u, nil
}

// enter begins a stretch, or goes on with one that was closed.
func (f *feed) enter(ctx context.Context, s *stretch) error {
	listed, err := f.of.held.bucket(s.bucket)
	if err != nil {
		return err
	}
	listed = slices.DeleteFunc(listed, func(u *finoos.User) bool {
		return !s.holds(u.ID, f.early) || f.dealt != "" && u.ID <= f.dealt
	})
	slices.SortFunc(listed, func(a, b *finoos.User) int { return cmp.Compare(a.ID, b.ID) })
	f.listed = listed
	f.cursors = newStepper(f.of.w.EachUser(ctx, s.bucket), func(u sink.UserCursors) string { return u.UserID })
	f.more = f.of.worker.enlist(ctx, s.bucket)
	return nil
}

// leave ends the stretch at work if nobody of it is left.
func (f *feed) leave() {
	if len(f.users)+len(f.listed) == 0 {
		f.close()
		f.steps, f.last, f.dealt = f.steps[1:], "", ""
	}
}

// close gives back what a stretch at work holds.
func (f *feed) close() {
	if f.cursors != nil {
		f.cursors.stop()
		f.cursors = nil
	}
	if f.more != nil {
		f.more.close()
		f.more = nil
	}
}

// chunk gives the next users of the stretch their cursors.
func (f *feed) chunk(ctx context.Context) (err error) {
	now := f.listed[:min(chunk, len(f.listed))]
	f.users = make([]*user, 0, len(now))
	for _, l := range now {
		f.dealt = l.ID
		known, err := f.cursors.of(l.ID)
		if err != nil {
			return f.of.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
		}
		u := newUser(l.ID, l, known.Cursors)
		if f.of.o.OnlyFailed && !f.of.hasFailed(u) {
			f.of.tally.update(func(rep *report.Report) { rep.Users.Listed-- })
			continue
		}
		f.users = append(f.users, u)
	}
	clear(now)
	f.listed = f.listed[len(now):]
	if f.more != nil {
		f.users, err = f.more.enlist(ctx, f.users)
	}
	return err
}

// place is the first user in the circle that was not begun, nil at the end of
// the list; waiting are those before the circle that were not.
func (f *feed) place() (at *report.Resume, waiting []string) {
	for i, s := range f.steps {
		if s.named == nil {
			at = &report.Resume{Bucket: s.bucket, UserID: s.from}
			switch {
			case i > 0:
			case len(f.users) > 0:
				at.UserID = f.users[0].ID
			case len(f.listed) > 0:
				at.UserID = f.listed[0].ID
			}
			return at, waiting
		}
		for _, id := range s.named {
			if !f.early[id] {
				waiting = append(waiting, id)
			}
		}
	}
	return nil, waiting
}

// inHand holds the ids of the users that were begun and are not done. They are
// as many as the queue holds, and those at work.
type inHand struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

func (h *inHand) begin(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids == nil {
		h.ids = map[string]struct{}{}
	}
	h.ids[id] = struct{}{}
}

func (h *inHand) done(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ids, id)
}

func (h *inHand) sorted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.ids))
}

// stepper goes through what is known of the users of a bucket beside a list of
// some of them: both are sorted by id, so that one user is held at a time.
type stepper[T any] struct {
	next func() (T, error, bool)
	stop func() // must be called
	id   func(T) string

	at    T
	begun bool
}

func newStepper[T any](all iter.Seq2[T, error], id func(T) string) *stepper[T] {
	s := &stepper[T]{id: id}
	s.next, s.stop = iter.Pull2(all)
	return s
}

// of returns what is known of a user, or nothing; who is asked for must come in
// order.
func (s *stepper[T]) of(id string) (known T, err error) {
	for !s.begun || s.id(s.at) < id {
		at, err, more := s.next()
		if err != nil || !more {
			return known, err
		}
		s.at, s.begun = at, true
	}
	if s.id(s.at) == id {
		return s.at, nil
	}
	return known, nil
}
