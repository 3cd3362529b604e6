package pull

import (
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"

	"github.com/cespare/xxhash/v2"
)

// Due says whether an instant of the user's own lies after last and not after
// now. There is one in each period, by the hash of the user's id, so that users
// are spread over it: what is done when it is due is never later than a period,
// and is done once a period, whatever days runs are made on. Where nothing was
// ever done, last is zero, it is due; also where last lies so far ahead that a
// clock must have been wrong. Without a period it never is.
//
//	last               now
//	─┼────|───────────────┼─|──────────────────|─►   due: the instants are those of |
//	      └──── period ─────┘
func Due(userID string, period time.Duration, last, now time.Time) bool {
	if period <= 0 {
		return false
	}
	// To the microsecond, as last is kept: else it could lie before the instant
	// that it answers.
	now = now.Truncate(time.Microsecond)
	first := time.Duration(xxhash.Sum64String(userID) % uint64(period)) // below period
	since := (time.Duration(now.UnixNano()) - first) % period
	if since < 0 {
		since += period
	}
	return now.Add(-since).After(last) || last.Sub(now) > period
}

// WantsFull says whether a stream that is read has to be read in full, whatever
// its cursor remembers.
func (r *Reader) WantsFull(c cursors.Cursor) bool {
	return r.MustBeFull(c) || c.Backfilled || r.InDoubt != nil && r.InDoubt(c) || Due(c.UserID, r.Job.FullRefreshEvery, c.FullAt, r.Now())
}

// MustBeFull says the same of one that may not have changed.
func (r *Reader) MustBeFull(c cursors.Cursor) bool {
	return r.Full || c.FullAt.IsZero() || c.HashVersion != r.Veil.hashVersion(config.Stream(c.Stream))
}

// Whole says that the lake has what the API has of the cursor's correlation, so
// that nothing but a new one is a reason to read the stream: its pull asked for
// everything, and no backfill has written since what may have been taken back.
func Whole(c cursors.Cursor) bool { return c.Whole && !c.Backfilled }

// RefreshDue says whether a stream has to be read in full although its correlation
// is the cursor's: what a filter has hidden from its pulls would else never come.
// Once that is done the stream is whole, and quiet until its correlation moves.
func RefreshDue(job *config.Job, c cursors.Cursor, now time.Time) bool {
	period, last := job.FullRefreshEvery, c.FullAt
	if c.Whole && c.Backfilled {
		// The full pull may be long ago, and all users were backfilled at once: it
		// counts from the mark. A mark that is young may have replaced an older one,
		// so a night before it counts, too.
		if marked := earlier(c.BackfilledAt, now.Add(-period/7)); marked.After(last) {
			last = marked
		}
	}
	return !Whole(c) && Due(c.UserID, period, last, now)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
