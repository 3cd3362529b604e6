package report

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/oklog/ulid/v2"

	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// Memory is how far back reports are looked for, by the time at which the runs
// began.
const Memory = 21 * 24 * time.Hour

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

// Earlier is what a run report says.
type Earlier struct{ Report }

// Whole says that it was a nightly run for all users of its shard.
func (p *Earlier) Whole() bool { return !p.OnlyFailed && p.Named == 0 && p.Backfill == nil }

// Source yields the bodies of run reports whose run ids are greater than
// after, newest first.
type Source func(ctx context.Context, after string) iter.Seq2[[]byte, error]

// InBucket reads the reports of a job from a store.
func InBucket(store bucket.Objects, job string) Source {
	return func(ctx context.Context, after string) iter.Seq2[[]byte, error] {
		return sink.Reports(ctx, store, job, after)
	}
}

// Past yields the reports of the last weeks, newest first. now is real
// time, by which run ids are made.
func Past(ctx context.Context, from Source, now time.Time) iter.Seq2[*Earlier, error] {
	return func(yield func(*Earlier, error) bool) {
		oldest := ulid.ULID{}
		if err := oldest.SetTime(ulid.Timestamp(now.Add(-Memory))); err != nil {
			yield(nil, fmt.Errorf("look for run reports: %w", err))
			return
		}
		for body, err := range from(ctx, oldest.String()) {
			if err != nil {
				yield(nil, err)
				return
			}
			past := new(Earlier)
			if json.Unmarshal(body, past) != nil || past.RunID == "" {
				continue // not ours, or of a later version: others may do
			}
			if !yield(past, nil) {
				return
			}
		}
	}
}

// CameToItsEnd says that nobody was left out for any other reason than the
// deadline.
func (p *Earlier) CameToItsEnd() bool {
	return p.Outcome != Stopped && p.Outcome != Interrupted || p.Users.Listed > 0 && p.Users.Done() >= p.Users.Listed
}
