package jobs

import (
	"context"
	"fmt"

	"finoos-syncer/internal/sink/cursors"
)

// findMissing asks for the users that the cursors know but the list did not
// show, one by one: a list that shifts while it is read can lose somebody.
func (n *nightly) findMissing(ctx context.Context) error {
	if len(n.o.Users) > 0 {
		return n.list.countListed()
	}
	known, missing := 0, 0
	if err := n.list.eachMissing(ctx, func(isMissing bool, _ string) error {
		known++
		if isMissing {
			missing++
		}
		return nil
	}); err != nil {
		return err
	}
	n.gone.allow(known, n.job.MaxGone)
	if missing > 0 {
		n.log.InfoContext(ctx, "known users were not listed, asking for each", "missing", missing, "known", known)
		if err := n.askForMissing(ctx); err != nil {
			return err
		}
	}
	return n.list.countListed()
}

// askForMissing asks for each known user that is not in the list. Those of a
// bucket of users are held at a time.
func (n *nightly) askForMissing(ctx context.Context) error {
	at := 0
	var missing []string
	ask := func() error {
		if len(missing) == 0 {
			return nil
		}
		cursors, err := n.w.Cursors(ctx, at, missing...)
		if err != nil {
			return n.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
		}
		for _, id := range missing {
			if n.pathPauses(newUser(id, nil, cursors[id])) {
				continue
			}
			if err := n.ask(ctx, id, true); err != nil {
				return err
			}
		}
		missing = missing[:0]
		return nil
	}
	err := n.list.eachMissing(ctx, func(isMissing bool, id string) error {
		if b := cursors.BucketOf(id); b != at {
			if err := ask(); err != nil {
				return err
			}
			at = b
		}
		if isMissing {
			missing = append(missing, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return ask()
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
