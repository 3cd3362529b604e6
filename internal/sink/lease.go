package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/process"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
	"finoos-syncer/internal/trouble"
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
	// BaseSeq is from where on the run needs what stands beside the log: nothing is
	// swept while a checkpoint that makes it useless is not older (write.go, readsFrom).
	// 0 while it is not known yet.
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
		Holder: l.Holder, RunID: l.RunID, Shard: cursors.Shard{Index: l.Shard, Count: l.Shards}, Until: l.until, Since: l.AcquiredAt, Backfill: l.Backfill,
	}
}

// leases reads and writes the leases of a job.
type leases struct {
	store bucket.Objects
	keys  jobKeys
	ttl   time.Duration
	watch *trouble.Watch // told who is waited for; nil is not
}

// get reads one lease; bucket.ErrNotExist where there is none.
func (ls *leases) get(ctx context.Context, key string) (*leaseInfo, error) {
	body, info, err := getSmall(ctx, ls.store, key)
	if err != nil {
		return nil, fmt.Errorf("read lease: %w", err)
	}
	l := &leaseInfo{etag: info.ETag, until: info.Modified.Add(ls.ttl)}
	if l.leaseBody, err = parseLease(ls.keys, key, body); err != nil {
		return nil, err
	}
	// Not written in the future either: a file may be of any time, and would be held
	// for as long.
	l.alive = !info.StoreTime.After(l.until) && !info.Modified.After(info.StoreTime.Add(ls.ttl)) && !process.Gone(l.Process)
	return l, nil
}

// parseLease reads a lease that stands at a key: ErrForged where it cannot be that.
func parseLease(keys jobKeys, key string, body []byte) (l leaseBody, err error) {
	if err = decode(body, &l); err == nil {
		err = l.ours(key, keys)
	}
	if err == nil {
		_, err = seal.Check(key, body)
	}
	if err != nil {
		return l, forged(key, err)
	}
	return l, nil
}

// living lists the leases of those who may be at work.
func (ls *leases) living(ctx context.Context) ([]*leaseInfo, error) {
	all, err := ls.all(ctx)
	return slices.DeleteFunc(all, func(l *leaseInfo) bool { return !l.alive }), err
}

// all lists the leases that stand.
func (ls *leases) all(ctx context.Context) ([]*leaseInfo, error) {
	var all []*leaseInfo
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
		all = append(all, l)
	}
	return all, nil
}

// whoLives looks which runs may be at work.
func (ls *leases) whoLives(ctx context.Context) (isAlive func(runID string) bool, err error) {
	alive, err := ls.living(ctx)
	if err != nil {
		return nil, err
	}
	return func(runID string) bool {
		return slices.ContainsFunc(alive, func(l *leaseInfo) bool { return l.RunID == runID })
	}, nil
}

// acquire takes the lease that own describes, and returns its ETag. It waits
// for a holder at most as long as it is told, then gives up with a HeldError.
func (ls *leases) acquire(ctx context.Context, own leaseBody, patience time.Duration) (etag string, err error) {
	deadline := time.Now().Add(patience)
	for {
		held, etag, err := ls.try(ctx, own)
		switch {
		case err != nil:
			ls.watch.GiveUp(trouble.Lease)
			return "", err
		case held == nil:
			ls.watch.Over(trouble.Lease)
			return etag, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			ls.watch.GiveUp(trouble.Lease)
			return "", held
		}
		ls.watch.Wait(trouble.Lease, deadline, held.tell()...)
		if err := wait.For(ctx, min(left, max(ls.ttl/30, 100*time.Millisecond))); err != nil {
			ls.watch.GiveUp(trouble.Lease)
			return "", err
		}
	}
}

// leaseRounds is how often a lease is written that was another's, or gone again,
// whenever it was about to be.
const leaseRounds = 8

// try attempts to take the lease. held says who has it, as it was read: that a write
// was refused does not tell.
func (ls *leases) try(ctx context.Context, own leaseBody) (held *HeldError, etag string, err error) {
	if held, err = ls.blocked(ctx, own); held != nil || err != nil {
		return held, "", err
	}
	key := ls.keys.lease(own.Shard, own.Backfill)
	var putErr error
	for round := 0; ; round++ {
		cond := bucket.Condition{IfNoneMatch: true}
		standing, err := ls.get(ctx, key)
		switch {
		case errors.Is(err, bucket.ErrNotExist):
		case err != nil:
			return nil, "", errors.Join(err, putErr)
		case standing.RunID == own.RunID:
			return nil, standing.etag, nil // an earlier attempt did succeed
		case standing.alive:
			return standing.heldError(), "", nil
		default:
			cond = bucket.Condition{IfMatch: standing.etag}
		}
		lostRace := errors.Is(putErr, bucket.ErrPrecondition) || errors.Is(putErr, bucket.ErrConflict)
		if putErr != nil && (!lostRace || round == leaseRounds) {
			return nil, "", fmt.Errorf("take lease: %w", putErr)
		}
		if round > 0 {
			if err := patient.pause(ctx, round); err != nil {
				return nil, "", errors.Join(err, putErr)
			}
		}
		// Where it fails, what stands there by then tells why.
		if etag, putErr = ls.write(ctx, key, own, cond); putErr == nil {
			return nil, etag, nil
		}
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
	info, err := bucket.Write(ctx, ls.store, key, seal.Add(key, text), cond)
	return info.ETag, err
}
