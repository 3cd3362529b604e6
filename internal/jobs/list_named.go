package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

// listUsers finds the users of the run: those that are named, each asked for, or
// all of the list.
func (n *nightly) listUsers(ctx context.Context) error {
	find := n.list.read
	if len(n.o.Users) > 0 {
		find = n.askForNamed
	}
	if err := find(ctx); err != nil {
		return err
	}
	return n.list.countListed()
}

// askForNamed lists users by asking for each. Those that the API does not know are
// missing where a cursor knows them, and a mistake of the caller's where not.
func (n *nightly) askForNamed(ctx context.Context) error {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(n.o.Users))) {
		if !n.o.Shard.Owns(cursors.BucketOf(id)) {
			continue
		}
		got, err := n.client.User(ctx, id)
		if err == nil {
			n.flow.breaker.success()
			if err := n.list.held.add(&got); err != nil {
				return err
			}
			continue
		}
		known, readErr := n.w.Cursors(ctx, cursors.BucketOf(id), id)
		if readErr != nil {
			return n.sinkError(ctx, fmt.Errorf("read cursors: %w", readErr))
		}
		u := newUser(id, nil, known[id])
		if what, _ := consequenceOf(err); what == lookForUser && !u.pulledBefore() && ctx.Err() == nil {
			return Stopf(ReasonConfig, "user %q: neither the API nor the lake knows this user", id)
		}
		if err := n.unanswered(ctx, u, err); err != nil {
			return err
		}
	}
	return nil
}

// unanswered deals with a known user whose own path did not answer with the user:
// it is missing, or stays as it is for tonight because the API could not say.
func (n *nightly) unanswered(ctx context.Context, u *user, cause error) error {
	what, class := consequenceOf(cause)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case what == endRun:
		return fmt.Errorf("ask for a user that was not listed: %w", cause)
	case what == lookForUser:
		n.tally.update(func(rep *report.Report) { rep.Users.Listed++ })
		return n.miss(u)
	case what == tryAgain:
		if err := n.flow.weigh(ctx, u, cause); err != nil {
			return err
		}
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Listed++; rep.Users.Failed++ })
	return n.pathFailed(ctx, u, class, cause)
}

// pathFailed records that the API could not say of a user by its own path.
func (n *nightly) pathFailed(ctx context.Context, u *user, class finoos.Class, cause error) error {
	return n.record(ctx, u, &pull.Result{
		User: u.ID, Stream: config.StreamUsers, Outcome: pull.Failed, Class: class, Err: cause,
		ExtractedAt: u.ExtractedAt(config.StreamUsers, n.o.Now()), Began: time.Now(),
	})
}
