package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// pull reads one stream of one user and hands what changed to the sink. Its
// error ends the run; a user that fails is a row.
func (r *run) pull(ctx context.Context, u *user, s config.Stream) error {
	res := r.reader.Begin(&u.User, s, sink.Diff)
	res.Opened = r.w.Opened()
	res.Stamp = func() time.Time { return u.ExtractedAt(s, r.o.Now()) }
	res.Previous, res.First = u.Cursor(s).CorrelationID, u.Cursor(s).PulledAt.IsZero()
	defer res.Close()
	metered := finoos.WithMeter(ctx, &res.Meter)
	changed, err := r.changed(metered, u, res)
	if err == nil && changed {
		err = r.reader.Read(metered, &u.User, res)
	}
	switch {
	case err == nil:
		if res.Meter.Requests.Load() > 0 {
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
func (r *run) failed(ctx context.Context, u *user, res *pull.Result, err error) error {
	class := finoos.ClassOf(err)
	if class == "" || endsRun(class) {
		return fmt.Errorf("pull %s: %w", res.Stream, err)
	}
	if class == finoos.NotFound {
		gone, err := r.isGone(ctx, u)
		if err != nil || gone {
			return err
		}
	}
	if mayPass(class) && res.Meter.Requests.Load() > 0 { // else an earlier failure is seen once more
		if err := r.weigh(ctx, u, err); err != nil {
			return err
		}
	}
	res.Forget()
	res.Outcome, res.Class, res.Err = pull.Failed, class, err
	if r.canRetry(u, class) {
		u.retry = append(u.retry, res)
		return nil
	}
	return r.record(ctx, u, res)
}

// changed asks whether a stream has to be read: its service's correlation
// against the cursor's. Streams without a service are always read.
func (r *run) changed(ctx context.Context, u *user, res *pull.Result) (bool, error) {
	service, ok := config.ServiceOf(res.Stream)
	if !ok {
		return true, nil
	}
	p, err := r.probe(ctx, u, service)
	if err != nil {
		return false, err
	}
	cursor := u.Cursor(res.Stream)
	res.Correlation = p
	switch {
	case p.ID == "":
		if cursor.ErrorClass != pull.MarkNoAnalysis { // it begins tonight: is the user there at all?
			if gone, err := r.isGone(ctx, u); err != nil || gone {
				return false, err
			}
		}
		res.Outcome = pull.NoAnalysis
		return false, nil
	case p.ID == cursor.CorrelationID && !r.o.Full:
		res.Outcome = pull.Unchanged
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
	c, err := r.client.Correlation(ctx, u.ID, service)
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
	return (day+xxhash.Sum64String(u.ID))%7 == 0
}

// caughtUp is the analysis that a service's stream was last pulled from, if
// that is the given one.
func (u *user) caughtUp(service finoos.Service, correlationID string) (finoos.Correlation, bool) {
	for s, c := range u.Cursors {
		if of, ok := config.ServiceOf(s); ok && of == service && c.CorrelationID == correlationID {
			return finoos.Correlation{ID: c.CorrelationID, At: c.CorrelationAt}, true
		}
	}
	return finoos.Correlation{}, false
}

func (u *user) bankingCursor() (sink.Cursor, bool) {
	for _, s := range []config.Stream{config.StreamTransactions, config.StreamAccounts} {
		if c, ok := u.Cursors[s]; ok {
			return c, true
		}
	}
	return sink.Cursor{}, false
}

// record hands a result to the sink, and lets the user's cursor follow.
func (r *run) record(ctx context.Context, u *user, res *pull.Result) error {
	if u.gone {
		return nil // said once, when the user is declared gone
	}
	_, correlated := config.ServiceOf(res.Stream)
	if res.Outcome == pull.Pulled && !correlated && res.Upserts+res.Deletes == 0 && !res.Whole {
		res.Outcome = pull.Unchanged
	}
	batch := sink.Batch{Rows: res.Rows, Stream: res.More}
	cursor, moved := res.Cursor(u.Cursor(res.Stream), r.o.Now())
	if res.Outcome == pull.Failed {
		r.quarantine(ctx, &cursor, u.Cursor(res.Stream))
	}
	if moved {
		batch.Cursors = []sink.Cursor{cursor}
	}
	if res.Outcome != pull.Unchanged && moved && (res.Stream != config.StreamUsers || res.Outcome == pull.Failed) {
		batch.Rows = append(batch.Rows, res.Row())
	}
	if len(batch.Rows)+len(batch.Cursors) > 0 {
		if err := r.w.Add(ctx, batch); err != nil {
			return r.sinkError(ctx, fmt.Errorf("write %s: %w", res.Stream, err))
		}
		u.Cursors[res.Stream] = cursor
		u.LastWritten = res.ExtractedAt
	}
	switch res.Outcome {
	case pull.Pulled:
		u.pulled = true
	case pull.Failed:
		u.failed = true
		r.log.WarnContext(ctx, "pull failed", "user_id", u.ID, "stream", res.Stream, "class", res.Class, "error", res.Err)
	case pull.NoAnalysis:
		u.noAnalysis = true
	}
	if res.Inexact > 0 {
		r.log.WarnContext(ctx, "amounts do not fit decimal(18,4): column null, text kept in _extra",
			"user_id", u.ID, "stream", res.Stream, "amounts", res.Inexact)
		r.tally.update(func(rep *report.Report) { rep.Inexact += res.Inexact })
	}
	r.tally.pulled(res)
	return nil
}
