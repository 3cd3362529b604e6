package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/cursors"
)

// user is one user on its way through a run. It belongs to the worker that
// has it, or to the queue while it waits; never to two.
type user struct {
	id      string
	listed  *finoos.User // until the user is begun with; nil where it is not on the list
	cursors map[Stream]cursors.Cursor
	// lastWritten is the last _extracted_at of any stream in this run.
	lastWritten time.Time

	begun    bool
	early    bool        // came before the circle: see feed
	pulledAt []time.Time // of the run's streams, before this run
	// streams are those of the job that are not in quarantine, services what
	// these need: set when the user is begun.
	streams     []Stream
	services    []finoos.Service
	quarantined bool // some stream is

	settle  *settling // non-nil while the user waits for an analysis
	probes  map[finoos.Service]probe
	logins  *finoos.List[finoos.BankLogin] // read already, for the stream bank_logins
	gone    bool
	checked bool // the user's own path has been asked for after a 404

	// lastTry is set when the user comes for the second time, for what failed
	// the first time alone: retry.
	lastTry bool
	retry   []*result

	pulled, failed, noAnalysis bool

	filled *filled // how far a backfill is with the user; nil in a nightly run
}

// probe is what a service's correlation said, once per run.
type probe struct {
	correlation finoos.Correlation // zero where there is no finished analysis
	err         error
}

func newUser(id string, listed *finoos.User, cs []cursors.Cursor) *user {
	id = strings.Clone(id) // it is kept in places, and the texts of all listed users may be one
	u := &user{id: id, listed: listed, cursors: make(map[Stream]cursors.Cursor, len(cs)), probes: map[finoos.Service]probe{}}
	for _, c := range cs {
		u.cursors[Stream(c.Stream)] = c
	}
	return u
}

// known says whether a run has pulled anything of the user. That a backfill
// has does not count.
func (u *user) known() bool {
	for _, c := range u.cursors {
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
	for _, c := range u.cursors {
		n += int64(len(c.State)) + 256
	}
	return n
}

// cursor returns what is remembered of a stream, or an empty cursor.
func (u *user) cursor(s Stream) cursors.Cursor {
	c, ok := u.cursors[s]
	if !ok {
		c = cursors.Cursor{UserID: u.id, Stream: string(s)}
	}
	return c
}

// extractedAt is the _extracted_at of a new pull: now, but always later than
// the one before, whatever the clock does.
func (u *user) extractedAt(s Stream, now time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	for _, last := range []time.Time{u.cursors[s].ExtractedAt, u.cursors[s].BackfilledAt, u.lastWritten} {
		if !now.After(last) {
			now = last.Add(time.Microsecond)
		}
	}
	return now
}

// work takes a user one step further: to its end, or into the queue.
func (r *run) work(ctx context.Context, u *user) error {
	defer u.closeLogins()
	step := r.pollAnalysis
	if !u.begun {
		u.begun, step = true, r.begin
		r.rememberAges(u)
		r.choose(u)
	}
	if err := step(ctx, u); err != nil {
		return err
	}
	if u.settle != nil && !u.gone {
		r.queue.push(u, time.Now().Add(u.settle.next()))
		return nil
	}
	streams := u.streams
	if u.lastTry {
		streams = make([]Stream, 0, len(u.retry))
		for _, res := range u.retry {
			streams = append(streams, res.stream)
		}
		u.retry = nil
	}
	for _, s := range streams {
		if u.gone {
			break
		}
		if s == StreamUsers { // written at the beginning, from the list
			continue
		}
		if err := r.pull(ctx, u, s); err != nil {
			return err
		}
	}
	r.finish(u)
	return nil
}

// begin writes what the list said of the user, and asks its bank for fresh
// data where that is due.
func (r *run) begin(ctx context.Context, u *user) error {
	if r.has(StreamUsers) && u.listed != nil {
		if err := r.pull(ctx, u, StreamUsers); err != nil {
			return err
		}
	}
	u.listed = nil
	if r.job.Sync.When == SyncNever || u.gone || r.syncPauses(u) {
		return nil
	}
	began := time.Now()
	err := r.synchronize(ctx, u)
	r.tally.took(stageSync, u.id, time.Since(began))
	return err
}

func (r *run) has(s Stream) bool { return slices.Contains(r.streams, s) }

// finish counts the user, or keeps it for another try at the end.
func (r *run) finish(u *user) {
	r.inHand.done(u.id) // who only waits for another try has had its turn
	if len(u.retry) > 0 && !u.gone {
		u.lastTry = true
		maps.DeleteFunc(u.probes, func(_ finoos.Service, p probe) bool { return p.err != nil })
		r.again.add(u)
		return
	}
	if !u.gone {
		r.tally.left(u, r.streams, r.o.Now())
	}
	r.tally.update(func(rep *Report) {
		switch {
		case u.gone: // counted when it is declared
		case u.failed:
			rep.Users.Failed++
		case u.quarantined:
			rep.Users.Quarantined++
		case u.pulled:
			rep.Users.Pulled++
		case u.noAnalysis:
			rep.Users.NoAnalysis++
		default:
			rep.Users.Unchanged++
		}
	})
}

// isGone asks the user's own path, once a run, after one of its other paths
// has answered 404. Where the API cannot say, the user is not gone.
func (r *run) isGone(ctx context.Context, u *user) (bool, error) {
	if u.checked || u.gone {
		return u.gone, nil
	}
	u.checked = true
	_, err := r.client.User(ctx, u.id)
	switch class := finoos.ClassOf(err); {
	case err == nil:
		return false, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case class == finoos.NotFound:
		u.gone = true
		return true, r.gone.add(u.id, u.lastWritten)
	case class == "" || endsRun(class):
		return false, fmt.Errorf("ask for a user: %w", err)
	default:
		return false, nil
	}
}
