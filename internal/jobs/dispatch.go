package jobs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// commitAt is how many bytes of cursors are held before a commit is made
// early, so that memory stays flat however quickly users are pulled.
const commitAt = 8 << 20

// shortWait is for how long what is complete waits for stragglers: as long as most
// analyses take in a small run, which then has one commit.
const shortWait = 10 * time.Second

// worker is what a kind of run does with its users. Its methods may be called by
// several goroutines at once.
type worker interface {
	// step takes a user one step further: to its end, or into the queue. Its
	// error ends the run.
	step(ctx context.Context, u *user) error
	// enlist gives the users of a bucket what they need beside their cursors; nil
	// is for all users, as they are.
	enlist(ctx context.Context, bucket int) enlister
}

// flow takes users to workers, one after the other in the order of the feed, and
// again when they are due. The first group is set once; the second belongs to
// the dispatcher; the third guards itself.
type flow struct {
	*session
	worker worker
	held   *userList
	stops  byBuckets[placeOf] // where earlier runs did, as far as the users at work are concerned

	feed    *feed // nil until users are pulled
	settled bool  // the last turn was of one who settles

	inHand  inHand
	queue   *queue
	breaker breaker // of a backfill; a run has its health
	again   againLater
	whose   whose
	fed     atomic.Bool // nobody is left in the feed
}

// flowHooks are what a kind of run does beside its users; any may be nil.
type flowHooks struct {
	// more yields users when the feed is at its end, nil for none; held says that
	// nobody is begun for now. The dispatcher calls them.
	more func(ctx context.Context) (*user, error)
	held func() bool
	// atRest is called when nobody is at work and nobody waits; it reports whether
	// there is more to do.
	atRest func(ctx context.Context) (more bool, err error)
	// atDeadline is called before the end where the deadline has cut the run.
	atDeadline func(ctx context.Context) error
	// beside runs until its context ends.
	beside func(ctx context.Context, cancel context.CancelCauseFunc)
}

func newFlow(s *session, held *userList, w worker) *flow {
	return &flow{session: s, worker: w, held: held, queue: newQueue(), breaker: breaker{limit: max(20, 2*s.job.Concurrency)}, whose: whose{turn: make(chan struct{}, 1)}}
}

// run works on all users of the shard with bounded concurrency. A user that
// waits is in the queue and holds no worker.
func (f *flow) run(ctx context.Context, hooks flowHooks) error {
	return f.whileCommitting(ctx, hooks.beside, func(ctx context.Context) error {
		err := f.dispatch(ctx, hooks)
		if err == nil && hooks.atDeadline != nil && f.deadlinePassed() {
			err = hooks.atDeadline(ctx)
		}
		return err
	})
}

// whileCommitting lets work be done while what it brings is committed now and
// then, and until another takes the lease. beside, where it is not nil, runs until
// its context ends.
func (f *flow) whileCommitting(ctx context.Context, beside func(context.Context, context.CancelCauseFunc), work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var background sync.WaitGroup
	background.Go(func() { f.keepCommitting(ctx, cancel) })
	background.Go(func() { f.watchLease(ctx, cancel) })
	if beside != nil {
		background.Go(func() { beside(ctx, cancel) })
	}
	err := work(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // a worker that was cut short, or none at work, is not the reason
	}
	cancel(nil)
	background.Wait()
	return err
}

// dispatch hands users to workers: first those in the queue that are due, then
// the next of the feed and of the hooks, and when all are done those that failed
// once more. No further user is begun while those that wait hold as much memory as
// they may.
func (f *flow) dispatch(ctx context.Context, hooks flowHooks) error {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(f.job.Concurrency)
	f.feed = newFeed(f, f.stops)
	f.fed.Store(false)
	defer f.feed.close()
	for ctx.Err() == nil {
		if f.deadlinePassed() {
			f.log.WarnContext(ctx, "deadline reached: the users that are left are for the next run", "deadline", f.job.Deadline)
			break
		}
		u, wait, err := f.whoseTurn(ctx, hooks)
		if err != nil {
			workers.Go(func() error { return err })
			break
		}
		if u != nil {
			f.queue.begin()
			workers.Go(func() error {
				defer f.queue.end()
				return f.worker.step(ctx, u)
			})
			continue
		}
		if f.queue.idle() {
			more, err := f.rest(ctx, hooks)
			if err != nil {
				workers.Go(func() error { return err })
			}
			if err != nil || !more {
				break
			}
			continue
		}
		f.queue.sleep(ctx, f.untilDeadline(wait))
	}
	return workers.Wait()
}

// whoseTurn is the next user to be given to a worker: one of those who wait, when due,
// else a new one. After one who only settles a new one comes first: however many wait
// for an analysis that never comes, they take no more than every other turn. Where it
// is nobody's, wait is as of the queue.
func (f *flow) whoseTurn(ctx context.Context, hooks flowHooks) (u *user, wait time.Duration, err error) {
	now := time.Now()
	mayBegin := !f.queue.full() && (hooks.held == nil || !hooks.held())
	settles := f.queue.settlesNext(now)
	if mayBegin && settles && f.settled {
		f.settled = false
		if u, err = f.next(ctx, hooks); u != nil || err != nil {
			return u, 0, err
		}
	}
	if u, wait = f.queue.pop(now); u != nil {
		f.settled = settles
		return u, wait, nil
	}
	if mayBegin {
		u, err = f.next(ctx, hooks)
	}
	return u, wait, err
}

// next is the next user that was not begun, nil for none.
func (f *flow) next(ctx context.Context, hooks flowHooks) (*user, error) {
	u, err := f.feed.next(ctx)
	if u != nil || err != nil {
		return u, err
	}
	f.fed.Store(true)
	if hooks.more == nil {
		return nil, nil //nolint:nilnil // nobody is left, and that is no error
	}
	return hooks.more(ctx)
}

// rest finds what is left to do when nobody is at work and nobody waits.
func (f *flow) rest(ctx context.Context, hooks flowHooks) (more bool, err error) {
	if again := f.again.take(); len(again) > 0 {
		f.log.InfoContext(ctx, "trying failed users again", "users", len(again))
		for _, u := range again {
			f.queue.push(u, u.lastDue(time.Now()))
		}
		return true, nil
	}
	if hooks.atRest == nil {
		return false, nil
	}
	return hooks.atRest(ctx)
}

// keepCommitting commits every checkpoint_every, earlier where many cursors are
// held, and once when only those are left that wait: what is complete does not
// wait for the stragglers.
func (f *flow) keepCommitting(ctx context.Context, cancel context.CancelCauseFunc) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	last := time.Now()
	var waiting time.Time // since when there are only stragglers
	early := true         // a commit for their sake has not been made
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if waiting.IsZero() && f.fed.Load() && f.queue.onlyWaiting() {
			waiting = time.Now()
		}
		forThem := early && !waiting.IsZero() && time.Since(waiting) >= shortWait
		if time.Since(last) < f.job.CheckpointEvery && f.w.Pending().Bytes < commitAt && !forThem {
			continue
		}
		early = early && !forThem
		// A commit that has begun is not cut short by the end of the pulls.
		if err := f.commit(context.WithoutCancel(ctx)); err != nil {
			cancel(err)
			return
		}
		last = time.Now()
	}
}

// watchLease stops the run when another has taken its lease.
func (f *flow) watchLease(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-f.w.Alive():
		cancel(f.w.Err())
	}
}
