package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

// listUsers finds the users of the run: those that are named, each asked for, or
// all of the list.
func (n *nightly) listUsers(ctx context.Context) error {
	if len(n.o.Users) > 0 {
		return n.askFor(ctx, n.o.Users)
	}
	return n.list.read(ctx)
}

// askFor lists users by asking for each. Those that the API does not know are
// gone where a cursor knows them, and a mistake of the caller's where not.
func (n *nightly) askFor(ctx context.Context, ids []string) error {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if !n.o.Shard.Owns(cursors.BucketOf(id)) {
			continue
		}
		if err := n.ask(ctx, id, false); err != nil {
			return err
		}
	}
	return nil
}

// ask reads one user by its own path: it joins the list, or is gone, or stays
// as it is for tonight because the API could not say. known says that there
// are cursors of this user.
func (n *nightly) ask(ctx context.Context, id string, known bool) error {
	u, err := n.client.User(ctx, id)
	switch what, _ := consequenceOf(err); {
	case err == nil:
		n.flow.breaker.success()
		return n.list.held.add(&u)
	case ctx.Err() != nil:
		return ctx.Err()
	case what == endRun:
		return fmt.Errorf("ask for a user that was not listed: %w", err)
	case what == lookForUser && known:
		return n.missed(id)
	default:
		return n.unanswered(ctx, id, err)
	}
}

func (n *nightly) missed(id string) error {
	n.tally.update(func(rep *report.Report) { rep.Users.Listed++ })
	return n.gone.add(id, time.Time{})
}

// unanswered deals with a user whose own path did not answer with the user,
// where its cursors matter.
func (n *nightly) unanswered(ctx context.Context, id string, cause error) error {
	known, err := n.w.Cursors(ctx, cursors.BucketOf(id), id)
	if err != nil {
		return n.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
	}
	u := newUser(id, nil, known[id])
	what, class := consequenceOf(cause)
	if what == lookForUser {
		if !u.pulledBefore() {
			return Stopf(ReasonConfig, "user %q: neither the API nor the lake knows this user", id)
		}
		return n.missed(id)
	}
	if what == tryAgain {
		if err := n.flow.weigh(ctx, u, cause); err != nil {
			return err
		}
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Listed++; rep.Users.Failed++ })
	return n.record(ctx, u, &pull.Result{
		User: id, Stream: config.StreamUsers, Outcome: pull.Failed, Class: class, Err: cause,
		ExtractedAt: u.ExtractedAt(config.StreamUsers, n.o.Now()), Began: time.Now(),
	})
}
