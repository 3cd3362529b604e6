package jobs

import (
	"context"
	"errors"
	"fmt"

	"finoos-syncer/internal/sink/cursors"
)

// listing is the list of the users of a run: it is read, held by bucket of users,
// and counted.
type listing struct {
	*session
	held   userList
	extent listExtent
	here   int64 // users of this shard
}

func newListing(s *session) *listing {
	return &listing{session: s, held: userList{dir: s.o.Config.Sink.ScratchDir}}
}

// close gives back what the list lies in.
func (l *listing) close() { _ = l.held.close() } // frees memory; nothing is lost by an error

// read pages through the users and keeps this shard's, or takes what shard 0 has
// left for this one.
func (l *listing) read(ctx context.Context) error {
	if l.sharesList() && l.o.Shard.Index != 0 {
		if taken, err := l.takeList(ctx); taken || err != nil {
			l.extent = guessedExtent(l)
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.job.ListTimeout,
		Stopf(ReasonAPI, "listing the users took longer than list_timeout %s", l.job.ListTimeout))
	defer cancel()
	leave := l.leaveList()
	for u, err := range l.client.Users(ctx) {
		var stop *StopError
		if err != nil && errors.As(context.Cause(ctx), &stop) {
			return stop
		}
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		l.extent.Named++
		if !l.o.Shard.Owns(cursors.BucketOf(u.ID)) {
			leave.add(ctx, &u)
			continue
		}
		if err := l.held.add(&u); err != nil {
			return err
		}
	}
	leave.done(ctx)
	l.extent.Whole = true
	return l.held.complete()
}
