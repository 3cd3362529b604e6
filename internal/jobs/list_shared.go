package jobs

import (
	"context"
	"errors"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/id"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
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

// sharesList says that there are other shards, and a name that they share.
func (l *listing) sharesList() bool {
	return l.o.Shard.Count > 1 && l.o.RunGroup != l.id && len(l.o.Users) == 0
}

// takeList waits for this shard's part of the list, for list_timeout at most. It
// reports whether it got it.
func (l *listing) takeList(ctx context.Context) (taken bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.job.ListTimeout, errNoList)
	defer cancel()
	began := time.Now()
	for {
		records, err := l.w.HandedOver(ctx)
		if err == nil && records != nil {
			for record, err := range records {
				if err != nil {
					return false, l.goWithout(ctx, err)
				}
				u, _, err := decodeUser(record, "")
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
			return true, l.held.complete()
		}
		if err != nil {
			return false, l.goWithout(ctx, err)
		}
		select {
		case <-ctx.Done():
			return false, l.goWithout(ctx, context.Cause(ctx))
		case <-time.After(min(max(time.Since(began)/8, lookSoonest), lookLatest)):
		}
	}
}

var errNoList = errors.New("no list was there within list_timeout")

// goWithout lets the shard list for itself, unless the run has been stopped.
// What it has of the list already does no harm: each user counts once.
func (l *listing) goWithout(ctx context.Context, cause error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errNoList) {
		return ctx.Err()
	}
	l.log.WarnContext(ctx, "listing the users for this shard alone", "reason", cause)
	return nil
}

// listLeaver leaves the other shards their parts of the list; nil leaves
// nothing. What goes wrong costs them a list of their own, and no run.
type listLeaver struct {
	of *listing
	h  *sink.Handover
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
	return &listLeaver{of: l, h: h}
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
	l.check(ctx, l.h.Add(ctx, shard, appendUser(nil, u)))
}

func (l *listLeaver) done(ctx context.Context) {
	if l != nil && l.h != nil {
		l.check(ctx, l.h.Done(ctx))
	}
}

func (l *listLeaver) check(ctx context.Context, err error) {
	if err != nil {
		l.of.log.WarnContext(ctx, "the other shards have to list the users for themselves", "reason", err)
		l.h = nil
	}
}
