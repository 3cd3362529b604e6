package jobs

import (
	"context"
	"time"

	"finoos-syncer/internal/jobs/report"
)

// maxWaiting bounds Resume.Waiting. The queue's memory does so as well, at
// about this number; whoever is left out waits for its turn in the circle.
const maxWaiting = 10_000

// resume says where the next run has to begin, nil where it does not matter.
func (r *run) resume() *report.Resume {
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
		at = &report.Resume{} // everybody was begun
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
	for past, err := range report.Past(ctx, r.w.Reports, time.Now()) {
		if err != nil {
			r.log.WarnContext(ctx, "last run report not read: the users come in no special order", "error", err)
			return nil
		}
		if past.Whole() && past.Shard == r.o.Shard.Index && past.Shards == r.o.Shard.Count {
			r.place = past.Resume
			return nil
		}
		if looked++; looked > 3*r.o.Shard.Count+8 {
			return nil // there were other shards until now
		}
	}
	return nil
}
