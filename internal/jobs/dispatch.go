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

// pullUsers works on all users of the shard with bounded concurrency. A user
// that waits is in the queue and holds no worker.
func (r *run) pullUsers(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var background sync.WaitGroup
	background.Go(func() { r.keepCommitting(ctx, cancel) })
	background.Go(func() { r.watchLease(ctx, cancel) })
	err := r.dispatch(ctx)
	if err == nil && r.deadlinePassed() {
		err = r.giveUp(ctx)
	}
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
func (r *run) dispatch(ctx context.Context) error {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(r.job.Concurrency)
	r.feed = newFeed(r, r.place)
	defer r.feed.close()
	for ctx.Err() == nil {
		if r.deadlinePassed() {
			r.log.WarnContext(ctx, "deadline reached: the users that are left are for the next run", "deadline", r.job.Deadline)
			break
		}
		u, wait := r.queue.pop(time.Now())
		if u == nil && !r.queue.full() {
			next, err := r.feed.next(ctx)
			if err != nil {
				workers.Go(func() error { return err })
				break
			}
			u = next
		}
		if u != nil {
			r.queue.begin()
			workers.Go(func() error {
				defer r.queue.end()
				return r.step(ctx, u)
			})
			continue
		}
		if r.queue.idle() {
			if again := r.again.take(); len(again) > 0 {
				r.log.InfoContext(ctx, "trying failed users again", "users", len(again))
				for _, u := range again {
					r.queue.push(u, time.Now())
				}
				continue
			}
			break
		}
		r.queue.sleep(ctx, r.untilDeadline(wait))
	}
	return workers.Wait()
}

// deadlinePassed says that no further step of a user is to be begun.
func (r *run) deadlinePassed() bool {
	return r.job.Deadline > 0 && time.Since(r.began) >= r.job.Deadline
}

// untilDeadline shortens a wait to what is left; negative means no end.
func (r *run) untilDeadline(wait time.Duration) time.Duration {
	if r.job.Deadline == 0 {
		return wait
	}
	left := max(0, r.job.Deadline-time.Since(r.began))
	if wait < 0 {
		return left
	}
	return min(wait, left)
}

// sleep waits until somebody is due, something changes, or ctx ends. A
// negative wait has no end of its own.
func (q *queue) sleep(ctx context.Context, wait time.Duration) {
	var due <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-q.woken:
	case <-due:
	}
}

// keepCommitting commits every checkpoint_every, and earlier where many
// cursors are held.
func (r *run) keepCommitting(ctx context.Context, cancel context.CancelCauseFunc) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if time.Since(last) < r.job.CheckpointEvery && r.w.Pending().Bytes < commitAt {
			continue
		}
		// A commit that has begun is not cut short by the end of the pulls.
		if err := r.commit(context.WithoutCancel(ctx)); err != nil {
			cancel(err)
			return
		}
		last = time.Now()
	}
}

// watchLease stops the run when another has taken its lease.
func (r *run) watchLease(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-r.w.Alive():
		cancel(r.w.Err())
	}
}

// reportProgress calls the caller's function once a second until stopped, and
// then once more.
func (r *run) reportProgress(ctx context.Context) (stop func()) {
	if r.o.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			r.o.Progress(r.tally.progress(r.client.Stats(), time.Since(r.began)))
			select {
			case <-ctx.Done():
				r.o.Progress(r.tally.progress(r.client.Stats(), time.Since(r.began)))
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		cancel()
		background.Wait()
	}
}
