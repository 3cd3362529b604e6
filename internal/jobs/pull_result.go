package jobs

import (
	"time"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
)

// Outcomes of a pull, as in the table pulls.
const (
	outcomePulled     = "pulled"
	outcomeUnchanged  = "unchanged"
	outcomeNoAnalysis = "no_analysis"
	outcomeFailed     = "failed"
	outcomeGone       = "gone"
)

// markNoAnalysis stands in a cursor's error class while its service has no
// finished analysis, so that this is written when it begins and not every
// night.
const markNoAnalysis = "no_analysis"

// result is one pull of one stream while it is made: what was read, and what
// becomes of it.
type result struct {
	user    string
	stream  config.Stream
	outcome string
	mode    sink.Mode

	correlation finoos.Correlation
	previous    string // the correlation before
	extractedAt time.Time
	state       []byte // what the cursor will remember of the records
	first       bool   // nothing was pulled before
	whole       bool   // everything that the API has was written, whatever mode says
	opened      uint64 // the newest record when the run began, of whole pulls
	// stamp gives the pull its instant again, when its answer is complete; nil
	// where the instant that it has is to stay.
	stamp func() time.Time

	// rows are written, then what more yields: a pull that is too large to be
	// held is decoded again while it is written.
	rows             []sink.Row
	more             func(yield func(sink.Row) error) error
	upserts, deletes int64
	inexact          int64

	class finoos.Class
	err   error
	meter finoos.Meter
	began time.Time // real time
	turn  turn
}

func (res *result) meta(op sink.Op, extra string) sink.Meta {
	return sink.Meta{
		Op: op, Pull: res.mode, CorrelationID: res.correlation.ID, CorrelationAt: res.correlation.At,
		ExtractedAt: res.extractedAt, Extra: extra,
	}
}

// readAll makes the pull one that replaces what was known.
func (res *result) readAll() {
	res.mode, res.whole = sink.Full, true
}

// remove adds a row that says that a key is gone.
func (res *result) remove(row sink.Row) {
	res.rows = append(res.rows, row)
	res.deletes++
}

// forget takes back what has been collected: to read it in another way, or
// because it failed.
func (res *result) forget() {
	rows := res.rows
	res.rows, res.more, res.upserts, res.deletes, res.inexact = nil, nil, 0, 0, 0
	res.turn.giveBack(rows)
}

// close gives back everything; what was collected has been written.
func (res *result) close() { res.forget() }

// refreshDue spreads full pulls over the period by the hash of the user id: a
// refresh is due at the user's own instant of each period, the first one that
// lies a period (less half a day in a week, for runs that start a bit later
// than the last time) after the last full pull.
func refreshDue(userID string, last, now time.Time, every time.Duration) bool {
	if every <= 0 {
		return false
	}
	offset := time.Duration(xxhash.Sum64String(userID) % uint64(every)) //nolint:gosec // below every
	earliest := last.Add(every - every/14)
	boundary := earliest.Add(-offset).Truncate(every).Add(offset)
	if boundary.Before(earliest) {
		boundary = boundary.Add(every)
	}
	return !now.Before(boundary)
}

// cursor is what is remembered after this result; moved is false where that
// is what was remembered before, and nothing has to be written.
func (res *result) cursor(c sink.Cursor, now time.Time) (next sink.Cursor, moved bool) {
	switch res.outcome {
	case outcomeUnchanged:
		if c.Failures == 0 && c.ErrorClass == "" {
			return c, false
		}
		c.Failures, c.ErrorClass, c.RetryAt = 0, "", time.Time{}
		return c, true
	case outcomeNoAnalysis:
		if c.ErrorClass == markNoAnalysis {
			return c, false
		}
		c.Failures, c.ErrorClass, c.RetryAt = 0, markNoAnalysis, time.Time{}
	case outcomeFailed:
		c.Failures++
		c.ErrorClass = string(res.class)
	case outcomePulled:
		c.CorrelationID, c.CorrelationAt = res.correlation.ID, res.correlation.At
		c.Failures, c.ErrorClass, c.RetryAt = 0, "", time.Time{}
		c.HashVersion, c.State, c.PulledAt = finoos.HashVersion, res.state, now.UTC()
		if res.whole {
			c.FullAt, c.FullSeq, c.Backfilled = now.UTC(), res.opened, false
		}
	}
	c.ExtractedAt, c.MarkOnly = res.extractedAt, false
	return c, true
}

// row is the result's own row in the table pulls.
func (res *result) row() *sink.Pull {
	p := &sink.Pull{
		UserID: res.user, Stream: string(res.stream), Outcome: res.outcome, PreviousCorrelationID: res.previous,
		Rows: res.upserts, Deletes: res.deletes, Requests: res.meter.Requests.Load(), Bytes: res.meter.Bytes.Load(),
		DurationMS: time.Since(res.began).Milliseconds(), ErrorClass: string(res.class), Meta: res.meta(sink.Upsert, ""),
	}
	p.Meta.Pull = ""
	if res.outcome == outcomePulled {
		p.Mode = string(res.mode)
	}
	if res.err != nil {
		p.Error = res.err.Error()
	}
	return p
}
