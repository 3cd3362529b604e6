package jobs

import (
	"context"
	"fmt"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// record hands a result to the sink, and lets the user's cursor follow.
func (n *nightly) record(ctx context.Context, u *user, res *pull.Result) error {
	if u.gone {
		return nil // said once, when the user is declared gone
	}
	_, correlated := config.ServiceOf(res.Stream)
	if res.Outcome == pull.Pulled && !correlated && res.Upserts+res.Deletes == 0 && !res.Whole {
		res.Outcome = pull.Unchanged
	}
	if err := n.write(ctx, u, res); err != nil {
		return err
	}
	if err := n.noteBooked(res); err != nil {
		return err
	}
	if _, marked := u.Cursors[config.StreamLost]; marked && correlated && res.Correlation.ID != "" {
		if err := n.markLost(ctx, u, true); err != nil {
			return err
		}
	}
	switch res.Outcome {
	case pull.Pulled:
		u.pulled = true
	case pull.Failed:
		u.failed = true
		n.log.WarnContext(ctx, "pull failed", "user_id", u.ID, "stream", res.Stream, "class", res.Class, "error", res.Err)
	case pull.NoAnalysis:
		u.noAnalysis = true
	case pull.NotBooked:
		u.notBooked = true
	}
	if res.Inexact > 0 {
		n.log.WarnContext(ctx, "amounts do not fit decimal(18,4): column null, text kept in _extra",
			"user_id", u.ID, "stream", res.Stream, "amounts", res.Inexact)
		n.tally.update(func(rep *report.Report) { rep.Inexact += res.Inexact })
	}
	n.tally.pulled(res)
	return nil
}

// write hands rows and the cursor of a result to the sink.
func (n *nightly) write(ctx context.Context, u *user, res *pull.Result) error {
	batch := sink.Batch{Rows: res.Rows, Stream: res.More}
	cursor, moved := res.Cursor(u.Cursor(res.Stream), n.o.Now())
	if res.Outcome == pull.Failed {
		n.quarantine(ctx, &cursor, u.Cursor(res.Stream))
		if res.RetryAt.After(cursor.RetryAt) {
			cursor.RetryAt = res.RetryAt
		}
	}
	if moved {
		batch.Cursors = []cursors.Cursor{cursor}
	}
	said := res.Outcome == pull.NotBooked && u.Cursor(res.Stream).ErrorClass == pull.MarkNotBooked
	if res.Outcome != pull.Unchanged && moved && !said && (res.Stream != config.StreamUsers || res.Outcome == pull.Failed) {
		batch.Rows = append(batch.Rows, res.Row())
	}
	if len(batch.Rows)+len(batch.Cursors) > 0 {
		if err := unguarded(func() error { return n.w.Add(ctx, batch) }); err != nil {
			return n.sinkError(ctx, fmt.Errorf("write %s: %w", res.Stream, err))
		}
		u.Cursors[res.Stream] = cursor
		u.LastWritten = res.ExtractedAt
	}
	return nil
}
