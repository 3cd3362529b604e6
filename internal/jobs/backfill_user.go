package jobs

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// filled is how far a backfill is with one user.
type filled struct {
	progress map[config.Stream]sink.Progress
	// inRange are what the transactions in the range are told by; nil where not all
	// of it was read in this step.
	inRange map[uint64]struct{}
}

func newFilled(progress map[string]sink.Progress) *filled {
	f := &filled{progress: map[config.Stream]sink.Progress{}}
	for s, p := range progress {
		f.progress[config.Stream(s)] = p
	}
	return f
}

// streamsLeft are the streams of a user that are not done, in their order.
func (f *filling) streamsLeft(u *user) []config.Stream {
	var left []config.Stream
	for _, s := range f.streams {
		if u.filled.progress[s].DoneAt.IsZero() {
			left = append(left, s)
		}
	}
	return left
}

// step reads what is left of a user.
func (f *filling) step(ctx context.Context, u *user) error {
	u.retry = nil
	if err := f.sameUsers(u); err != nil {
		return err
	}
	for _, s := range f.streamsLeft(u) {
		if u.gone {
			break
		}
		if err := f.fill(ctx, u, s); err != nil {
			return err
		}
	}
	u.filled.inRange = nil
	if u.gone {
		if err := f.miss(u); err != nil {
			return err
		}
	}
	f.flow.finish(u)
	return nil
}

// fill reads the range of one stream. Its error ends the run; a user that
// fails is a row, and is not done.
func (f *filling) fill(ctx context.Context, u *user, s config.Stream) error {
	p, began := &filledPull{user: u, stream: s}, time.Now()
	err := f.read(finoos.WithMeter(ctx, &p.meter), p)
	if err == nil && u.gone {
		return nil
	}
	if err == nil {
		if p.asked() {
			f.flow.breaker.success()
		}
		f.left.Add(-1)
		f.tally.pulled(&pull.Result{User: u.ID, Stream: s, Outcome: p.outcome, Upserts: p.rows, Began: began}, cursors.Cursor{})
		u.pulled = u.pulled || p.outcome == pull.Pulled
		u.noAnalysis = u.noAnalysis || p.outcome == pull.NoAnalysis
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // dropped: the next run goes on behind the last commit
	}
	return f.failedToFill(ctx, p, err)
}

// filledPull is the reading of one stream of one user, in one step or several.
type filledPull struct {
	user    *user
	stream  config.Stream
	outcome string
	rows    int64
	meter   finoos.Meter
	told    int64 // requests that a row of pulls has told of, and the meter no longer does

	correlation finoos.Correlation
}

// asked says whether the API was asked for anything.
func (p *filledPull) asked() bool { return p.told+p.meter.Requests.Load() > 0 }

// read asks which analysis there is, and then for the data.
func (f *filling) read(ctx context.Context, p *filledPull) error {
	there, err := f.correlate(ctx, p)
	if err != nil {
		return err
	}
	if !there {
		p.outcome = pull.NoAnalysis
		return f.add(ctx, f.begin(p), p, sink.Progress{DoneAt: f.o.Now().UTC()})
	}
	p.outcome = pull.Pulled
	switch p.stream {
	case config.StreamTransactions:
		return f.fillTransactions(ctx, p)
	case config.StreamCategorization:
		return f.fillCategorization(ctx, p)
	case config.StreamContracts:
		return f.fillContracts(ctx, p)
	case config.StreamAccountHistory:
		return f.fillHistory(ctx, p)
	default:
		return fmt.Errorf("stream %s has no past to bring", p.stream)
	}
}

// correlate notes the analysis that the data comes from. Where there is none,
// but was one in an earlier night, an analysis is under way, and the data is
// that of the one before.
func (f *filling) correlate(ctx context.Context, p *filledPull) (bool, error) {
	service, ok := config.ServiceOf(p.stream)
	if !ok {
		return true, nil
	}
	c, err := f.probe(ctx, p.user, service)
	if err != nil {
		return false, err
	}
	p.correlation = c
	if c.ID != "" || p.user.Cursor(p.stream).CorrelationID != "" {
		return true, nil
	}
	return false, f.lookForUser(ctx, p.user)
}

// lookForUser asks the user's own path, once, after another of its paths has
// answered 404. Who is gone is for the nightly runs to declare.
func (f *filling) lookForUser(ctx context.Context, u *user) error {
	if u.checked {
		return nil
	}
	u.checked = true
	_, err := f.client.User(ctx, u.ID)
	if what, _ := consequenceOf(err); what == lookForUser {
		u.gone, err = true, nil
	}
	return err
}

// begin makes the result of the next request, with the instant before it.
func (f *filling) begin(p *filledPull) *pull.Result {
	res := f.reader.Begin(&p.user.User, p.stream, table.Backfill)
	res.Outcome, res.Correlation = pull.Pulled, p.correlation
	// A window may well be empty of whom much is known, and a backfill deletes nothing.
	res.NullIsEmpty = p.stream == config.StreamTransactions || f.reader.RemembersNothing(p.user.Cursor(p.stream))
	return res
}

// add hands the rows of a request to the sink, together with the progress that
// they mean.
func (f *filling) add(ctx context.Context, res *pull.Result, p *filledPull, progress sink.Progress) error {
	defer res.Close()
	if p.user.gone {
		return nil
	}
	progress.UserID, progress.Stream, progress.ExtractedAt = p.user.ID, string(p.stream), res.ExtractedAt
	batch := sink.Batch{Rows: res.Rows, Stream: res.More, Progress: []sink.Progress{progress}}
	if res.Upserts > 0 || res.Outcome == pull.Failed {
		requests := p.meter.Requests.Swap(0)
		p.told += requests
		res.Meter.Requests.Store(requests)
		res.Meter.Bytes.Store(p.meter.Bytes.Swap(0))
		row := res.Row()
		row.Mode = string(table.Backfill)
		batch.Rows = append(batch.Rows, row)
	}
	if err := f.w.Add(ctx, batch); err != nil {
		return f.sinkError(ctx, fmt.Errorf("write %s: %w", p.stream, err))
	}
	p.rows += res.Upserts
	p.user.LastWritten = res.ExtractedAt
	p.user.filled.progress[p.stream] = progress
	f.noteIssues(res)
	return nil
}

// failedToFill decides what a failure means: an end of the run, another try at
// its end, a user that is gone, or a row and another run.
func (f *filling) failedToFill(ctx context.Context, p *filledPull, cause error) error {
	what, class := consequenceOf(cause)
	switch what {
	case endRun:
		return fmt.Errorf("backfill %s: %w", p.stream, cause)
	case askWhose:
		if end := f.flow.tokenRefused(ctx, cause); end != nil {
			return fmt.Errorf("backfill %s: %w", p.stream, end)
		}
	case lookForUser:
		if err := f.lookForUser(ctx, p.user); err == nil && p.user.gone {
			return nil
		}
	case tryAgain:
		if !p.asked() {
			break // an earlier failure is seen once more
		}
		if err := f.flow.weigh(ctx, p.user, cause); err != nil {
			return err
		}
	default:
	}
	res := f.begin(p)
	res.Outcome, res.Class, res.Err = pull.Failed, class, cause
	if what == tryAgain && f.flow.canRetry(p.user) {
		p.user.retry = append(p.user.retry, res)
		return nil
	}
	p.user.failed = true
	f.log.WarnContext(ctx, "backfill failed", "user_id", p.user.ID, "stream", p.stream, "class", class, "error", cause)
	f.tally.pulled(res, cursors.Cursor{})
	progress := p.user.filled.progress[p.stream]
	progress.ErrorClass = string(class)
	return f.add(ctx, res, p, progress)
}
