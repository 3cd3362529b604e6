package jobs

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
)

// What may pass is tried three times within a quarter of a minute while others are
// answered, and once more at the end of the run; where nobody is answered, for
// retry.max_elapsed. Between two attempts the user is in the queue and holds no
// worker. How long a server asks to wait counts, up to longestWait.
const (
	tries       = 3
	longestWait = 15 * time.Minute
	// longestLastWait is how long the last try waits for a server that asks for it,
	// unless that is about the rate.
	longestLastWait = time.Minute
)

// attempts are those at the streams of a user that have failed.
type attempts struct {
	soon   []another // tried again as soon as they are due
	later  []another // and at the end of the run
	doubts []doubt   // failed for good, unless what they asked for is down
	// lastTry is set when the user comes at the end of the run, and retry, of a
	// backfill, are the failures that it comes for.
	lastTry bool
	retry   []*pull.Result
	// triedBefore are streams that had failed before the user was passed over: who
	// fails again when the others are answered fails alone.
	triedBefore []config.Stream

	turned bool // the streams have had their first turn
	tries  map[config.Stream]*tried
}

// another is a failure that is tried again.
type another struct {
	res *pull.Result
	op  apiPart
	due time.Time // real
}

// tried is how often a stream was, since when, and how long it has waited for.
type tried struct {
	n      int
	first  time.Time // real
	waited time.Duration
}

// before is how many attempts there were at what comes now, for the counts.
func (u *user) before() int {
	if len(u.soon) > 0 || u.lastTry {
		return 1
	}
	return 0
}

// turn are the streams whose turn it is: all of them, then those that are due.
func (u *user) turn(now time.Time) []config.Stream {
	if !u.turned {
		u.turned = true
		return u.streams
	}
	var due []config.Stream
	from := &u.soon
	if u.lastTry && len(u.soon) == 0 {
		from = &u.later
	}
	*from = slices.DeleteFunc(*from, func(a another) bool {
		if a.due.After(now) {
			return false
		}
		due = append(due, a.res.Stream)
		return true
	})
	if len(due) > 0 {
		maps.DeleteFunc(u.probes, func(_ finoos.Service, p probe) bool { return p.err != nil })
	}
	return due
}

// soonest is when the first of those that are tried soon is due.
func (u *user) soonest() time.Time {
	first := u.soon[0].due
	for _, a := range u.soon {
		if a.due.Before(first) {
			first = a.due
		}
	}
	return first
}

// lastDue is when the last try may be made.
func (u *user) lastDue(now time.Time) time.Time {
	last := now
	for _, a := range u.later {
		if a.due.After(last) {
			last = a.due
		}
	}
	return last
}

// tryAgain keeps a failure that may pass for another attempt. It reports false
// where there is none.
func (n *nightly) tryAgain(ctx context.Context, u *user, op apiPart, res *pull.Result, cause *finoos.Error) bool {
	if u.lastTry || slices.Contains(u.triedBefore, res.Stream) {
		n.pauseAsAsked(res, cause)
		return false
	}
	now := time.Now()
	if u.tries == nil {
		u.tries = map[config.Stream]*tried{}
	}
	t := u.tries[res.Stream]
	if t == nil {
		t = &tried{first: now}
		u.tries[res.Stream] = t
	}
	t.n++
	delay := betweenTries(t.n)
	asked := cause.RetryAfter
	rate := cause.Class == finoos.RateLimited
	if rate && t.waited+asked > longestWait {
		n.pauseAsAsked(res, cause)
		return false
	}
	t.waited += asked
	wait := max(delay, asked)
	again := another{res: res, op: op, due: now.Add(wait)}
	few := t.n < tries && cause.Class != finoos.Timeout && (rate || asked <= longestLastWait)
	if few || !n.othersAnswered(ctx, op, t.first, u.ID) && now.Add(wait).Sub(t.first) < n.health.patience {
		u.soon = append(u.soon, again)
		return true
	}
	if !n.flow.canRetry(u) {
		n.pauseAsAsked(res, cause)
		return false
	}
	if !rate {
		again.due = now.Add(min(asked, longestLastWait))
	}
	u.later = append(u.later, again)
	return true
}

// betweenTries is how long to wait after n attempts: one or two seconds, then
// three to six, and up to half a minute.
func betweenTries(n int) time.Duration {
	least := min(time.Second<<(min(n, 6)-1)*3/2, 20*time.Second)
	if n <= 1 {
		least = time.Second
	}
	return least + rand.N(least/2)
}

// pauseAsAsked lets a stream whose user has a limit of its own pause for as long as
// the server asks, in later runs too.
func (n *nightly) pauseAsAsked(res *pull.Result, cause *finoos.Error) {
	if cause.Class == finoos.RateLimited && cause.RetryAfter > longestWait {
		res.RetryAt = n.o.Now().Add(cause.RetryAfter).UTC()
	}
}

// giveUp makes rows of the failures that the deadline has taken further attempts
// from.
func (n *nightly) giveUp(ctx context.Context) error {
	for _, u := range append(n.flow.again.take(), n.flow.queue.drain()...) {
		for _, a := range append(u.soon, u.later...) {
			u.doubts = append(u.doubts, doubt{res: a.res, op: a.op, at: time.Now()})
		}
		u.soon, u.later = nil, nil
		if len(u.doubts) > 0 { // else it waits for its analysis: that is for the next run
			n.doubts.add(u)
		}
	}
	if err := n.settleDoubts(ctx, true); err != nil {
		return err
	}
	if !n.o.OnlyFailed {
		return nil
	}
	for { // so that of those left out only the failed ones count
		if u, err := n.flow.feed.next(ctx); u == nil || err != nil {
			return err
		}
	}
}

// againLater holds the users with a stream that may go better at the end of
// the run.
type againLater struct {
	mu    sync.Mutex
	users []*user
	held  int64 // bytes
}

// againBytes bounds the memory that waiting for another try costs; beyond it,
// a failure is final for the night.
const againBytes = 8 << 20

func (a *againLater) add(u *user) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users = append(a.users, u)
	a.held += u.size()
}

func (a *againLater) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held >= againBytes
}

func (a *againLater) take() []*user {
	a.mu.Lock()
	defer a.mu.Unlock()
	users := a.users
	a.users, a.held = nil, 0
	return users
}

// canRetry says whether there is another try this night for a stream whose
// failure may pass.
func (f *flow) canRetry(u *user) bool {
	return f.job.Failures.RetryAtEnd && !u.lastTry && !f.again.full()
}

// A failure is in doubt until what was asked has answered somebody: only then is it
// the user's. Where it turns out to be down, the user is passed over like the
// others.

// doubt is a failure that has no row yet.
type doubt struct {
	res *pull.Result
	op  apiPart
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
		if err := n.finish(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// settleUser writes a row of each failure that is the user's. A list that is null,
// as it was in an earlier run, is none: it is empty.
func (n *nightly) settleUser(ctx context.Context, u *user, end bool) (err error) {
	var again []doubt
	u.doubts = slices.DeleteFunc(u.doubts, func(d doubt) bool {
		switch {
		case err != nil:
			return false
		case n.health.isDown(d.op):
			u.passOver(heldPart{stream: d.res.Stream, data: d.op.service == "", tried: true})
			return true
		case end || d.op == apiPart{} || n.health.answeredSince(d.op, d.at) || slices.Contains(u.triedBefore, d.res.Stream):
			if finoos.IsNullList(d.res.Err) && u.Cursor(d.res.Stream).ErrorClass == pull.MarkNull {
				again = append(again, d)
				return true
			}
			d.res.ExtractedAt = u.ExtractedAt(d.res.Stream, n.o.Now())
			err = n.record(ctx, u, d.res)
			return err == nil
		}
		return false
	})
	for _, d := range again {
		if err == nil {
			err = n.readNullAgain(ctx, u, d)
		}
	}
	return err
}

// readNullAgain reads a list that was null in an earlier run, and is in this one: now
// null means that it is empty. Where nobody has been answered who could tell it from
// an outage, somebody is asked; if that fails too, it stays a failure.
func (n *nightly) readNullAgain(ctx context.Context, u *user, d doubt) error {
	res, cause := d.res, d.res.Err
	defer res.Close()
	witness := n.health.witness(d.op, u.ID)
	if witness == "" || n.knock(ctx, d.op, witness) {
		res.NullAgain, res.Class, res.Err = true, "", nil
		metered := finoos.WithMeter(finoos.WithAttempt(ctx, 1), &res.Meter)
		err := n.guarded(ctx, string(res.Stream), func() error { return n.reader.Read(metered, &u.User, res) })
		if err == nil {
			return n.record(ctx, u, res)
		}
		if what, _ := consequenceOf(err); what == endRun && ctx.Err() == nil {
			return fmt.Errorf("pull %s: %w", res.Stream, err)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	res.Forget()
	res.Outcome, res.Class, res.Err = pull.Failed, finoos.Malformed, cause
	res.ExtractedAt = u.ExtractedAt(res.Stream, n.o.Now())
	return n.record(ctx, u, res)
}
