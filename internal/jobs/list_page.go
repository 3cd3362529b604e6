package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/cursors"
)

// listing is the list of the users of a run: it is read, held by bucket of users,
// and counted.
type listing struct {
	*session
	held   userList
	extent listExtent
	here   int64         // users of this shard
	took   time.Duration // the reading
}

func newListing(s *session) *listing {
	return &listing{session: s, held: userList{dir: s.o.Config.Sink.ScratchDir}}
}

// close gives back what the list lies in.
func (l *listing) close() { _ = l.held.close() } // frees memory; nothing is lost by an error

// read pages through the users and keeps this shard's, or takes what shard 0 has
// left for this one. It goes on for as long as new users come.
func (l *listing) read(ctx context.Context) error {
	if l.sharesList() && l.o.Shard.Index != 0 {
		if taken, err := l.takeList(ctx); taken || err != nil {
			if err == nil {
				err = l.tellExtent(ctx, false)
			}
			return err
		}
	}
	if err := l.page(ctx); err != nil {
		return err
	}
	return l.tellExtent(ctx, true)
}

func (l *listing) page(ctx context.Context) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stuck := time.AfterFunc(l.job.ListTimeout, func() {
		cancel(Stopf(ReasonAPI, "the list of users brought nobody new for list_timeout %s", l.job.ListTimeout))
	})
	defer stuck.Stop()
	began := time.Now()
	leave := l.leaveList()
	list := l.client.ListUsers(finoos.ListOptions{Ahead: l.job.Concurrency, Progress: func() {
		stuck.Reset(l.job.ListTimeout)
		leave.show(within)
	}})
	for u, err := range list.All(within) {
		var stop *StopError
		if err != nil && errors.As(context.Cause(within), &stop) {
			return stop
		}
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		if !l.o.Shard.Owns(cursors.BucketOf(u.ID)) {
			leave.add(within, &u)
			continue
		}
		if err := l.held.add(&u); err != nil {
			return err
		}
	}
	l.extent, l.took = list.Extent(), time.Since(began)
	leave.done(ctx, &l.extent)
	return l.held.complete()
}
