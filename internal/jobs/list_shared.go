package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/id"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/wait"
)

// The shards of a run group read the list of users once: shard 0 pages through
// it and leaves each of the others its part in the bucket. It saves requests, and
// nothing rests on it: a shard that does not find its part lists for itself.

// A shard looks whether its part of the list is there after an eighth of the time
// that it has waited already, so that a short list is not waited for in vain.
const (
	lookSoonest = 100 * time.Millisecond
	lookLatest  = 5 * time.Second
)

// sharesList says that there are other shards, a name that they share, and nothing
// that must not be left in the bucket.
func (l *listing) sharesList() bool {
	hidden := l.has(config.StreamUsers) && !l.reader.Veil.MayHandOver()
	return l.o.Shard.Count > 1 && l.o.RunGroup != l.id && len(l.o.Users) == 0 && !hidden
}

// takeList waits for this shard's part of the list: as long as shard 0 is at work
// and what it hands over grows, each time for list_timeout at most. It reports
// whether it got it.
func (l *listing) takeList(ctx context.Context) (taken bool, err error) {
	began := time.Now()
	signs := handoverSigns{last: began, size: -1}
	for {
		ended, err := signs.look(ctx, l)
		if err != nil {
			return false, l.goWithout(ctx, err)
		}
		records, about, err := l.w.HandedOver(ctx)
		if err != nil {
			return false, l.goWithout(ctx, err)
		}
		if records != nil {
			return l.takeRecords(ctx, records, about)
		}
		switch waited := time.Since(began); {
		case ended:
			return false, l.goWithout(ctx, errNoList)
		case time.Since(signs.last) >= l.job.ListTimeout:
			return false, l.goWithout(ctx, errListStuck)
		default:
			if err := wait.For(ctx, min(max(waited/8, lookSoonest), lookLatest)); err != nil {
				return false, l.goWithout(ctx, err)
			}
		}
	}
}

func (l *listing) takeRecords(ctx context.Context, records iter.Seq2[[]byte, error], about []byte) (taken bool, err error) {
	for record, err := range records {
		if err != nil {
			return false, l.goWithout(ctx, err)
		}
		u, _, err := decodeUser(l.reader.Veil.OpenUser(record), "")
		if err == nil && !id.Valid(u.ID) {
			err = cursors.ErrUserID
		}
		if err != nil {
			return false, l.goWithout(ctx, err)
		}
		if err := l.held.add(u); err != nil {
			return false, err
		}
	}
	if err := json.Unmarshal(about, &l.extent); err != nil {
		return false, l.goWithout(ctx, fmt.Errorf("read what was said about the list: %w", err))
	}
	return true, l.held.complete()
}

// handoverSigns are what shows that the list is on its way.
type handoverSigns struct {
	last  time.Time // when there was one
	size  int64     // of what was handed over by then
	lived bool      // shard 0 was seen at work
}

// look reports whether shard 0 has ended: then nothing more will come.
func (s *handoverSigns) look(ctx context.Context, l *listing) (ended bool, err error) {
	size, alive, err := l.w.HandoverSigns(ctx, 0)
	if err != nil {
		return false, err
	}
	if size > s.size || alive && !s.lived {
		s.last, s.size = time.Now(), max(s.size, size)
	}
	ended = s.lived && !alive
	s.lived = s.lived || alive
	return ended, nil
}

var (
	errNoList    = errors.New("shard 0 has ended without leaving one")
	errListStuck = errors.New("nothing more came from shard 0 within list_timeout")
)

// goWithout lets the shard list for itself, unless the run has been stopped.
// What it has of the list already does no harm: each user counts once.
func (l *listing) goWithout(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.log.WarnContext(ctx, "listing the users for this shard alone", "reason", cause)
	return nil
}

// listLeaver leaves the other shards their parts of the list; nil leaves
// nothing. What goes wrong costs them a list of their own, and no run.
type listLeaver struct {
	of    *listing
	h     *sink.Handover
	shown time.Time
}

func (l *listing) leaveList() *listLeaver {
	if !l.sharesList() || l.o.Shard.Index != 0 {
		return nil
	}
	h, err := l.w.HandOver()
	if err != nil {
		l.log.Warn("the other shards have to list the users for themselves", "reason", err)
		return nil
	}
	return &listLeaver{of: l, h: h, shown: time.Now()}
}

// add leaves a user to its shard. Where the table users is not written, its id is
// all that anybody needs.
func (l *listLeaver) add(ctx context.Context, u *finoos.User) {
	if l == nil || l.h == nil {
		return
	}
	if !l.of.has(config.StreamUsers) {
		u = &finoos.User{ID: u.ID}
	}
	shard := cursors.BucketOf(u.ID) % l.of.o.Shard.Count
	l.check(ctx, l.h.Add(ctx, shard, l.of.reader.Veil.SealUser(appendUser(nil, u))))
}

// show lets the others see that the list grows, some times within list_timeout.
func (l *listLeaver) show(ctx context.Context) {
	if l == nil || l.h == nil || time.Since(l.shown) < min(showEvery, l.of.job.ListTimeout/8) {
		return
	}
	l.shown = time.Now()
	l.check(ctx, l.h.Show(ctx))
}

// showEvery is how long the others see nothing of a list that grows.
const showEvery = 30 * time.Second

func (l *listLeaver) done(ctx context.Context, extent *listExtent) {
	if l == nil || l.h == nil {
		return
	}
	about, err := json.Marshal(extent)
	if err == nil {
		err = l.h.Done(ctx, about)
	}
	l.check(ctx, err)
}

func (l *listLeaver) check(ctx context.Context, err error) {
	if err != nil {
		l.of.log.WarnContext(ctx, "the other shards have to list the users for themselves", "reason", err)
		l.h = nil
	}
}
