package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"

	"github.com/oklog/ulid/v2"
)

// Resume is where a run stopped that did not come to the end of the list, be
// it for its deadline, a signal or an outage. The next run of the same shard
// begins there.
type Resume struct {
	// Waiting users were begun, but not done: they come first.
	Waiting []string `json:"waiting,omitempty"`
	// Bucket and UserID are the place in the circle of users: see feed.
	Bucket int    `json:"bucket"`
	UserID string `json:"user_id,omitempty"`
}

const (
	// maxWaiting bounds Resume.Waiting. The queue's memory does so as well, at
	// about this number; whoever is left out waits for its turn in the circle.
	maxWaiting = 10_000
	// memoryOfRuns is how far back reports are looked for, by the time at which
	// the runs began.
	memoryOfRuns = 21 * 24 * time.Hour
)

// resume says where the next run has to begin, nil where it does not matter.
func (r *run) resume() *Resume {
	switch {
	case r.o.OnlyFailed || len(r.o.Users) > 0:
		return nil
	case r.feed == nil:
		return r.place // nobody was begun: it is still the one before
	}
	at, waiting := r.feed.place()
	waiting = append(r.inHand.sorted(), waiting...)
	if at == nil {
		if len(waiting) == 0 {
			return nil
		}
		at = &Resume{} // everybody was begun
	}
	at.Waiting = waiting[:min(len(waiting), maxWaiting)]
	return at
}

// findPlace finds out where the last run of this shard stopped, if it did not
// come to its end. A report that cannot be had costs fairness, and no run.
func (r *run) findPlace(ctx context.Context) error {
	if r.o.OnlyFailed || len(r.o.Users) > 0 {
		return nil
	}
	looked := 0
	for past, err := range pastRuns(ctx, r.w.Reports, time.Now()) {
		if err != nil {
			r.log.WarnContext(ctx, "last run report not read: the users come in no special order", "error", err)
			return nil
		}
		if past.whole() && past.Shard == r.o.Shard.Index && past.Shards == r.o.Shard.Count {
			r.place = past.Resume
			return nil
		}
		if looked++; looked > 3*r.o.Shard.Count+8 {
			return nil // there were other shards until now
		}
	}
	return nil
}

// pastRun is what a run report says.
type pastRun struct{ Report }

// whole says that it was a nightly run for all users of its shard.
func (p *pastRun) whole() bool { return !p.OnlyFailed && p.Named == 0 && p.Backfill == nil }

// reports yields the bodies of run reports whose run ids are greater than
// after, newest first.
type reports func(ctx context.Context, after string) iter.Seq2[[]byte, error]

// storedReports reads the reports of a job from a store.
func storedReports(store bucket.Objects, job string) reports {
	return func(ctx context.Context, after string) iter.Seq2[[]byte, error] {
		return sink.Reports(ctx, store, job, after)
	}
}

// pastRuns yields the reports of the last weeks, newest first. now is real
// time, by which run ids are made.
func pastRuns(ctx context.Context, from reports, now time.Time) iter.Seq2[*pastRun, error] {
	return func(yield func(*pastRun, error) bool) {
		oldest := ulid.ULID{}
		if err := oldest.SetTime(ulid.Timestamp(now.Add(-memoryOfRuns))); err != nil {
			yield(nil, fmt.Errorf("look for run reports: %w", err))
			return
		}
		for body, err := range from(ctx, oldest.String()) {
			if err != nil {
				yield(nil, err)
				return
			}
			past := new(pastRun)
			if json.Unmarshal(body, past) != nil || past.RunID == "" {
				continue // not ours, or of a later version: others may do
			}
			if !yield(past, nil) {
				return
			}
		}
	}
}
