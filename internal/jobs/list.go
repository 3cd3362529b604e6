package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// listUsers pages through the users and keeps this shard's. With an explicit
// selection the users are asked for one by one instead.
func (r *run) listUsers(ctx context.Context) error {
	if len(r.o.Users) > 0 {
		return r.askFor(ctx, r.o.Users)
	}
	if r.sharesList() && r.o.Shard.Index != 0 {
		if taken, err := r.takeList(ctx); taken || err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.job.ListTimeout,
		stopf(ReasonAPI, "listing the users took longer than list_timeout %s", r.job.ListTimeout))
	defer cancel()
	leave := r.leaveList()
	for u, err := range r.client.Users(ctx) {
		var stop *StopError
		if err != nil && errors.As(context.Cause(ctx), &stop) {
			return stop
		}
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		if !r.o.Shard.Owns(cursors.BucketOf(u.ID)) {
			leave.add(ctx, &u)
			continue
		}
		if err := r.listed.add(&u); err != nil {
			return err
		}
	}
	leave.done(ctx)
	return r.listed.complete()
}

// askFor lists users by asking for each. Those that the API does not know are
// gone where a cursor knows them, and a mistake of the caller's where not.
func (r *run) askFor(ctx context.Context, ids []string) error {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if !r.o.Shard.Owns(cursors.BucketOf(id)) {
			continue
		}
		if err := r.ask(ctx, id, false); err != nil {
			return err
		}
	}
	return nil
}

// ask reads one user by its own path: it joins the list, or is gone, or stays
// as it is for tonight because the API could not say. known says that there
// are cursors of this user.
func (r *run) ask(ctx context.Context, id string, known bool) error {
	u, err := r.client.User(ctx, id)
	switch class := finoos.ClassOf(err); {
	case err == nil:
		r.breaker.success()
		return r.listed.add(&u)
	case ctx.Err() != nil:
		return ctx.Err()
	case class == "" || endsRun(class):
		return fmt.Errorf("ask for a user that was not listed: %w", err)
	case class == finoos.NotFound && known:
		return r.missed(id)
	default:
		return r.unanswered(ctx, id, class, err)
	}
}

func (r *run) missed(id string) error {
	r.tally.update(func(rep *Report) { rep.Users.Listed++ })
	return r.gone.add(id, time.Time{})
}

// unanswered deals with a user whose own path did not answer with the user,
// where its cursors matter.
func (r *run) unanswered(ctx context.Context, id string, class finoos.Class, cause error) error {
	cs, err := r.w.Cursors(ctx, cursors.BucketOf(id), id)
	if err != nil {
		return r.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
	}
	u := newUser(id, nil, cs[id])
	if class == finoos.NotFound {
		if !u.known() {
			return stopf(ReasonConfig, "user %q: neither the API nor the lake knows this user", id)
		}
		return r.missed(id)
	}
	if mayPass(class) {
		if err := r.weigh(ctx, u, cause); err != nil {
			return err
		}
	}
	r.tally.update(func(rep *Report) { rep.Users.Listed++; rep.Users.Failed++ })
	return r.record(ctx, u, &result{
		user: id, stream: StreamUsers, outcome: outcomeFailed, class: class, err: cause,
		extractedAt: u.extractedAt(StreamUsers, r.o.Now()), began: time.Now(),
	})
}

// findMissing asks for the users that the cursors know but the list did not
// show, one by one: a list that shifts while it is read can lose somebody.
func (r *run) findMissing(ctx context.Context) error {
	if len(r.o.Users) > 0 {
		return r.countListed()
	}
	known, missing := 0, 0
	if err := r.eachMissing(ctx, func(isMissing bool, _ string) error {
		known++
		if isMissing {
			missing++
		}
		return nil
	}); err != nil {
		return err
	}
	r.gone.allow(known, r.job.MaxGone)
	if missing > 0 {
		r.log.InfoContext(ctx, "known users were not listed, asking for each", "missing", missing, "known", known)
		if err := r.askForMissing(ctx); err != nil {
			return err
		}
	}
	return r.countListed()
}

// askForMissing asks for each known user that is not in the list. Those of a
// bucket of users are held at a time.
func (r *run) askForMissing(ctx context.Context) error {
	at := 0
	var missing []string
	ask := func() error {
		if len(missing) == 0 {
			return nil
		}
		cs, err := r.w.Cursors(ctx, at, missing...)
		if err != nil {
			return r.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
		}
		for _, id := range missing {
			if r.pathPauses(newUser(id, nil, cs[id])) {
				continue
			}
			if err := r.ask(ctx, id, true); err != nil {
				return err
			}
		}
		missing = missing[:0]
		return nil
	}
	err := r.eachMissing(ctx, func(isMissing bool, id string) error {
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
func (r *run) eachMissing(ctx context.Context, f func(isMissing bool, id string) error) error {
	at := -1
	listed := map[string]bool{}
	for id, err := range r.w.Users(ctx) {
		if err != nil {
			return r.sinkError(ctx, fmt.Errorf("read known users: %w", err))
		}
		if b := cursors.BucketOf(id); b != at {
			users, err := r.listed.bucket(b)
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

func (r *run) countListed() error {
	var n int64
	for b := range bucketsOfUsers {
		users, err := r.listed.bucket(b)
		if err != nil {
			return err
		}
		n += int64(len(users))
	}
	r.tally.update(func(rep *Report) { rep.Users.Listed += n })
	return nil
}

// goneUsers collects the users that the API no longer knows. They are
// declared gone at the end of the run, all or none: more than the limit looks
// like a mistyped tenant, and then nobody is.
type goneUsers struct {
	mu    sync.Mutex
	users map[string]time.Time // id -> the last instant that this run has written for it
	limit int
}

// minGone users may be gone in one run, however few are known.
const minGone = 10

func (g *goneUsers) allow(known int, share float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = max(minGone, int(math.Floor(share*float64(known))))
}

// add notes that id is gone, and the last _extracted_at that this run wrote
// for it; the error ends the run.
func (g *goneUsers) add(id string, last time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users == nil {
		g.users = map[string]time.Time{}
	}
	g.users[id] = last
	if limit := max(g.limit, minGone); len(g.users) > limit {
		return stopf(ReasonAPI, "more than %d known users answer 404 (max_gone): nobody was declared gone; check finoos.tenant and finoos.base_url", limit)
	}
	return nil
}

// compareByBucket orders ids as cursors are: by bucket of users, then by id.
func compareByBucket(a, b string) int {
	return cmp.Or(cmp.Compare(cursors.BucketOf(a), cursors.BucketOf(b)), cmp.Compare(a, b))
}

// byBucket yields ids by bucket of users, sorted and each once.
func byBucket(ids iter.Seq[string]) iter.Seq2[int, []string] {
	return func(yield func(int, []string) bool) {
		for left := slices.Compact(slices.SortedFunc(ids, compareByBucket)); len(left) > 0; {
			b := cursors.BucketOf(left[0])
			n := slices.IndexFunc(left, func(id string) bool { return cursors.BucketOf(id) != b })
			if n < 0 {
				n = len(left)
			}
			if !yield(b, left[:n:n]) {
				return
			}
			left = left[n:]
		}
	}
}

// declareGone writes what is left to say of users that are gone, and ends
// their cursors.
func (r *run) declareGone(ctx context.Context) error {
	r.gone.mu.Lock()
	defer r.gone.mu.Unlock()
	for b, ids := range byBucket(maps.Keys(r.gone.users)) {
		cs, err := r.w.Cursors(ctx, b, ids...)
		if err != nil {
			return r.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
		}
		for _, id := range ids {
			u := newUser(id, nil, cs[id])
			u.lastWritten = r.gone.users[id]
			if err := r.declare(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) declare(ctx context.Context, u *user) error {
	at := u.extractedAt(StreamUsers, r.o.Now())
	batch := sink.Batch{Rows: []table.Row{
		&table.User{UserID: u.id, Meta: table.Meta{Op: table.Delete, Pull: table.Diff, ExtractedAt: at}},
		&table.Pull{UserID: u.id, Stream: string(StreamUsers), Outcome: outcomeGone, Deletes: 1, Meta: table.Meta{Op: table.Upsert, ExtractedAt: at}},
	}}
	for _, s := range append(Streams(), streamSyncSessions) {
		batch.Cursors = append(batch.Cursors, cursors.Cursor{UserID: u.id, Stream: string(s), ExtractedAt: at, Ended: true})
	}
	if err := r.w.Add(ctx, batch); err != nil {
		return r.sinkError(ctx, err)
	}
	r.tally.update(func(rep *Report) { rep.Users.Gone++ })
	r.tally.pulled(&result{user: u.id, stream: StreamUsers, outcome: outcomeGone, deletes: 1})
	return nil
}
