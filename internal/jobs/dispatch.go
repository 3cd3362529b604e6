package jobs

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// commitAt is how many bytes of cursors are held before a commit is made
// early, so that memory stays flat however quickly users are pulled.
const commitAt = 8 << 20

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
	places byBuckets[placeOf] // where earlier runs stopped

	feed *feed // nil until users are pulled

	inHand  inHand
	queue   *queue
	breaker breaker
	again   againLater
}

func newFlow(s *session, held *userList, w worker) *flow {
	return &flow{session: s, worker: w, held: held, queue: newQueue(), breaker: breaker{limit: max(20, 2*s.job.Concurrency)}}
}

// run works on all users of the shard with bounded concurrency. A user that
// waits is in the queue and holds no worker. atDeadline, where it is not nil, is
// called before the end where the deadline has cut the run.
func (f *flow) run(ctx context.Context, atDeadline func(context.Context) error) error {
	return f.whileCommitting(ctx, func(ctx context.Context) error {
		err := f.dispatch(ctx)
		if err == nil && atDeadline != nil && f.deadlinePassed() {
			err = atDeadline(ctx)
		}
		return err
	})
}

// whileCommitting lets work be done while what it brings is committed now and
// then, and until another takes the lease.
func (f *flow) whileCommitting(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var background sync.WaitGroup
	background.Go(func() { f.keepCommitting(ctx, cancel) })
	background.Go(func() { f.watchLease(ctx, cancel) })
	err := work(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // a worker that was cut short, or none at work, is not the reason
	}
	cancel(nil)
	background.Wait()
	return err
}

// dispatch hands users to workers: first those in the queue that are due, then
// the next of the feed, and when all are done those that failed once more. No
// further user is begun while those that wait hold as much memory as they may.
func (f *flow) dispatch(ctx context.Context) error {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(f.job.Concurrency)
	f.feed = newFeed(f, f.places)
	defer f.feed.close()
	for ctx.Err() == nil {
		if f.deadlinePassed() {
			f.log.WarnContext(ctx, "deadline reached: the users that are left are for the next run", "deadline", f.job.Deadline)
			break
		}
		u, wait := f.queue.pop(time.Now())
		if u == nil && !f.queue.full() {
			next, err := f.feed.next(ctx)
			if err != nil {
				workers.Go(func() error { return err })
				break
			}
			u = next
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
			if again := f.again.take(); len(again) > 0 {
				f.log.InfoContext(ctx, "trying failed users again", "users", len(again))
				for _, u := range again {
					f.queue.push(u, time.Now())
				}
				continue
			}
			break
		}
		f.queue.sleep(ctx, f.untilDeadline(wait))
	}
	return workers.Wait()
}

// keepCommitting commits every checkpoint_every, and earlier where many
// cursors are held.
func (f *flow) keepCommitting(ctx context.Context, cancel context.CancelCauseFunc) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if time.Since(last) < f.job.CheckpointEvery && f.w.Pending().Bytes < commitAt {
			continue
		}
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
