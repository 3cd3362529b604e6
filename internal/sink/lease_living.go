package sink

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// Worker is a run or backfill that holds a lease.
type Worker struct {
	Holder   string    `json:"holder"` // host and process
	RunID    string    `json:"run_id"`
	Shard    int       `json:"shard"`
	Shards   int       `json:"shards"`
	Backfill string    `json:"backfill,omitempty"` // its name, if it is one
	Since    time.Time `json:"since"`
}

// Living lists who works on a job now: whose leases have not expired, by the
// store's clock, and who is no process of this machine that has ended.
func Living(ctx context.Context, store bucket.Objects, job string) ([]Worker, error) {
	if err := checkName("job", job); err != nil {
		return nil, err
	}
	ls := &leases{store: store, keys: jobKeys(job), ttl: defaultLeaseTTL}
	living, err := ls.living(ctx)
	if err != nil {
		return nil, fmt.Errorf("see who is at work: %w", err)
	}
	workers := make([]Worker, len(living))
	for i, l := range living {
		workers[i] = Worker{Holder: l.Holder, RunID: l.RunID, Shard: l.Shard, Shards: l.Shards, Backfill: l.Backfill, Since: l.AcquiredAt}
	}
	return workers, nil
}
