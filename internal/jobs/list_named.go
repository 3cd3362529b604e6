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
	"finoos-syncer/internal/sink/table"
	"finoos-syncer/internal/wait"
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
		got, err := n.askOwnPath(ctx, id)
		if err == nil {
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
	if what == askWhose {
		if end := n.flow.tokenRefused(ctx, cause); end != nil {
			cause, what = end, endRun
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case what == endRun:
		return fmt.Errorf("ask for a user that was not listed: %w", cause)
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Listed++ })
	if what == lookForUser {
		return n.miss(u)
	}
	if n.health.failed(ctx, ownPath, u.ID, cause, n.proves(u, config.StreamUsers)) {
		return n.skipOwnPath(ctx, u, true)
	}
	u.doubts = append(u.doubts, doubt{res: n.pathFailure(u, class, cause), op: ownPath, at: time.Now()})
	n.doubts.add(u)
	return nil
}

// ownPath is asking for users by their own path.
var ownPath = dataOf(config.StreamUsers)

// askOwnPath asks for a user, again where that may help.
func (n *nightly) askOwnPath(ctx context.Context, id string) (finoos.User, error) {
	for try := 1; ; try++ {
		var got finoos.User
		err := n.guarded(ctx, string(config.StreamUsers), func() (err error) {
			got, err = n.client.User(finoos.WithAttempt(ctx, try-1), id)
			return err
		})
		what, class := consequenceOf(err)
		switch {
		case err == nil:
			n.health.answered(ctx, ownPath, id)
			return got, nil
		case what == lookForUser:
			n.health.answered(ctx, ownPath, id)
			return got, err
		case what != tryAgain || class == finoos.Timeout || try == tries || n.health.isDown(ownPath):
			return got, err
		}
		if err := wait.For(ctx, betweenTries(try)); err != nil {
			return got, err
		}
	}
}

// skipOwnPath passes over a user who cannot be asked for, since nobody can.
func (n *nightly) skipOwnPath(ctx context.Context, u *user, tried bool) error {
	u.passOver(heldPart{stream: config.StreamUsers, data: true, tried: tried})
	return n.finish(ctx, u)
}

// pathFailed records that the API could not say of a user by its own path.
func (n *nightly) pathFailed(ctx context.Context, u *user, class finoos.Class, cause error) error {
	return n.record(ctx, u, n.pathFailure(u, class, cause))
}

func (n *nightly) pathFailure(u *user, class finoos.Class, cause error) *pull.Result {
	res := n.reader.Begin(&u.User, config.StreamUsers, table.Diff)
	res.Outcome, res.Class, res.Err = pull.Failed, class, cause
	return res
}
