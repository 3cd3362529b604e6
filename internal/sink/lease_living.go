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
	// LastSign is of one who is not at work any more: what was heard last.
	LastSign time.Time `json:"last_sign,omitzero"`
}

// Living are the first of those that [Leases] lists.
func Living(ctx context.Context, store bucket.Objects, job string) ([]Worker, error) {
	living, _, err := Leases(ctx, store, job)
	return living, err
}

// Leases lists who works on a job now: whose leases have not expired, by the
// store's clock, and who is no process of this machine that has ended. The leases of
// the others are left: a run that ends gives its own back.
func Leases(ctx context.Context, store bucket.Objects, job string) (living, left []Worker, err error) {
	if err := checkName("job", job); err != nil {
		return nil, nil, err
	}
	ls := &leases{store: store, keys: jobKeys(job), ttl: defaultLeaseTTL}
	all, err := ls.all(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("see who is at work: %w", err)
	}
	living = []Worker{}
	for _, l := range all {
		w := Worker{Holder: l.Holder, RunID: l.RunID, Shard: l.Shard, Shards: l.Shards, Backfill: l.Backfill, Since: l.AcquiredAt}
		if l.alive {
			living = append(living, w)
			continue
		}
		w.LastSign = l.until.Add(-ls.ttl)
		left = append(left, w)
	}
	return living, left, nil
}
