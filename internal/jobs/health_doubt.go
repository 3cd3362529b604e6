package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/jobs/pull"
)

// A failure is in doubt until its operation has answered somebody: only then is it
// the user's. Where the operation turns out to be down, the user is passed over
// like the others.

// doubt is a failure that has no row yet.
type doubt struct {
	res *pull.Result
	op  operation
	at  time.Time // when it failed, in real time
}

// doubts holds the users with such failures, who are done otherwise: hardly more
// than inRow of them and those at work. It guards itself.
type doubts struct {
	mu    sync.Mutex
	users []*user
}

func (d *doubts) add(u *user) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users = append(d.users, u)
}

func (d *doubts) take() []*user {
	d.mu.Lock()
	defer d.mu.Unlock()
	users := d.users
	d.users = nil
	return users
}

// settleDoubts decides what can be decided of the failures in doubt, and at the
// end all of them. Each user is taken out while somebody looks at it, so that no
// two do.
func (n *nightly) settleDoubts(ctx context.Context, end bool) error {
	users := n.doubts.take()
	if end && len(users) > 0 {
		n.knockAll(ctx, n.health.fewFailed())
		n.health.judge(ctx)
	}
	for i, u := range users {
		if err := n.settleUser(ctx, u, end); err != nil {
			return err
		}
		if len(u.doubts) > 0 {
			n.doubts.add(users[i])
			continue
		}
		if err := n.finish(u); err != nil {
			return err
		}
	}
	return nil
}

// settleUser writes a row of each failure that is the user's.
func (n *nightly) settleUser(ctx context.Context, u *user, end bool) (err error) {
	u.doubts = slices.DeleteFunc(u.doubts, func(d doubt) bool {
		switch {
		case err != nil:
			return false
		case n.health.isDown(d.op):
			u.passOver(heldPart{stream: d.res.Stream, data: d.op.service == "", tried: true})
			return true
		case end || d.op == operation{} || n.health.answeredSince(d.op, d.at) || slices.Contains(u.triedBefore, d.res.Stream):
			d.res.ExtractedAt = u.ExtractedAt(d.res.Stream, n.o.Now())
			err = n.record(ctx, u, d.res)
			return err == nil
		}
		return false
	})
	return err
}
