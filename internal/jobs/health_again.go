package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// comeback brings users who were held, with their cursors. They are read as they
// were held, mostly bucket by bucket; those of a stretch of one bucket together.
// It belongs to the dispatcher.
type comeback struct {
	of    *session
	batch *heldBatch

	group   []heldUser // of one bucket, by id, each once
	ahead   *heldUser  // the first of the next group
	cursors *stepper[sink.UserCursors]
}

// mostInGroup bounds how many ids are held.
const mostInGroup = 4096

// next returns nil at the end of the batch.
func (c *comeback) next(ctx context.Context) (*user, []heldPart, error) {
	if len(c.group) == 0 {
		c.stop()
		if err := c.regroup(); err != nil || len(c.group) == 0 {
			return nil, nil, err
		}
		b := cursors.BucketOf(c.group[0].id)
		c.cursors = newStepper(c.of.w.EachUser(ctx, b), func(u sink.UserCursors) string { return u.UserID })
	}
	h := c.group[0]
	c.group = c.group[1:]
	known, err := c.cursors.of(h.id)
	if err != nil {
		return nil, nil, c.of.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
	}
	u := newUser(h.id, nil, known.Cursors)
	u.begun, u.again, u.soFar = true, true, h.so
	u.returns = min(u.returns, mostReturns) + 1
	return u, h.parts, nil
}

// regroup takes the next users of one bucket.
func (c *comeback) regroup() error {
	for len(c.group) < mostInGroup {
		if c.ahead == nil {
			u, ok, err := c.batch.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			c.ahead = &u
		}
		if len(c.group) > 0 && cursors.BucketOf(c.group[0].id) != cursors.BucketOf(c.ahead.id) {
			break
		}
		c.group = append(c.group, *c.ahead)
		c.ahead = nil
	}
	slices.SortStableFunc(c.group, func(a, b heldUser) int { return cmp.Compare(a.id, b.id) })
	merged := c.group[:0]
	for _, u := range c.group {
		if last := len(merged) - 1; last >= 0 && merged[last].id == u.id {
			merged[last].parts = append(merged[last].parts, u.parts...)
			continue
		}
		merged = append(merged, u)
	}
	c.group = merged
	return nil
}

// take takes out a user without its cursors; ok is false at the end.
func (c *comeback) take() (u heldUser, ok bool, err error) {
	switch {
	case len(c.group) > 0:
		u, c.group = c.group[0], c.group[1:]
		return u, true, nil
	case c.ahead != nil:
		u, c.ahead = *c.ahead, nil
		return u, true, nil
	}
	return c.batch.next()
}

func (c *comeback) stop() {
	if c.cursors != nil {
		c.cursors.stop()
		c.cursors = nil
	}
}

func (c *comeback) close() {
	c.stop()
	c.batch.close()
}

// passOver leaves a stream of a user for the time when what it needs answers
// again. tried says that it has failed.
func (u *user) passOver(p heldPart) {
	u.parts = slices.DeleteFunc(u.parts, func(have heldPart) bool { return have.stream == p.stream })
	u.parts = append(u.parts, p)
}

// nextPassedOver is the next user that was passed over for something that answers
// again; nil where there is none.
func (n *nightly) nextPassedOver(ctx context.Context) (*user, error) {
	for {
		if n.coming == nil {
			if !n.passed.anyFor(n.comesBack) {
				return nil, nil //nolint:nilnil // nobody, and that is no error
			}
			n.coming = &comeback{of: n.session, batch: n.passed.take()}
		}
		u, parts, err := n.coming.next(ctx)
		if err != nil {
			return nil, err
		}
		if u == nil {
			n.coming.close()
			n.coming = nil
			continue
		}
		n.rememberAges(u)
		n.takeUp(u, parts)
		if len(u.streams) > 0 {
			n.flow.inHand.begin(u.ID)
			return u, nil
		}
		if err := n.passed.add(heldUser{id: u.ID, so: u.soFar, parts: u.parts}); err != nil {
			return nil, err
		}
	}
}

// comesBack says that who was passed over for a part is pulled now. Who was
// not listed, and could not be asked for, is for the next run.
func (n *nightly) comesBack(op apiPart) bool { return op != ownPath && !n.health.isDown(op) }

// takeUp chooses the streams of which nothing is down any more.
func (n *nightly) takeUp(u *user, parts []heldPart) {
	for _, p := range parts {
		if !n.comesBack(p.op()) {
			u.passOver(p)
			continue
		}
		if !slices.Contains(u.streams, p.stream) {
			u.streams = append(u.streams, p.stream)
		}
		if p.tried {
			u.triedBefore = append(u.triedBefore, p.stream)
		}
	}
	u.services = config.ServicesOf(u.streams)
}

// finish counts the user. Those of whom something was passed over are counted as
// such until they have been pulled.
func (n *nightly) finish(ctx context.Context, u *user) error {
	n.flow.inHand.done(u.ID)
	if err := n.noteProbes(ctx, u); err != nil {
		return err
	}
	if u.again {
		n.tally.update(func(rep *report.Report) { rep.Users.PassedOver-- })
	}
	if len(u.parts) == 0 || u.gone {
		n.flow.finish(u)
		return nil
	}
	if !u.again {
		n.tally.left(u, n.streams, n.o.Now())
	}
	n.tally.update(func(rep *report.Report) { rep.Users.PassedOver++ })
	parts := u.parts
	u.parts = nil
	return n.passed.add(heldUser{id: u.ID, so: u.soFar, parts: parts})
}

// atRest is called when nobody is at work and nobody waits. It reports whether
// there is more to do, and in how long.
func (n *nightly) atRest(ctx context.Context) (more bool, err error) {
	if err := n.settleDoubts(ctx, true); err != nil {
		return false, err
	}
	if err := n.nothingGranted(1); err != nil {
		return false, err
	}
	if err := n.apiIsDown(ctx); err != nil {
		return false, err
	}
	left := n.health.down()
	left = slices.DeleteFunc(left, func(op apiPart) bool { return n.passed.waiting(op) == 0 })
	if len(left) == 0 {
		return n.passed.anyFor(n.comesBack), nil
	}
	if _, all := n.health.nobodyAnswers(); all || n.health.stillPatient(left) {
		n.flow.queue.sleep(ctx, n.untilDeadline(lookEvery))
		return true, ctx.Err()
	}
	if n.lastTried {
		return false, nil
	}
	n.lastTried = true
	n.log.InfoContext(ctx, "a last try at what is down", "services", namesOf(left))
	for range fewest {
		for _, op := range left {
			if n.health.isDown(op) && n.knock(ctx, op, n.health.knockNow(op)) {
				more = true
			}
		}
	}
	return more, ctx.Err()
}

// reserveTrouble says at the end what has stayed down.
func (n *nightly) reserveTrouble(ctx context.Context) error {
	if err := n.settleDoubts(ctx, true); err != nil {
		return err
	}
	if err := n.leaveToNext(); err != nil {
		return err
	}
	services := map[string]report.Trouble{}
	down := n.health.down()
	if !slices.Contains(down, ownPath) {
		down = append(down, ownPath) // who could not be asked for
	}
	for _, op := range down {
		waiting := n.passed.waiting(op)
		if waiting == 0 {
			continue
		}
		t := n.health.trouble(op)
		t.PassedOver = waiting + services[op.name()].PassedOver
		services[op.name()] = t
		n.reserve("%s is down since %s: %d users were passed over there, and are pulled when it answers again; the last: %s",
			op.name(), t.DownSince.Format("15:04:05 MST"), waiting, t.Error)
	}
	if len(services) > 0 {
		n.tally.update(func(rep *report.Report) { rep.Services = services })
	}
	return nil
}

// leaveToNext leaves those to the next run who would have been pulled now that
// what they need answers again, but for the deadline: they are not passed over.
func (n *nightly) leaveToNext() error {
	if n.coming != nil {
		defer n.coming.close()
		for {
			u, ok, err := n.coming.take()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if err := n.passed.add(u); err != nil {
				return err
			}
		}
		n.coming = nil
	}
	if !n.passed.anyFor(n.comesBack) {
		return nil
	}
	batch := n.passed.take()
	defer batch.close()
	for {
		u, ok, err := batch.next()
		if err != nil || !ok {
			return err
		}
		if !slices.ContainsFunc(u.parts, func(p heldPart) bool { return !n.comesBack(p.op()) }) {
			n.tally.update(func(rep *report.Report) { rep.Users.PassedOver-- })
		}
		if err := n.passed.add(u); err != nil {
			return err
		}
	}
}

func namesOf(ops []apiPart) []string {
	names := make([]string, 0, len(ops))
	for _, op := range ops {
		names = append(names, op.name())
	}
	return names
}
