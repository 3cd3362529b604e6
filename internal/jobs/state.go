package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// What a job remembers beside its cursors (docs/design.md, "What a job
// remembers"): one object a purpose. Runs over all users write it after their last
// commit, by bucket of users where it is about users, so that the number of shards
// may change from night to night.

const (
	statePlace   = "place"   // where in each bucket of users the next run begins
	stateSuccess = "success" // when each bucket of users was last in a run that came to its end
	stateList    = "list"    // how many users the last plausible list named
	stateProbe   = "probe"   // what probes of one service have shown and hidden
	stateFirst   = "first"   // since when what was read by one request for several streams is in doubt
)

// stamp says which run an entry is of, and orders entries: by the number of the
// log, and then by when the run began.
type stamp struct {
	Seq   uint64    `json:"seq"`
	Began time.Time `json:"began"`
}

func (s stamp) stamped() stamp { return s }

func (s stamp) isBefore(o stamp) bool {
	if s.Seq != o.Seq || isAhead(o.Began, s.Began) {
		return s.Seq < o.Seq
	}
	return s.Began.Before(o.Began)
}

// isAhead says that an instant which was remembered lies so far ahead that the
// clock was wrong, then or now: it would hold for years, and counts as if there
// were none.
func isAhead(at, now time.Time) bool { return at.Sub(now) > 24*time.Hour }

// stamped is an entry of state.
type stamped interface{ stamped() stamp }

// byBuckets are entries by bucket of users.
type byBuckets[E stamped] map[int]E

// mergeBuckets puts own entries over those that stand; an older one never
// replaces a newer.
func mergeBuckets[E stamped](standing, own byBuckets[E]) byBuckets[E] {
	merged := byBuckets[E]{}
	maps.Copy(merged, standing)
	for b, e := range own {
		if there, ok := merged[b]; !ok || !e.stamped().isBefore(there.stamped()) {
			merged[b] = e
		}
	}
	return merged
}

var errBucketOfUsers = errors.New("it names a bucket of users that there is not")

// decodeBuckets is empty where there is nothing to decode.
func decodeBuckets[E stamped](body []byte) (byBuckets[E], error) {
	found := byBuckets[E]{}
	if body == nil {
		return found, nil
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return byBuckets[E]{}, err
	}
	for b := range found {
		if b < 0 || b >= cursors.Buckets {
			return byBuckets[E]{}, errBucketOfUsers
		}
	}
	return found, nil
}

// readBuckets reads entries by bucket of users.
func readBuckets[E stamped](ctx context.Context, store bucket.Store, job, name string) (byBuckets[E], error) {
	body, err := sink.ReadState(ctx, store, job, name)
	if err != nil {
		return byBuckets[E]{}, err
	}
	found, err := decodeBuckets[E](body)
	if err != nil {
		return found, fmt.Errorf("read state %s: %w", name, err)
	}
	return found, nil
}

// updateBuckets writes own entries over those that stand. What stands and cannot
// be read is replaced.
func updateBuckets[E stamped](ctx context.Context, w *sink.Writer, name string, own byBuckets[E]) error {
	if len(own) == 0 {
		return nil
	}
	return w.UpdateState(ctx, name, func(old []byte) ([]byte, error) {
		standing, err := decodeBuckets[E](old)
		if err != nil {
			standing = byBuckets[E]{}
		}
		return json.Marshal(mergeBuckets(standing, own))
	})
}

// success says when a run ended in which all users of a bucket were reached.
type success struct {
	stamp
	Ended time.Time `json:"ended"`
}

// LastSuccess is when all users were last reached by runs that came to their end,
// zero where there are some that never were. It reads the bucket alone.
func LastSuccess(ctx context.Context, store bucket.Store, job string) (began, ended time.Time, err error) {
	found, err := readBuckets[success](ctx, store, job, stateSuccess)
	if err != nil || len(found) < cursors.Buckets {
		return time.Time{}, time.Time{}, err
	}
	for _, s := range found {
		if began.IsZero() || s.Began.Before(began) {
			began = s.Began
		}
		if ended.IsZero() || s.Ended.Before(ended) {
			ended = s.Ended
		}
	}
	return began, ended, nil
}
