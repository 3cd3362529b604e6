package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
	"finoos-syncer/internal/jobs/probing"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/cursors"
)

// user is one user on its way through a run. It belongs to the worker that
// has it, or to the queue while it waits; never to two.
type user struct {
	pull.User // its id, its cursors, what the list and the bank said of it

	begun    bool
	one      finoos.Service // the only one that is asked while it does not move; empty: all are
	choice   probing.Choice // how that came
	audited  bool           // all are asked, to see whether the one misleads
	joinable bool           // it was decided whether several streams are read by one request
	trial    *joined.Trial  // that the user is of
	logins   lookAtLogins
	early    bool        // came before the circle: see feed
	pulledAt []time.Time // of the run's streams, before this run
	// streams are those of the job that are not in quarantine, services what
	// these need: set when the user is begun.
	streams  []config.Stream
	services []finoos.Service

	noAddress bool // a sync session was due and could not be asked for

	settle  *settling // non-nil while the user waits for an analysis
	probes  map[finoos.Service]probe
	gone    bool
	checked bool // the user's own path has been asked for after a 404
	// missing remembers an earlier 404, and since when; nil where there was none.
	missing *cursors.Cursor

	soFar               // what has become of it
	attempts            // at what has failed
	lost     bool       // of its analyses some are
	again    bool       // comes back after it was passed over, and is counted as such
	scopes              // those that the list names for it
	parts    []heldPart // streams that were passed over

	parked scratch.Place // of one who settles on disk: all else is there

	filled *filled // how far a backfill is with the user; nil in a nightly run
}

// probe is what a service's correlation said, once per run.
type probe struct {
	correlation finoos.Correlation // zero where there is no finished analysis
	err         error
	inferred    bool // from another service's, and not asked for
}

func newUser(id string, listed *finoos.User, known []cursors.Cursor) *user {
	id = strings.Clone(id) // it is kept in places, and the texts of all listed users may be one
	u := &user{User: pull.User{ID: id, Listed: listed, Cursors: make(map[config.Stream]cursors.Cursor, len(known))}, probes: map[finoos.Service]probe{}}
	for _, c := range known {
		if config.Stream(c.Stream) == config.StreamMissing {
			u.missing = &c
			continue
		}
		u.Cursors[config.Stream(c.Stream)] = c
	}
	return u
}

// pulledBefore says whether a run has pulled anything of the user. That a backfill
// has does not count.
func (u *user) pulledBefore() bool {
	for _, c := range u.Cursors {
		if !c.MarkOnly {
			return true
		}
	}
	return false
}

// userOverhead is about what a user takes up beside what its cursors remember.
const userOverhead = 2 << 10

// size is about how many bytes a user holds while it waits.
func (u *user) size() int64 {
	n := int64(userOverhead)
	for _, c := range u.Cursors {
		n += int64(len(c.State)) + 256
	}
	return n
}

// step takes a user one step further: to its end, or into the queue. No read
// waits here for another attempt.
func (n *nightly) step(ctx context.Context, u *user) (err error) {
	if u.parked != (scratch.Place{}) {
		if u, err = n.unpark(u.parked); err != nil {
			return err
		}
	}
	defer func() { u.CloseLogins(); n.endJoined(u) }()
	ctx = finoos.WithAttempt(ctx, u.before())
	next := n.pollAnalysis
	if !u.begun {
		u.begun = true
		if c, ok := n.recovered[u.ID]; ok {
			u.Cursors[config.StreamSyncSessions], u.LastWritten = c, c.ExtractedAt
		}
		n.rememberAges(u)
		n.countAnalyses(u)
		n.choose(u)
		u.scopes = n.scopesOfUser(u.Listed)
		next = func(ctx context.Context, u *user) error { n.decideWhom(u); return n.begin(ctx, u) }
	}
	if err := n.survive(u, n.guarded(ctx, "before the streams", func() error { return next(ctx, u) })); err != nil {
		return err
	}
	if u.settle != nil && !u.gone {
		n.park(ctx, u, time.Now().Add(u.settle.next()))
		return nil
	}
	for _, s := range u.turn(time.Now()) {
		if u.gone {
			break
		}
		if s == config.StreamUsers { // written at the beginning, from the list
			continue
		}
		if err := n.pull(ctx, u, s); err != nil {
			return err
		}
	}
	if !u.gone {
		if err := n.isSeen(ctx, u); err != nil {
			return err
		}
	}
	return n.leave(ctx, u)
}

// leave puts a user who has had its turn where it belongs: to those who are tried
// again, whose failures are in doubt, or who are done.
func (n *nightly) leave(ctx context.Context, u *user) (err error) {
	switch {
	case u.gone:
		err = n.finish(ctx, u)
	case len(u.soon) > 0:
		n.flow.queue.push(u, u.soonest())
	case len(u.later) > 0:
		n.flow.inHand.done(u.ID) // who only waits for the last try has had its turn
		u.lastTry = true
		n.flow.again.add(u)
	case len(u.doubts) > 0:
		n.doubts.add(u)
	default:
		err = n.finish(ctx, u)
	}
	if err != nil {
		return err
	}
	return n.settleDoubts(ctx, false)
}

// begin writes what the list said of the user, and asks its bank for fresh
// data where that is due.
func (n *nightly) begin(ctx context.Context, u *user) error {
	if err := n.sameUsers(u); err != nil {
		return err
	}
	if err := n.hideLogins(ctx, u); err != nil {
		return err
	}
	if n.has(config.StreamUsers) && u.Listed != nil {
		if err := n.pull(ctx, u, config.StreamUsers); err != nil {
			return err
		}
	}
	u.Listed = nil
	if n.job.Sync.When == config.SyncNever || u.gone || n.syncPauses(u) {
		return nil
	}
	if !n.looksAtLogins(ctx, u) {
		n.recallNeeded(ctx, u)
		return ctx.Err()
	}
	began := time.Now()
	err := n.synchronize(ctx, u)
	n.tally.took(report.StageSync, u.ID, time.Since(began))
	return err
}

// finish counts the user, or keeps it for another try at the end.
func (f *flow) finish(u *user) {
	f.inHand.done(u.ID) // who only waits for another try has had its turn
	if len(u.retry) > 0 && !u.gone {
		u.lastTry = true
		maps.DeleteFunc(u.probes, func(_ finoos.Service, p probe) bool { return p.err != nil })
		f.again.add(u)
		return
	}
	if !u.gone && !u.again {
		f.tally.left(u, f.streams, f.o.Now())
	}
	f.tally.update(func(rep *report.Report) {
		switch {
		case u.gone: // counted already
		case u.failed:
			rep.Users.Failed++
		case u.quarantined:
			rep.Users.Quarantined++
		case u.pulled:
			rep.Users.Pulled++
		case u.noAnalysis:
			rep.Users.NoAnalysis++
		case u.notBooked:
			rep.Users.NotBooked++
		default:
			rep.Users.Unchanged++
		}
	})
}

// isGone asks the user's own path, once a run, after one of its other paths
// has answered 404. Where the API cannot say, the user is not gone.
func (n *nightly) isGone(ctx context.Context, u *user) (bool, error) {
	if u.checked || u.gone {
		return u.gone, nil
	}
	u.checked = true
	err := n.guarded(ctx, string(config.StreamUsers), func() error {
		_, err := n.client.User(finoos.WithAttempt(ctx, 0), u.ID)
		return err
	})
	switch what, _ := consequenceOf(err); {
	case err == nil:
		return false, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case what == lookForUser:
		u.gone = true
		return true, n.miss(u)
	case what == endRun:
		return false, fmt.Errorf("ask for a user: %w", err)
	default:
		return false, nil
	}
}

func (u *user) failedBefore() bool {
	for _, c := range u.Cursors {
		if c.Failures > 0 {
			return true
		}
	}
	return false
}

// enlist lets all users through as they are.
func (n *nightly) enlist(context.Context, int) enlister { return nil }

// panicError is a panic in the work on one user, which is that user's failure.
type panicError struct{ what string }

func (e *panicError) Error() string { return e.what }

// survive goes on with a user after a panic in what comes before its streams: it
// has failed, and its streams are pulled.
func (n *nightly) survive(u *user, err error) error {
	if _, crashed := errors.AsType[*panicError](err); !crashed {
		return err
	}
	u.settle, u.failed = nil, true
	n.tally.pulled(&pull.Result{
		User: u.ID, Stream: config.StreamSyncSessions, Outcome: pull.Failed, Class: finoos.Internal, Err: err, Began: time.Now(),
	}, cursors.Cursor{})
	return nil
}

// writePanic is a panic in the writer, which is nobody's: what it holds may be half
// of something, and must not be committed.
type writePanic struct{ of any }

// unguarded runs what writes, of whose panics the process dies.
func unguarded(f func() error) error {
	defer func() {
		if v := recover(); v != nil {
			panic(writePanic{v})
		}
	}()
	return f()
}

// guarded runs the work on one stream of a user. A panic in it becomes an error:
// what it was made of stays out of it, since that may be data of the user.
func (s *session) guarded(ctx context.Context, what string, f func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if _, fatal := v.(writePanic); fatal {
			panic(v)
		}
		e := &panicError{fmt.Sprintf("panic (%T); the log has its stack", v)}
		if fault, ok := v.(runtime.Error); ok {
			e.what = "panic: " + fault.Error() + "; the log has its stack" // of places and numbers
		}
		s.log.ErrorContext(ctx, "panic in the work on a user: it fails, the run goes on", "stream", what, "panic", e.what, "stack", string(debug.Stack()))
		err = e
	}()
	return f()
}
