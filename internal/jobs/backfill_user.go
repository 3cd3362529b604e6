package jobs

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/table"
)

// filled is how far a backfill is with one user.
type filled struct {
	progress map[Stream]sink.Progress
	// inRange are the hashes of the ids of the transactions in the range; nil
	// where not all of it was read in this step.
	inRange map[uint64]struct{}
}

func newFilled(progress map[string]sink.Progress) *filled {
	f := &filled{progress: map[Stream]sink.Progress{}}
	for s, p := range progress {
		f.progress[Stream(s)] = p
	}
	return f
}

// streamsLeft are the streams of a user that are not done, in their order.
func (f *filling) streamsLeft(u *user) []Stream {
	var left []Stream
	for _, s := range f.streams {
		if u.filled.progress[s].DoneAt.IsZero() {
			left = append(left, s)
		}
	}
	return left
}

// work reads what is left of a user. It takes the place of run.work.
func (f *filling) work(ctx context.Context, u *user) error {
	u.retry = nil
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
	f.finish(u)
	return nil
}

// fill reads the range of one stream. Its error ends the run; a user that
// fails is a row, and is not done.
func (f *filling) fill(ctx context.Context, u *user, s Stream) error {
	pull := &filledPull{user: u, stream: s}
	err := f.read(finoos.WithMeter(ctx, &pull.meter), pull)
	if err == nil && u.gone {
		return nil
	}
	if err == nil {
		if pull.asked() {
			f.breaker.success()
		}
		f.left.Add(-1)
		f.tally.pulled(&result{user: u.id, stream: s, outcome: pull.outcome, upserts: pull.rows})
		u.pulled = u.pulled || pull.outcome == outcomePulled
		u.noAnalysis = u.noAnalysis || pull.outcome == outcomeNoAnalysis
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // dropped: the next run goes on behind the last commit
	}
	return f.failedToFill(ctx, pull, err)
}

// filledPull is the reading of one stream of one user, in one step or several.
type filledPull struct {
	user    *user
	stream  Stream
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
		p.outcome = outcomeNoAnalysis
		return f.add(ctx, f.begin(p), p, sink.Progress{DoneAt: f.run.o.Now().UTC()})
	}
	p.outcome = outcomePulled
	switch p.stream {
	case StreamTransactions:
		return f.fillTransactions(ctx, p)
	case StreamCategorization:
		return f.fillCategorization(ctx, p)
	case StreamContracts:
		return f.fillContracts(ctx, p)
	case StreamAccountHistory:
		return f.fillHistory(ctx, p)
	default:
		return fmt.Errorf("stream %s has no past to bring", p.stream)
	}
}

// correlate notes the analysis that the data comes from. Where there is none,
// but was one in an earlier night, an analysis is under way, and the data is
// that of the one before.
func (f *filling) correlate(ctx context.Context, p *filledPull) (bool, error) {
	service, ok := serviceOf(p.stream)
	if !ok {
		return true, nil
	}
	c, err := f.probe(ctx, p.user, service)
	if err != nil {
		return false, err
	}
	p.correlation = c
	if c.ID != "" || p.user.cursor(p.stream).CorrelationID != "" {
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
	_, err := f.client.User(ctx, u.id)
	if finoos.ClassOf(err) == finoos.NotFound {
		u.gone, err = true, nil
	}
	return err
}

// begin makes the result of the next request, with the instant before it.
func (f *filling) begin(p *filledPull) *result {
	return &result{
		user: p.user.id, stream: p.stream, mode: table.Backfill, outcome: outcomePulled, correlation: p.correlation,
		extractedAt: p.user.extractedAt(p.stream, f.run.o.Now()), began: time.Now(), alone: f.spilled, turns: f.turns,
	}
}

// add hands the rows of a request to the sink, together with the progress that
// they mean.
func (f *filling) add(ctx context.Context, res *result, p *filledPull, progress sink.Progress) error {
	defer res.close()
	if p.user.gone {
		return nil
	}
	progress.UserID, progress.Stream, progress.ExtractedAt = p.user.id, string(p.stream), res.extractedAt
	batch := sink.Batch{Rows: res.rows, Stream: res.more, Progress: []sink.Progress{progress}}
	if res.upserts > 0 || res.outcome == outcomeFailed {
		requests := p.meter.Requests.Swap(0)
		p.told += requests
		res.meter.Requests.Store(requests)
		res.meter.Bytes.Store(p.meter.Bytes.Swap(0))
		row := res.row()
		row.Mode = string(table.Backfill)
		batch.Rows = append(batch.Rows, row)
	}
	if err := f.w.Add(ctx, batch); err != nil {
		return f.sinkError(ctx, fmt.Errorf("write %s: %w", p.stream, err))
	}
	p.rows += res.upserts
	p.user.lastWritten = res.extractedAt
	p.user.filled.progress[p.stream] = progress
	if res.inexact > 0 {
		f.log.WarnContext(ctx, "amounts do not fit decimal(18,4): column null, text kept in _extra",
			"user_id", p.user.id, "stream", p.stream, "amounts", res.inexact)
		f.tally.update(func(rep *Report) { rep.Inexact += res.inexact })
	}
	return nil
}

// failedToFill decides what a failure means: an end of the run, another try at
// its end, a user that is gone, or a row and another run.
func (f *filling) failedToFill(ctx context.Context, p *filledPull, cause error) error {
	class := finoos.ClassOf(cause)
	if class == "" || endsRun(class) {
		return fmt.Errorf("backfill %s: %w", p.stream, cause)
	}
	if class == finoos.NotFound {
		if err := f.lookForUser(ctx, p.user); err == nil && p.user.gone {
			return nil
		}
	}
	if mayPass(class) && p.asked() { // else an earlier failure is seen once more
		if err := f.weigh(ctx, p.user, cause); err != nil {
			return err
		}
	}
	res := f.begin(p)
	res.outcome, res.class, res.err = outcomeFailed, class, cause
	if f.canRetry(p.user, class) {
		p.user.retry = append(p.user.retry, res)
		return nil
	}
	p.user.failed = true
	f.log.WarnContext(ctx, "backfill failed", "user_id", p.user.id, "stream", p.stream, "class", class, "error", cause)
	f.tally.pulled(res)
	progress := p.user.filled.progress[p.stream]
	progress.ErrorClass = string(class)
	return f.add(ctx, res, p, progress)
}
