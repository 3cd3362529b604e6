package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"finoos-syncer/internal/process"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
	"finoos-syncer/internal/wait"
)

// leaseBody is the content of a lease. When it was written, and what time it
// is, the store says: workers' clocks are not compared.
type leaseBody struct {
	RunID    string `json:"run_id"`
	Nonce    string `json:"nonce"` // changes with every write of one holder
	Holder   string `json:"holder"`
	Kind     string `json:"kind"`
	Shard    int    `json:"shard"`
	Shards   int    `json:"shards"`
	Backfill string `json:"backfill,omitempty"`
	// BaseSeq is the newest record when the run began: it may read cursors
	// from there on, and from before. 0 while it is not known yet.
	BaseSeq    uint64    `json:"base_seq"`
	AcquiredAt time.Time `json:"acquired_at"`
	// Process is who holds it; missing where that cannot be told, and in leases of
	// earlier versions.
	Process process.Identity `json:"process,omitzero"`
}

// leaseInfo is a lease as it stands in the store.
type leaseInfo struct {
	leaseBody
	etag  string
	until time.Time // by the store's clock
	// alive says that it has not expired, and that its holder is no process of
	// this machine that has ended.
	alive bool
}

func (l *leaseInfo) heldError() *HeldError {
	return &HeldError{
		Holder: l.Holder, RunID: l.RunID, Shard: cursors.Shard{Index: l.Shard, Count: l.Shards}, Until: l.until, Backfill: l.Backfill,
	}
}

// leases reads and writes the leases of a job.
type leases struct {
	store bucket.Objects
	keys  jobKeys
	ttl   time.Duration
}

// get reads one lease; bucket.ErrNotExist where there is none.
func (ls *leases) get(ctx context.Context, key string) (*leaseInfo, error) {
	body, info, err := ls.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read lease: %w", err)
	}
	l := &leaseInfo{etag: info.ETag, until: info.Modified.Add(ls.ttl)}
	if err := json.Unmarshal(body, &l.leaseBody); err != nil {
		return nil, fmt.Errorf("read lease %s: %w; delete it when no run is at work", key, err)
	}
	l.alive = !info.StoreTime.After(l.until) && !process.Gone(l.Process)
	return l, nil
}

// living lists the leases of those who may be at work.
func (ls *leases) living(ctx context.Context) ([]*leaseInfo, error) {
	var alive []*leaseInfo
	for info, err := range ls.store.List(ctx, ls.keys.leases(), "") {
		if err != nil {
			return nil, fmt.Errorf("list leases: %w", err)
		}
		if !strings.HasSuffix(info.Key, ".json") {
			continue
		}
		l, err := ls.get(ctx, info.Key)
		if errors.Is(err, bucket.ErrNotExist) {
			continue // given back meanwhile
		}
		if err != nil {
			return nil, err
		}
		if l.alive {
			alive = append(alive, l)
		}
	}
	return alive, nil
}

// acquire takes the lease that own describes, and returns its ETag. It waits
// for a holder at most as long as it is told, then gives up with a HeldError.
func (ls *leases) acquire(ctx context.Context, own leaseBody, patience time.Duration) (etag string, err error) {
	deadline := time.Now().Add(patience)
	for {
		held, etag, err := ls.try(ctx, own)
		if err != nil || held == nil {
			return etag, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return "", held
		}
		if err := wait.For(ctx, min(left, max(ls.ttl/30, 100*time.Millisecond))); err != nil {
			return "", err
		}
	}
}

// try attempts to take the lease once. held says who has it.
func (ls *leases) try(ctx context.Context, own leaseBody) (held *HeldError, etag string, err error) {
	if held, err = ls.blocked(ctx, own); held != nil || err != nil {
		return held, "", err
	}
	key := ls.keys.lease(own.Shard, own.Backfill)
	cond := bucket.Condition{IfNoneMatch: true}
	standing, err := ls.get(ctx, key)
	switch {
	case errors.Is(err, bucket.ErrNotExist):
	case err != nil:
		return nil, "", err
	case standing.RunID == own.RunID:
		return nil, standing.etag, nil // an earlier attempt did succeed
	case standing.alive:
		return standing.heldError(), "", nil
	default:
		cond = bucket.Condition{IfMatch: standing.etag}
	}
	etag, putErr := ls.write(ctx, key, own, cond)
	if putErr == nil {
		return nil, etag, nil
	}
	// Lost a race, or the answer was lost: what stands there tells.
	standing, err = ls.get(ctx, key)
	switch {
	case err == nil && standing.RunID == own.RunID:
		return nil, standing.etag, nil
	case err == nil && standing.alive:
		return standing.heldError(), "", nil
	case errors.Is(putErr, bucket.ErrPrecondition), errors.Is(putErr, bucket.ErrConflict):
		return &HeldError{Holder: "another run"}, "", nil
	default:
		return nil, "", fmt.Errorf("take lease: %w", putErr)
	}
}

// blocked looks for a living run that divides the users in another way: the
// two would work on the same ones. Backfills stand beside runs.
func (ls *leases) blocked(ctx context.Context, own leaseBody) (*HeldError, error) {
	if own.Backfill != "" {
		return nil, nil
	}
	alive, err := ls.living(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range alive {
		if l.Backfill == "" && l.Shards != own.Shards && l.RunID != own.RunID {
			return l.heldError(), nil
		}
	}
	return nil, nil
}

func (ls *leases) write(ctx context.Context, key string, body leaseBody, cond bucket.Condition) (etag string, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encode lease: %w", err)
	}
	info, err := ls.store.Put(ctx, key, seal.Add(key, text), cond)
	return info.ETag, err
}
