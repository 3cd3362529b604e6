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
func (f *flow) resume() *report.Resume {
	switch {
	case f.o.OnlyFailed || len(f.o.Users) > 0:
		return nil
	case f.feed == nil:
		return f.place // nobody was begun: it is still the one before
	}
	at, waiting := f.feed.place()
	waiting = append(f.inHand.sorted(), waiting...)
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
func (f *flow) findPlace(ctx context.Context) error {
	if f.o.OnlyFailed || len(f.o.Users) > 0 {
		return nil
	}
	looked := 0
	for past, err := range report.Past(ctx, f.w.Reports, time.Now()) {
		if err != nil {
			f.log.WarnContext(ctx, "last run report not read: the users come in no special order", "error", err)
			return nil
		}
		if past.Whole() && past.Shard == f.o.Shard.Index && past.Shards == f.o.Shard.Count {
			f.place = past.Resume
			return nil
		}
		if looked++; looked > 3*f.o.Shard.Count+8 {
			return nil // there were other shards until now
		}
	}
	return nil
}
