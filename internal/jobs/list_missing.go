package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

// findLongMissing asks for the users who were not listed before anybody is pulled,
// where deadlines have kept every run of a week from it.
func (n *nightly) findLongMissing(ctx context.Context) error {
	if !n.askLongOwed() {
		return nil
	}
	return n.findMissing(ctx)
}

// findMissing asks for the users that the cursors know but the list did not show,
// one by one: a list that shifts while it is read can lose somebody. Who answers is
// pulled in a second round; who does not is judged at the end.
func (n *nightly) findMissing(ctx context.Context) error {
	if len(n.o.Users) > 0 || n.asked {
		return nil
	}
	n.asked = true
	if err := n.flow.whileCommitting(ctx, n.keepKnocking, n.askForMissing); err != nil {
		return err
	}
	return n.unlisted.complete()
}

// chunkMissing is how many users are held, with their cursors, until they are
// asked for.
const chunkMissing = 256

// askForMissing goes through the known users and asks for those that the list
// lacks, side by side.
func (n *nightly) askForMissing(ctx context.Context) error {
	workers, within := errgroup.WithContext(ctx)
	workers.SetLimit(n.job.Concurrency)
	var left atomic.Int64
	var missing []string
	ask := func() error {
		defer func() { missing = missing[:0] }()
		if len(missing) == 0 {
			return nil
		}
		known, err := n.w.Cursors(within, cursors.BucketOf(missing[0]), missing...)
		if err != nil {
			return n.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
		}
		for _, id := range slices.Sorted(maps.Keys(known)) {
			u := newUser(id, nil, known[id])
			switch {
			case n.o.OnlyFailed && !n.hasFailed(u), n.pathPauses(u):
			case n.deadlinePassed():
				left.Add(1)
			default:
				workers.Go(func() error { return n.askAgain(within, u) })
			}
		}
		return within.Err()
	}
	err := n.list.eachMissing(within, func(isMissing bool, id string) error {
		n.missing.known++
		if !isMissing {
			n.missing.listed++
			return nil
		}
		if len(missing) == chunkMissing || len(missing) > 0 && cursors.BucketOf(id) != cursors.BucketOf(missing[0]) {
			if err := ask(); err != nil {
				return err
			}
		}
		missing = append(missing, id)
		return nil
	})
	if err == nil {
		err = ask()
	}
	if stopped := workers.Wait(); stopped != nil {
		err = stopped
	}
	if n.tally.update(func(rep *report.Report) { rep.Users.Listed += left.Load() }); left.Load() > 0 {
		n.log.WarnContext(ctx, "deadline reached: known users who were not listed are for the next run", "users", left.Load())
	}
	n.askedAll = err == nil && left.Load() == 0 && n.overAll()
	return err
}

// askAgain asks for a known user who was not listed.
func (n *nightly) askAgain(ctx context.Context, u *user) error {
	if !n.waitWhileDown(ctx, ownPath) {
		n.tally.update(func(rep *report.Report) { rep.Users.Listed++ })
		return n.skipOwnPath(ctx, u, false)
	}
	got, err := n.askOwnPath(ctx, u.ID)
	if err != nil {
		return n.unanswered(ctx, u, err)
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Listed++ })
	n.missing.mu.Lock()
	defer n.missing.mu.Unlock()
	return n.unlisted.add(&got)
}

// eachMissing calls f for every known user of the shard and says whether the
// list lacks it. Users() yields by bucket of users, so that one bucket of the
// list is held at a time.
func (l *listing) eachMissing(ctx context.Context, f func(isMissing bool, id string) error) error {
	at := -1
	listed := map[string]bool{}
	for id, err := range l.w.Users(ctx) {
		if err != nil {
			return l.sinkError(ctx, fmt.Errorf("read known users: %w", err))
		}
		if b := cursors.BucketOf(id); b != at {
			users, err := l.held.bucket(b)
			if err != nil {
				return err
			}
			at = b
			clear(listed)
			for _, u := range users {
				listed[u.ID] = true
			}
		}
		if err := f(!listed[id], id); err != nil {
			return err
		}
	}
	return nil
}

// isSeen takes back what was remembered of a user who did not answer, or by whose
// own path the API failed: it is there.
func (n *nightly) isSeen(ctx context.Context, u *user) error {
	var moved []cursors.Cursor
	if m := u.missing; m != nil {
		moved = append(moved, cursors.Cursor{UserID: u.ID, Stream: m.Stream, ExtractedAt: m.ExtractedAt, Ended: true})
	}
	if c := u.Cursor(config.StreamUsers); c.Failures > 0 && !n.has(config.StreamUsers) {
		c.Failures, c.ErrorClass, c.RetryAt = 0, "", time.Time{}
		moved = append(moved, c)
	}
	return n.addCursors(ctx, moved)
}
