package jobs

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink/table"
)

// pull reads one stream of one user and hands what changed to the sink. Its
// error ends the run; a user that fails is a row.
func (n *nightly) pull(ctx context.Context, u *user, s config.Stream) error {
	res := n.reader.Begin(&u.User, s, table.Diff)
	res.Opened = n.w.Opened()
	res.Stamp = func() time.Time { return u.ExtractedAt(s, n.o.Now()) }
	res.Previous, res.First = u.Cursor(s).CorrelationID, u.Cursor(s).PulledAt.IsZero()
	defer res.Close()
	metered := finoos.WithMeter(ctx, &res.Meter)
	changed, err := n.changed(metered, u, res)
	if err == nil && changed {
		err = n.reader.Read(metered, &u.User, res)
	}
	switch {
	case err == nil:
		if res.Meter.Requests.Load() > 0 {
			n.flow.breaker.success()
		}
		return n.record(ctx, u, res)
	case ctx.Err() != nil:
		return ctx.Err() // dropped: the next run reads it again
	}
	return n.failed(ctx, u, res, err)
}

// failed decides what a failed pull means: an end of the run, another try at
// its end, a user that is gone, or a row.
func (n *nightly) failed(ctx context.Context, u *user, res *pull.Result, err error) error {
	what, class := consequenceOf(err)
	switch what {
	case endRun:
		return fmt.Errorf("pull %s: %w", res.Stream, err)
	case lookForUser:
		if gone, err := n.isGone(ctx, u); err != nil || gone {
			return err
		}
	case tryAgain:
		if res.Meter.Requests.Load() == 0 {
			break // an earlier failure is seen once more
		}
		if err := n.flow.weigh(ctx, u, err); err != nil {
			return err
		}
	default:
	}
	res.Forget()
	res.Outcome, res.Class, res.Err = pull.Failed, class, err
	if what == tryAgain && n.flow.canRetry(u) {
		u.retry = append(u.retry, res)
		return nil
	}
	return n.record(ctx, u, res)
}
