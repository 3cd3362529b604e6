package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
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
	stream  Stream
	outcome string
	mode    table.Mode

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
	rows             []table.Row
	slabs            *slabs // that rows come from, while the pull has a turn
	more             func(yield func(table.Row) error) error
	upserts, deletes int64
	inexact          int64

	class   finoos.Class
	err     error
	meter   finoos.Meter
	began   time.Time // real time
	closers []io.Closer
	alone   chan struct{} // one slot, for the one pull at a time that is larger than memory allows
	isAlone bool
	turns   chan *slabs // one for each pull whose rows may be held at a time
}

func (res *result) meta(op table.Op, extra string) table.Meta {
	return table.Meta{
		Op: op, Pull: res.mode, CorrelationID: res.correlation.ID, CorrelationAt: res.correlation.At,
		ExtractedAt: res.extractedAt, Extra: extra,
	}
}

// readAll makes the pull one that replaces what was known.
func (res *result) readAll() {
	res.mode, res.whole = table.Full, true
}

// runAlone waits until no other pull is at work that is larger than memory
// allows.
func (res *result) runAlone(ctx context.Context) error {
	if res.isAlone {
		return nil
	}
	select {
	case res.alone <- struct{}{}:
		res.isAlone = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeTurn waits until this pull may make rows of its answer. Answers are waited
// for by as many workers as there are, and held to the byte; rows take several
// times as much, and no more processors make them than there are.
func (res *result) takeTurn(ctx context.Context) error {
	if res.slabs != nil {
		return nil
	}
	select {
	case res.slabs = <-res.turns:
		res.rows = res.slabs.rows
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// remove adds a row that says that a key is gone.
func (res *result) remove(row table.Row) {
	res.rows = append(res.rows, row)
	res.deletes++
}

// forget takes back what has been collected: to read it in another way, or
// because it failed.
func (res *result) forget() {
	rows := res.rows
	res.rows, res.more, res.upserts, res.deletes, res.inexact = nil, nil, 0, 0, 0
	for _, c := range res.closers {
		_ = c.Close() // frees memory; nothing is lost by an error
	}
	res.closers = nil
	// Or the next answer would be waited for with a turn, by one who may have to
	// wait to be alone as well, for one who waits for a turn.
	if res.isAlone {
		<-res.alone
		res.isAlone = false
	}
	if res.slabs != nil {
		res.slabs.clear(rows)
		res.turns <- res.slabs
		res.slabs = nil
	}
}

// close gives back everything; what was collected has been written.
func (res *result) close() { res.forget() }

// pull reads one stream of one user and hands what changed to the sink. Its
// error ends the run; a user that fails is a row.
func (r *run) pull(ctx context.Context, u *user, s Stream) error {
	res := &result{user: u.id, stream: s, mode: table.Diff, began: time.Now(), extractedAt: u.extractedAt(s, r.o.Now()), alone: r.spilled, turns: r.turns, opened: r.w.Opened()}
	res.stamp = func() time.Time { return u.extractedAt(s, r.o.Now()) }
	res.previous, res.first = u.cursor(s).CorrelationID, u.cursor(s).PulledAt.IsZero()
	defer res.close()
	metered := finoos.WithMeter(ctx, &res.meter)
	changed, err := r.changed(metered, u, res)
	if err == nil && changed {
		err = r.read(metered, u, res)
	}
	switch {
	case err == nil:
		if res.meter.Requests.Load() > 0 {
			r.breaker.success()
		}
		return r.record(ctx, u, res)
	case ctx.Err() != nil:
		return ctx.Err() // dropped: the next run reads it again
	}
	return r.failed(ctx, u, res, err)
}

// failed decides what a failed pull means: an end of the run, another try at
// its end, a user that is gone, or a row.
func (r *run) failed(ctx context.Context, u *user, res *result, err error) error {
	class := finoos.ClassOf(err)
	if class == "" || endsRun(class) {
		return fmt.Errorf("pull %s: %w", res.stream, err)
	}
	if class == finoos.NotFound {
		gone, err := r.isGone(ctx, u)
		if err != nil || gone {
			return err
		}
	}
	if mayPass(class) && res.meter.Requests.Load() > 0 { // else an earlier failure is seen once more
		if err := r.weigh(ctx, u, err); err != nil {
			return err
		}
	}
	res.forget()
	res.outcome, res.class, res.err = outcomeFailed, class, err
	if r.canRetry(u, class) {
		u.retry = append(u.retry, res)
		return nil
	}
	return r.record(ctx, u, res)
}

// changed asks whether a stream has to be read: its service's correlation
// against the cursor's. Streams without a service are always read.
func (r *run) changed(ctx context.Context, u *user, res *result) (bool, error) {
	service, ok := serviceOf(res.stream)
	if !ok {
		return true, nil
	}
	p, err := r.probe(ctx, u, service)
	if err != nil {
		return false, err
	}
	cursor := u.cursor(res.stream)
	res.correlation = p
	switch {
	case p.ID == "":
		if cursor.ErrorClass != markNoAnalysis { // it begins tonight: is the user there at all?
			if gone, err := r.isGone(ctx, u); err != nil || gone {
				return false, err
			}
		}
		res.outcome = outcomeNoAnalysis
		return false, nil
	case p.ID == cursor.CorrelationID && !r.o.Full:
		res.outcome = outcomeUnchanged
		return false, nil
	}
	return true, nil
}

// probe returns the newest finished analysis of a service, zero where there
// is none. It is asked for once a run; settling may have done so already.
func (r *run) probe(ctx context.Context, u *user, service finoos.Service) (finoos.Correlation, error) {
	if p, ok := u.probes[service]; ok {
		return p.correlation, p.err
	}
	if c, ok := r.quietByBanking(ctx, u, service); ok {
		u.probes[service] = probe{correlation: c}
		return c, nil
	}
	c, err := r.client.Correlation(ctx, u.id, service)
	if finoos.ClassOf(err) == finoos.NotFound {
		c, err = finoos.Correlation{}, nil
	}
	if ctx.Err() == nil {
		u.probes[service] = probe{correlation: c, err: err}
	}
	return c, err
}

// quietByBanking answers for a service without asking it, where the job
// probes banking only: banking has not moved, the service had caught up with
// it, and this is not the day of the week on which all are asked.
func (r *run) quietByBanking(ctx context.Context, u *user, service finoos.Service) (finoos.Correlation, bool) {
	if r.job.Probe != ProbeBanking || service == finoos.Banking || r.o.Full || !slices.Contains(u.services, finoos.Banking) {
		return finoos.Correlation{}, false
	}
	if r.asksAllToday(u) {
		return finoos.Correlation{}, false
	}
	known, ok := u.bankingCursor()
	if !ok || known.CorrelationID == "" {
		return finoos.Correlation{}, false
	}
	banking, err := r.probe(ctx, u, finoos.Banking)
	if err != nil || banking.ID != known.CorrelationID {
		return finoos.Correlation{}, false
	}
	return u.caughtUp(service, banking.ID)
}

// asksAllToday says whether this is the day of the week on which all services
// of the user are asked.
func (r *run) asksAllToday(u *user) bool {
	day := uint64(r.o.Now().Unix()) / (24 * 60 * 60) //nolint:gosec // after 1970
	return (day+xxhash.Sum64String(u.id))%7 == 0
}

// caughtUp is the analysis that a service's stream was last pulled from, if
// that is the given one.
func (u *user) caughtUp(service finoos.Service, correlationID string) (finoos.Correlation, bool) {
	for s, c := range u.cursors {
		if of, ok := serviceOf(s); ok && of == service && c.CorrelationID == correlationID {
			return finoos.Correlation{ID: c.CorrelationID, At: c.CorrelationAt}, true
		}
	}
	return finoos.Correlation{}, false
}

func (u *user) bankingCursor() (cursors.Cursor, bool) {
	for _, s := range []Stream{StreamTransactions, StreamAccounts} {
		if c, ok := u.cursors[s]; ok {
			return c, true
		}
	}
	return cursors.Cursor{}, false
}

// read reads a stream that has changed, and compares it with what the cursor
// remembers.
func (r *run) read(ctx context.Context, u *user, res *result) error {
	res.outcome = outcomePulled
	switch res.stream {
	case StreamUsers:
		return r.readUser(u, res)
	case StreamBankLogins:
		return r.readLogins(ctx, u, res)
	case StreamAccounts:
		return r.readAccounts(ctx, u, res)
	case StreamTransactions:
		return r.readTransactions(ctx, u, res)
	case StreamCategorization:
		return r.readCategorization(ctx, u, res)
	case StreamContracts:
		return r.readContracts(ctx, u, res)
	case StreamAccountHistory:
		return r.readHistory(ctx, u, res)
	default:
		return fmt.Errorf("stream %s cannot be pulled", res.stream)
	}
}

// record hands a result to the sink, and lets the user's cursor follow.
func (r *run) record(ctx context.Context, u *user, res *result) error {
	if u.gone {
		return nil // said once, when the user is declared gone
	}
	_, correlated := serviceOf(res.stream)
	if res.outcome == outcomePulled && !correlated && res.upserts+res.deletes == 0 && !res.whole {
		res.outcome = outcomeUnchanged
	}
	batch := sink.Batch{Rows: res.rows, Stream: res.more}
	cursor, moved := res.cursor(u.cursor(res.stream), r.o.Now())
	if res.outcome == outcomeFailed {
		r.quarantine(ctx, &cursor, u.cursor(res.stream))
	}
	if moved {
		batch.Cursors = []cursors.Cursor{cursor}
	}
	if res.outcome != outcomeUnchanged && moved && (res.stream != StreamUsers || res.outcome == outcomeFailed) {
		batch.Rows = append(batch.Rows, res.row())
	}
	if len(batch.Rows)+len(batch.Cursors) > 0 {
		if err := r.w.Add(ctx, batch); err != nil {
			return r.sinkError(ctx, fmt.Errorf("write %s: %w", res.stream, err))
		}
		u.cursors[res.stream] = cursor
		u.lastWritten = res.extractedAt
	}
	switch res.outcome {
	case outcomePulled:
		u.pulled = true
	case outcomeFailed:
		u.failed = true
		r.log.WarnContext(ctx, "pull failed", "user_id", u.id, "stream", res.stream, "class", res.class, "error", res.err)
	case outcomeNoAnalysis:
		u.noAnalysis = true
	}
	if res.inexact > 0 {
		r.log.WarnContext(ctx, "amounts do not fit decimal(18,4): column null, text kept in _extra",
			"user_id", u.id, "stream", res.stream, "amounts", res.inexact)
		r.tally.update(func(rep *Report) { rep.Inexact += res.inexact })
	}
	r.tally.pulled(res)
	return nil
}

// cursor is what is remembered after this result; moved is false where that
// is what was remembered before, and nothing has to be written.
func (res *result) cursor(c cursors.Cursor, now time.Time) (next cursors.Cursor, moved bool) {
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
func (res *result) row() *table.Pull {
	p := &table.Pull{
		UserID: res.user, Stream: string(res.stream), Outcome: res.outcome, PreviousCorrelationID: res.previous,
		Rows: res.upserts, Deletes: res.deletes, Requests: res.meter.Requests.Load(), Bytes: res.meter.Bytes.Load(),
		DurationMS: time.Since(res.began).Milliseconds(), ErrorClass: string(res.class), Meta: res.meta(table.Upsert, ""),
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

// wantsFull says whether a stream that has changed has to be read in full,
// whatever its cursor remembers.
func (r *run) wantsFull(c cursors.Cursor) bool {
	return r.mustBeFull(c) || c.Backfilled || refreshDue(c.UserID, c.FullAt, r.o.Now(), r.job.FullRefreshEvery)
}

// mustBeFull says the same of one that may not have changed.
func (r *run) mustBeFull(c cursors.Cursor) bool {
	return r.o.Full || c.FullAt.IsZero() || c.HashVersion != finoos.HashVersion
}

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

// asAPIError returns the API's error inside err, or nil.
func asAPIError(err error) *finoos.Error {
	api, _ := errors.AsType[*finoos.Error](err)
	return api
}
