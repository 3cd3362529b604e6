package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// pull reads one stream of one user and hands what changed to the sink. Its
// error ends the run; a user that fails is a row.
func (r *run) pull(ctx context.Context, u *user, s config.Stream) error {
	res := r.reader.Begin(&u.known, s, sink.Diff)
	res.opened = r.w.Opened()
	res.stamp = func() time.Time { return u.extractedAt(s, r.o.Now()) }
	res.previous, res.first = u.cursor(s).CorrelationID, u.cursor(s).PulledAt.IsZero()
	defer res.close()
	metered := finoos.WithMeter(ctx, &res.meter)
	changed, err := r.changed(metered, u, res)
	if err == nil && changed {
		err = r.reader.Read(metered, &u.known, res)
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
	service, ok := config.ServiceOf(res.stream)
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
	if r.job.Probe != config.ProbeBanking || service == finoos.Banking || r.o.Full || !slices.Contains(u.services, finoos.Banking) {
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
		if of, ok := config.ServiceOf(s); ok && of == service && c.CorrelationID == correlationID {
			return finoos.Correlation{ID: c.CorrelationID, At: c.CorrelationAt}, true
		}
	}
	return finoos.Correlation{}, false
}

func (u *user) bankingCursor() (sink.Cursor, bool) {
	for _, s := range []config.Stream{config.StreamTransactions, config.StreamAccounts} {
		if c, ok := u.cursors[s]; ok {
			return c, true
		}
	}
	return sink.Cursor{}, false
}

// record hands a result to the sink, and lets the user's cursor follow.
func (r *run) record(ctx context.Context, u *user, res *result) error {
	if u.gone {
		return nil // said once, when the user is declared gone
	}
	_, correlated := config.ServiceOf(res.stream)
	if res.outcome == outcomePulled && !correlated && res.upserts+res.deletes == 0 && !res.whole {
		res.outcome = outcomeUnchanged
	}
	batch := sink.Batch{Rows: res.rows, Stream: res.more}
	cursor, moved := res.cursor(u.cursor(res.stream), r.o.Now())
	if res.outcome == outcomeFailed {
		r.quarantine(ctx, &cursor, u.cursor(res.stream))
	}
	if moved {
		batch.Cursors = []sink.Cursor{cursor}
	}
	if res.outcome != outcomeUnchanged && moved && (res.stream != config.StreamUsers || res.outcome == outcomeFailed) {
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
		r.tally.update(func(rep *report.Report) { rep.Inexact += res.inexact })
	}
	r.tally.pulled(res)
	return nil
}
