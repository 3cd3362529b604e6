package jobs

import (
	"context"
	"errors"
	"time"

	"finoos-syncer/internal/finoos"
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
func (r *run) sharesList() bool {
	return r.o.Shard.Count > 1 && r.o.RunGroup != r.id && len(r.o.Users) == 0
}

// takeList waits for this shard's part of the list, for list_timeout at most. It
// reports whether it got it.
func (r *run) takeList(ctx context.Context) (taken bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.job.ListTimeout, errNoList)
	defer cancel()
	began := time.Now()
	for {
		records, err := r.w.HandedOver(ctx)
		if err == nil && records != nil {
			for record, err := range records {
				if err != nil {
					return false, r.goWithout(ctx, err)
				}
				u, _, err := decodeUser(record, "")
				if err != nil {
					return false, r.goWithout(ctx, err)
				}
				if err := r.listed.add(u); err != nil {
					return false, err
				}
			}
			return true, r.listed.complete()
		}
		if err != nil {
			return false, r.goWithout(ctx, err)
		}
		select {
		case <-ctx.Done():
			return false, r.goWithout(ctx, context.Cause(ctx))
		case <-time.After(min(max(time.Since(began)/8, lookSoonest), lookLatest)):
		}
	}
}

var errNoList = errors.New("no list was there within list_timeout")

// goWithout lets the shard list for itself, unless the run has been stopped.
// What it has of the list already does no harm: each user counts once.
func (r *run) goWithout(ctx context.Context, cause error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errNoList) {
		return ctx.Err()
	}
	r.log.WarnContext(ctx, "listing the users for this shard alone", "reason", cause)
	return nil
}

// listLeaver leaves the other shards their parts of the list; nil leaves
// nothing. What goes wrong costs them a list of their own, and no run.
type listLeaver struct {
	r *run
	h *sink.Handover
}

func (r *run) leaveList() *listLeaver {
	if !r.sharesList() || r.o.Shard.Index != 0 {
		return nil
	}
	h, err := r.w.HandOver()
	if err != nil {
		r.log.Warn("the other shards have to list the users for themselves", "reason", err)
		return nil
	}
	return &listLeaver{r: r, h: h}
}

// add leaves a user to its shard. Where the table users is not written, its id is
// all that anybody needs.
func (l *listLeaver) add(ctx context.Context, u *finoos.User) {
	if l == nil || l.h == nil {
		return
	}
	if !l.r.has(StreamUsers) {
		u = &finoos.User{ID: u.ID}
	}
	shard := cursors.BucketOf(u.ID) % l.r.o.Shard.Count
	l.check(ctx, l.h.Add(ctx, shard, appendUser(nil, u)))
}

func (l *listLeaver) done(ctx context.Context) {
	if l != nil && l.h != nil {
		l.check(ctx, l.h.Done(ctx))
	}
}

func (l *listLeaver) check(ctx context.Context, err error) {
	if err != nil {
		l.r.log.WarnContext(ctx, "the other shards have to list the users for themselves", "reason", err)
		l.h = nil
	}
}
