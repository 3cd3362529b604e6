package pull

import (
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// Outcomes of a pull, as in the table pulls.
const (
	Pulled     = "pulled"
	Unchanged  = "unchanged"
	NoAnalysis = "no_analysis"
	NotBooked  = "not_booked"
	Failed     = "failed"
	Gone       = "gone"
)

// MarkNoAnalysis stands in a cursor's error class while its service has no
// finished analysis, so that this is written when it begins and not every
// night.
const MarkNoAnalysis = "no_analysis"

// MarkNotBooked stands there while the API refuses the user the service.
const MarkNotBooked = "not_booked"

// MarkNull stands there after a failure that was null in the place of a list, or
// nothing, while records of it were known: once more, and it is empty.
const MarkNull = "null_list"

// Result is one pull of one stream while it is made: what was read, and what
// becomes of it.
type Result struct {
	User    string
	Stream  config.Stream
	Outcome string
	mode    table.Mode
	begun   table.Mode // the mode with which it began

	Correlation finoos.Correlation
	Previous    string // the correlation before
	ExtractedAt time.Time
	state       []byte // what the cursor will remember of the records
	Note        []byte // what it will remember of a service that was not booked
	firstSeen   time.Time
	First       bool      // nothing was pulled before
	Whole       bool      // everything that the API has was written, whatever mode says
	unfiltered  bool      // everything that the API has was asked for, and what differs written
	joinedAt    time.Time // when the run began, where it came by one answer with other streams
	Refresh     bool      // nothing has changed: read for what a filter has hidden
	Opened      uint64    // the newest record when the run began, of whole pulls

	// NullIsEmpty takes null in the place of a list for an empty one. NullAgain is
	// set where an earlier run has met it, too: only then may it hide records that
	// are known. WasNull says that there was null.
	NullIsEmpty, NullAgain, WasNull bool

	// Stamp gives the pull its instant again, when its answer is complete; nil
	// where the instant that it has is to stay.
	Stamp func() time.Time

	// Rows are written, then what more yields: a pull that is too large to be
	// held is decoded again while it is written.
	Rows             []table.Row
	More             func(yield func(table.Row) error) error
	Upserts, Deletes int64
	Issues           Issues

	Class   finoos.Class
	Err     error
	RetryAt time.Time // of a failure: not before; zero where nobody has said so
	Meter   finoos.Meter
	Began   time.Time // real time
	turn    turn
	veil    *Veil
	hashRow table.RowHasher // nil until it is needed
}

// fingerprint is what is remembered of a record: its hash, or that of its row where
// something is hidden of that and there is no key. The pull must have its turn.
func (res *Result) fingerprint(hash uint64, row func() table.Row) uint64 {
	if !res.veil.hashesRows(res.Stream) {
		return hash
	}
	if res.hashRow == nil {
		res.hashRow = res.veil.rowHasher(res.Stream)
	}
	return res.hashRow(row())
}

func (res *Result) meta(op table.Op, extra string) table.Meta {
	return table.Meta{
		Op: op, Pull: res.mode, CorrelationID: res.Correlation.ID, CorrelationAt: res.Correlation.At,
		ExtractedAt: res.ExtractedAt, Extra: extra,
	}
}

// readAll makes the pull one that replaces what was known.
func (res *Result) readAll() {
	res.mode, res.Whole, res.unfiltered = table.Full, true, true
}

// isDiff says that only what was added was asked for, which is nothing as a rule: null
// hides no more of it than a refresh brings.
func (res *Result) isDiff() bool {
	return res.Stream == config.StreamCategorization && res.mode == table.Diff && !res.unfiltered
}

// remove adds a row that says that a key is gone.
func (res *Result) remove(row table.Row) {
	res.Rows = append(res.Rows, row)
	res.Deletes++
}

// Forget takes back what has been collected, and what was said of it: to read it in
// another way, or because it failed. The next reading may be a difference where this
// one was to replace all.
func (res *Result) Forget() {
	rows := res.Rows
	res.Rows, res.More, res.Upserts, res.Deletes, res.Issues = nil, nil, 0, 0, Issues{}
	res.mode, res.Whole, res.unfiltered, res.WasNull, res.joinedAt = res.begun, false, false, false, time.Time{}
	res.turn.giveBack(rows)
}

// rewind takes back what has been collected, and keeps the answers that it came
// from: there will be another one beside them.
func (res *Result) rewind() {
	rows := res.Rows
	res.Rows, res.More, res.Upserts, res.Deletes, res.Issues = nil, nil, 0, 0, Issues{}
	res.turn.interrupt(rows)
}

// Close gives back everything; what was collected has been written.
func (res *Result) Close() { res.Forget() }

// Cursor is what is remembered after this result; moved is false where that
// is what was remembered before, and nothing has to be written.
func (res *Result) Cursor(c cursors.Cursor, now time.Time) (next cursors.Cursor, moved bool) {
	switch res.Outcome {
	case Unchanged:
		if c.Failures == 0 && c.ErrorClass == "" {
			return c, false
		}
		c.Failures, c.ErrorClass, c.RetryAt = 0, "", time.Time{}
		return c, true
	case NoAnalysis:
		if c.ErrorClass == MarkNoAnalysis {
			return c, false
		}
		c.Failures, c.ErrorClass, c.RetryAt = 0, MarkNoAnalysis, time.Time{}
	case NotBooked:
		if c.ErrorClass == MarkNotBooked && (res.Note == nil || string(res.Note) == string(c.State)) {
			return c, false
		}
		c.Failures, c.ErrorClass, c.RetryAt, c.State = 0, MarkNotBooked, time.Time{}, res.Note
	case Failed:
		c.Failures++
		c.ErrorClass = string(res.Class)
		if finoos.IsNullList(res.Err) {
			c.ErrorClass = MarkNull
		}
	case Pulled:
		c.CorrelationID, c.CorrelationAt = res.Correlation.ID, res.Correlation.At
		c.Failures, c.ErrorClass, c.RetryAt = 0, "", time.Time{}
		c.HashVersion, c.State, c.PulledAt = res.veil.hashVersion(res.Stream), res.veil.seal(c.UserID, res.Stream, res.state), now.UTC()
		// What null has made of a list is looked at again when a refresh is due, and so is
		// what may be of the analysis before.
		c.Whole = res.unfiltered && !res.WasNull && !lags(res.Correlation, now)
		c.FirstSeenAt = res.firstSeen
		if res.unfiltered {
			c.JoinedAt = res.joinedAt.UTC()
		}
		if res.Whole {
			c.FullAt, c.FullSeq, c.Backfilled, c.Erased = now.UTC(), res.Opened, false, false
		}
	}
	c.ExtractedAt, c.MarkOnly = res.ExtractedAt, false
	return c, true
}

// lag is how long after the beginning of an analysis its id may be shown where the data
// that is answered is of the one before: replicas lag, and records are completed when
// they are there.
const lag = time.Hour

// lags says that what was read now of an analysis may be of the one before.
func lags(of finoos.Correlation, now time.Time) bool {
	return !of.At.IsZero() && now.Sub(of.At).Abs() < lag
}

// Row is the result's own row in the table pulls.
func (res *Result) Row() *table.Pull {
	p := &table.Pull{
		UserID: res.User, Stream: string(res.Stream), Outcome: res.Outcome, PreviousCorrelationID: res.Previous,
		Rows: res.Upserts, Deletes: res.Deletes, Requests: res.Meter.Requests.Load(), Bytes: res.Meter.Bytes.Load(),
		Issues: res.Issues.JSON(), DurationMS: time.Since(res.Began).Milliseconds(), ErrorClass: string(res.Class), Meta: res.meta(table.Upsert, ""),
	}
	p.Meta.Pull = ""
	if res.Outcome == Pulled {
		p.Mode = string(res.mode)
	}
	if res.Err != nil {
		p.Error = res.veil.errorText(res.Err)
	}
	return p
}
