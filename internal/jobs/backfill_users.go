package jobs

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// goneUsers collects the users that the API does not know. A backfill is done with
// all of them at its end, or with none: more than the limit looks like a mistyped
// tenant.
type goneUsers struct {
	mu    sync.Mutex
	users map[string]time.Time // id -> the last instant that this run has written for it
	limit int
}

// minGone users may be gone in a backfill, however few are known.
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
		return Stopf(ReasonAPI, "more than %d known users answer 404 (max_gone): nobody was declared gone; check finoos.tenant and finoos.base_url", limit)
	}
	return nil
}

// listAll lists the users, and finds out how many of them may be gone.
func (f *filling) listAll(ctx context.Context) error {
	list := f.listNamed
	if len(f.asked.Users) == 0 {
		list = f.listEveryone
	}
	if err := list(ctx); err != nil {
		return err
	}
	return f.list.countListed()
}

func (f *filling) listEveryone(ctx context.Context) error {
	if err := f.list.read(ctx); err != nil {
		return err
	}
	known := 0
	for _, err := range f.w.Users(ctx) {
		if err != nil {
			return f.sinkError(ctx, fmt.Errorf("read known users: %w", err))
		}
		known++
	}
	f.gone.allow(known, f.job.MaxGone)
	return nil
}

// listNamed lists the users that are named. Those that the lake knows are not
// asked for, nor anybody once the backfill has begun: who was there then may
// be gone by now, and is no mistake of the caller's.
func (f *filling) listNamed(ctx context.Context) error {
	for b, ids := range byBucket(slices.Values(f.asked.Users)) {
		var cursors map[string][]cursors.Cursor
		if f.fresh {
			var err error
			if cursors, err = f.w.Cursors(ctx, b, ids...); err != nil {
				return f.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
			}
		}
		for _, id := range ids {
			if f.fresh && !newUser(id, nil, cursors[id]).pulledBefore() {
				if err := f.askForStranger(ctx, id); err != nil {
					return err
				}
			}
			if err := f.list.held.add(listedOnly(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// askForStranger asks the API for a user that the lake does not know. Where it
// cannot say, the reading of the user will.
func (f *filling) askForStranger(ctx context.Context, id string) error {
	_, err := f.client.User(ctx, id)
	switch what, _ := consequenceOf(err); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case what == lookForUser:
		return Stopf(ReasonConfig, "user %q: neither the API nor the lake knows this user", id)
	case what == endRun:
		return fmt.Errorf("ask for a user that is named: %w", err)
	default:
		return nil
	}
}

// absentUsers holds, of the users that are gone, what their end means for the
// backfill: that the streams that were left are done. It is written at the end
// of the run, for all or none, as nightly runs declare users gone: a route that
// answers 404 for everybody would else be done for good.
type absentUsers struct {
	mu   sync.Mutex
	ends map[string][]sink.Progress
}

// miss notes that the API does not know u; the error ends the run.
func (f *filling) miss(u *user) error {
	now := f.o.Now().UTC()
	var end []sink.Progress
	for _, s := range f.streamsLeft(u) {
		end = append(end, sink.Progress{UserID: u.ID, Stream: string(s), ExtractedAt: u.ExtractedAt(s, now), DoneAt: now})
	}
	f.absent.mu.Lock()
	if f.absent.ends == nil {
		f.absent.ends = map[string][]sink.Progress{}
	}
	f.absent.ends[u.ID] = end
	f.absent.mu.Unlock()
	return f.gone.add(u.ID, u.LastWritten)
}

// endAbsent is done with the users that are gone: there is nothing to bring.
func (f *filling) endAbsent(ctx context.Context) error {
	f.absent.mu.Lock()
	defer f.absent.mu.Unlock()
	if len(f.absent.ends) == 0 {
		return nil
	}
	if err := f.findPresent(ctx); err != nil {
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(f.absent.ends), compareByBucket) {
		end := f.absent.ends[id]
		if err := f.w.Add(ctx, sink.Batch{Progress: end}); err != nil {
			return f.sinkError(ctx, fmt.Errorf("write progress: %w", err))
		}
		f.left.Add(-int64(len(end)))
		f.log.WarnContext(ctx, "the API does not know this user: nothing to bring", "user_id", id)
		f.tally.update(func(rep *report.Report) { rep.Users.Gone++ })
	}
	return nil
}

// controls are how many users who should be there are asked for, before it is
// the path that is taken for wrong.
const controls = 3

// findPresent looks for a user who is there, in the list and by its own path. A
// run needs no such proof, since whom it takes for gone is read again when the
// path is right; who is gone in a backfill is done for good. So however few have
// answered 404, the same path must have led to somebody.
func (f *filling) findPresent(ctx context.Context) error {
	asked := 0
	for u, err := range f.client.Users(ctx) {
		if err != nil {
			return fmt.Errorf("list users, to find one who is there: %w", err)
		}
		if _, absent := f.absent.ends[u.ID]; absent {
			continue
		}
		_, err := f.client.User(ctx, u.ID)
		switch what, _ := consequenceOf(err); {
		case err == nil:
			return nil
		case ctx.Err() != nil, what == endRun:
			return fmt.Errorf("ask for a user who is listed: %w", err)
		}
		if asked++; asked == controls {
			break
		}
	}
	return Stopf(ReasonAPI, "%d users answer 404, and of those on the list nobody was found by that path: nobody was taken for gone, and the backfill is not done with them; "+
		"check finoos.base_url, finoos.tenant and finoos.paths", len(f.absent.ends))
}
