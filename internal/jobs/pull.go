package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// pull reads one stream of one user and hands what changed to the sink. Its
// error ends the run; a user that fails is a row.
func (n *nightly) pull(ctx context.Context, u *user, s config.Stream) error {
	if u.Joined != nil && !slices.Contains(joined.Streams(), s) {
		n.endJoined(u)
	}
	res := n.reader.Begin(&u.User, s, table.Diff)
	res.Opened = n.w.Opened()
	res.Stamp = func() time.Time { return u.ExtractedAt(s, n.o.Now()) }
	res.Previous, res.First = u.Cursor(s).CorrelationID, u.Cursor(s).PulledAt.IsZero()
	defer res.Close()
	metered := finoos.WithMeter(ctx, &res.Meter)
	op, _ := correlationsOf(s)
	spared := false
	if err := n.guarded(ctx, string(s), func() error { spared = n.isSpared(metered, u, s); return nil }); err != nil {
		u.one = "" // the others are asked for themselves
		return n.failed(ctx, u, op, res, err)
	}
	if spared {
		n.tally.update(func(rep *report.Report) { rep.Streams[s].NotAsked++ })
		return ctx.Err()
	}
	if op, ok := correlationsOf(s); ok && n.health.isDown(op) {
		u.passOver(heldPart{stream: s, tried: len(u.tries) > 0 && u.tries[s] != nil})
		return nil
	}
	if n.hinted(u, res) {
		return n.record(ctx, u, res)
	}
	var changed, down bool
	err := n.guarded(ctx, string(s), func() (err error) {
		if changed, err = n.changed(metered, u, res); err != nil || !changed {
			return err
		}
		op = dataOf(s)
		if down = s != config.StreamUsers && n.health.isDown(op); down { // that row comes from the list
			return nil
		}
		return n.read(metered, u, res)
	})
	switch {
	case err == nil && down:
		u.passOver(heldPart{stream: s, data: true})
		return nil
	case err == nil && res.Outcome == pull.NoAnalysis && res.Previous != "" && u.Cursor(s).ErrorClass != pull.MarkNoAnalysis:
		return n.lose(u, res)
	case err == nil:
		switch {
		case changed && res.CameJoined(): // that says nothing of the endpoint
		case changed && s != config.StreamUsers && !res.WasNull: // null may be all that is left of an answer
			n.health.answered(ctx, op, u.ID)
		case res.Outcome == pull.Unchanged:
			n.health.couldAsk(dataOf(s), u.ID, func() bool { return !n.reader.RemembersNothing(u.Cursor(s)) })
		}
		return n.record(ctx, u, res)
	case ctx.Err() != nil:
		return ctx.Err() // dropped: the next run reads it again
	}
	return n.failed(ctx, u, op, res, err)
}

// failed decides what a failed pull means: an end of the run, another try, a user
// that is gone, a service that was not booked or is down, or a row.
func (n *nightly) failed(ctx context.Context, u *user, op apiPart, res *pull.Result, err error) error {
	what, class := consequenceOf(err)
	switch what {
	case endRun:
		return fmt.Errorf("pull %s: %w", res.Stream, err)
	case askWhose:
		if end := n.flow.tokenRefused(ctx, err); end != nil {
			return fmt.Errorf("pull %s: %w", res.Stream, end)
		}
	case lookForUser:
		if gone, err := n.isGone(ctx, u); err != nil || gone {
			return err
		}
	default:
	}
	res.Forget()
	if isNotBooked(u, res, err) {
		return n.notBooked(ctx, u, res)
	}
	res.Outcome, res.Class, res.Err = pull.Failed, class, err
	if deniedInOwnWords(err) {
		if err := n.noteBooked(res); err != nil {
			return err
		}
	}
	if n.health.failed(ctx, op, u.ID, err, n.proves(u, res.Stream)) || n.isDownAgain(ctx, u, op, res) {
		u.passOver(heldPart{stream: res.Stream, data: op.service == "", tried: true})
		return nil
	}
	if api, ok := errors.AsType[*finoos.Error](err); ok && what == tryAgain && n.tryAgain(ctx, u, op, res, api) {
		return nil
	}
	u.doubts = append(u.doubts, doubt{res: res, op: op, at: time.Now()})
	return nil
}

// mostReturns is how often a stream that has failed comes back in a run.
const mostReturns = 4

// isDownAgain says whether an operation that has failed for a user who came back
// fails for others again, too: somebody who was answered is asked. One that comes
// and goes would make failures of those who come back first.
func (n *nightly) isDownAgain(ctx context.Context, u *user, op apiPart, res *pull.Result) bool {
	if !slices.Contains(u.triedBefore, res.Stream) || u.returns >= mostReturns {
		return false
	}
	failed := time.Now()
	good := n.health.goodOf(op)
	if good == "" || n.health.answeredSince(op, failed) || n.knock(ctx, op, good) || ctx.Err() != nil {
		return false
	}
	n.health.fall(ctx, op)
	return true
}

// proves says whether a failure of this user tells something of the operation: not
// where it has failed before the others were passed over, nor in an earlier run. That
// a list was null there is no trouble of the user's own.
func (n *nightly) proves(u *user, s config.Stream) bool {
	c := u.Cursor(s)
	return (c.Failures == 0 || c.ErrorClass == pull.MarkNull) && !slices.Contains(u.triedBefore, s)
}

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
	n.noteIssues(res)
	n.tally.pulled(res, u.Cursor(res.Stream))
	return nil
}

// tellRemasked counts a stream that was read in full because of its mask.
func (n *nightly) tellRemasked(ctx context.Context, s config.Stream) {
	n.tally.update(func(rep *report.Report) { rep.Remasked++ })
	if n.saidRemasked.CompareAndSwap(false, true) {
		n.log.WarnContext(ctx, "mask or mask_key is not what it was: streams whose rows it hides are read in full, once; the report counts them (remasked). "+
			"What was written before stays in its files until it is deleted", "first", s)
	}
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
	if res.Outcome == pull.Pulled && n.reader.Veil.HasOtherMask(u.Cursor(res.Stream)) {
		n.tellRemasked(ctx, res.Stream)
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
