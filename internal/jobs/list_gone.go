package jobs

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

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
		return Stopf(ReasonAPI, "more than %d known users answer 404 (max_gone): nobody was declared gone; check finoos.tenant and finoos.base_url", limit)
	}
	return nil
}

// declareGone writes what is left to say of users that are gone, and ends
// their cursors.
func (n *nightly) declareGone(ctx context.Context) error {
	n.gone.mu.Lock()
	defer n.gone.mu.Unlock()
	for b, ids := range byBucket(maps.Keys(n.gone.users)) {
		cursors, err := n.w.Cursors(ctx, b, ids...)
		if err != nil {
			return n.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
		}
		for _, id := range ids {
			u := newUser(id, nil, cursors[id])
			u.LastWritten = n.gone.users[id]
			if err := n.declare(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *nightly) declare(ctx context.Context, u *user) error {
	at := u.ExtractedAt(config.StreamUsers, n.o.Now())
	batch := sink.Batch{Rows: []table.Row{
		&table.User{UserID: u.ID, Meta: table.Meta{Op: table.Delete, Pull: table.Diff, ExtractedAt: at}},
		&table.Pull{UserID: u.ID, Stream: string(config.StreamUsers), Outcome: pull.Gone, Deletes: 1, Meta: table.Meta{Op: table.Upsert, ExtractedAt: at}},
	}}
	for _, s := range append(config.Streams(), config.StreamSyncSessions) {
		batch.Cursors = append(batch.Cursors, cursors.Cursor{UserID: u.ID, Stream: string(s), ExtractedAt: at, Ended: true})
	}
	if err := n.w.Add(ctx, batch); err != nil {
		return n.sinkError(ctx, err)
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Gone++ })
	n.tally.pulled(&pull.Result{User: u.ID, Stream: config.StreamUsers, Outcome: pull.Gone, Deletes: 1})
	return nil
}
