package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pacing"
	"finoos-syncer/internal/jobs/report"
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
	stateLimit   = "limit"   // the API's limit, as the last runs have found it
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

// begunLimit is the limit that a run began with, zero where it had to find one.
type begunLimit struct {
	known   finoos.KnownLimit
	learned time.Time // when the API had told it
}

// limitKey names the client of the API whose limit it is.
func limitKey(c *config.Config) string { return pacing.Key(c.FinoOS.BaseURL, c.FinoOS.ClientID) }

// recallLimit begins at the limit that the last run has found, this shard at its share of
// it. State that cannot be had costs the seconds in which it is found again, and no run.
func (s *session) recallLimit(ctx context.Context) {
	var memory pacing.Memory
	var ignored int
	body, err := sink.ReadState(ctx, s.store, s.o.Job, stateLimit)
	if err == nil {
		memory, ignored, err = pacing.Recall(body, s.o.Now())
	}
	if err != nil {
		s.log.WarnContext(ctx, "what the API allows is not remembered: the pace finds it again", "error", err)
		ignored = 1
	} else if ignored > 0 {
		s.log.WarnContext(ctx, "some of what is remembered of the API's limit cannot be true, and is passed over", "entries", ignored)
	}
	all, learned, found := memory.Limit(limitKey(s.o.Config), s.o.RunGroup)
	own := all.Share(s.o.Shard.Count)
	found = found && s.client.BeginAt(own)
	if found {
		s.limit = begunLimit{known: own, learned: learned}
		s.log.InfoContext(ctx, "the pace begins at the limit of an earlier run", "requests_per_second", own.Limit, "learned", learned)
	}
	s.tally.update(func(rep *report.Report) {
		rep.Pace.Ignored = ignored
		if found {
			rep.Pace.Began, rep.Pace.LearnedAt = own.Limit, learned
		}
	})
}

// rememberLimit keeps the limit that the run has found for the next one.
func (s *session) rememberLimit(ctx context.Context, rep *report.Report) error {
	found, ok := pacing.FoundBy(s.client, s.began, s.limit.known, s.limit.learned, s.o.Now())
	if !ok {
		return nil
	}
	err := s.w.UpdateState(ctx, stateLimit, func(old []byte) ([]byte, error) {
		memory, _, err := pacing.Recall(old, s.o.Now())
		if err != nil {
			memory = pacing.Memory{Clients: map[string]pacing.Client{}}
		}
		memory.Add(limitKey(s.o.Config), rep.RunGroup, s.o.Shard.Index, found)
		return memory.Write()
	})
	rep.Pace.Kept = err == nil
	return err
}
