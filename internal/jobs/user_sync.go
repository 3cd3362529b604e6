package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// synchronize asks the banks of the user's logins for fresh data where that
// is due. Afterwards the user settles, if any session began an analysis.
func (n *nightly) synchronize(ctx context.Context, u *user) error {
	list, err := n.client.Logins(ctx, u.ID)
	if err != nil {
		return n.skipSync(ctx, u, err)
	}
	u.Logins = list // for the stream bank_logins too, so that they are asked for once
	memory := banksync.Recall(u.Cursor(config.StreamSyncSessions).State)
	asked := false
	for l, err := range list.All() {
		if err != nil {
			return n.skipSync(ctx, u, err)
		}
		what := banksync.Decide(&n.job.Sync, &l, memory[l.ID], n.o.Now())
		switch what {
		case banksync.Leave:
			continue
		case banksync.NoteSCA:
			err = n.noteSession(ctx, u, &l, memory, finoos.SyncResult{Outcome: finoos.SCARequired}, time.Time{})
		case banksync.Ask:
			err = n.askBank(ctx, u, &l, memory)
		}
		if err != nil || u.gone {
			return err
		}
		asked = asked || what == banksync.Ask
	}
	if asked {
		u.CloseLogins() // out of date now
	}
	return nil
}

// skipSync goes on without sync sessions where the logins could not be read:
// the stream bank_logins, if there is one, reads them again and says so.
func (n *nightly) skipSync(ctx context.Context, u *user, err error) error {
	what, class := consequenceOf(err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case what == endRun:
		return fmt.Errorf("read logins: %w", err)
	case what == lookForUser:
		_, err := n.isGone(ctx, u)
		return err
	}
	n.log.WarnContext(ctx, "sync sessions skipped: logins cannot be read", "user_id", u.ID, "class", class, "error", err)
	return nil
}

// askBank creates one synchronization session. The correlations are read
// before the first one of a user: what differs from them later is news.
func (n *nightly) askBank(ctx context.Context, u *user, l *finoos.BankLogin, memory banksync.Logins) error {
	if err := n.readBefore(ctx, u); err != nil || u.gone {
		return err
	}
	requested := n.o.Now().UTC()
	res, err := n.client.Synchronize(ctx, u.ID, finoos.SyncRequest{BankLoginID: l.ID, UserIP: n.job.Sync.UserIP.String()})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("create synchronization session: %w", err)
	}
	switch res.Outcome {
	case finoos.Synced, finoos.Unknown:
		u.startSettling(u.services, res.CorrelationID, n.job.Sync.SettleTimeout)
	case finoos.Gone:
		if gone, err := n.isGone(ctx, u); err != nil || gone {
			return err
		}
	default: // nothing was begun
	}
	return n.noteSession(ctx, u, l, memory, res, requested)
}

func (n *nightly) readBefore(ctx context.Context, u *user) error {
	for _, service := range u.services {
		if n.health.isDown(apiPart{service: service}) {
			continue
		}
		if _, err := n.probe(ctx, u, service); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if what, _ := consequenceOf(err); what == endRun {
				return fmt.Errorf("read correlation: %w", err)
			}
			n.countProbe(ctx, u, service, err)
		}
	}
	return nil
}

// noteSession writes a session's outcome as a row, together with the memory
// of it. requested is zero where nothing was asked.
func (n *nightly) noteSession(
	ctx context.Context, u *user, l *finoos.BankLogin, memory banksync.Logins, res finoos.SyncResult, requested time.Time,
) error {
	now := n.o.Now().UTC()
	c := u.Cursor(config.StreamSyncSessions)
	c.ExtractedAt = u.ExtractedAt(config.StreamSyncSessions, now)
	row := &table.SyncSession{
		UserID: u.ID, BankLoginID: l.ID, Outcome: string(res.Outcome), ErrorType: res.ErrorType, Message: res.Message,
		SessionID: res.SessionID, AnalysisCorrelationID: res.CorrelationID, RequestedAt: requested,
		Meta: table.Meta{Op: table.Upsert, ExtractedAt: c.ExtractedAt},
	}
	if !requested.IsZero() {
		row.FinishedAt = now
	}
	if res.Status != 0 {
		row.HTTPStatus = table.Null[int32]{V: int32(res.Status), Valid: true} // an HTTP status
	}
	if n.job.Sync.ExportRedirectURL {
		row.RedirectURL = res.RedirectURL.Reveal()
	}
	memory[l.ID] = banksync.Remember(&n.job.Sync, &res, l.Status, requested, now, n.job.Timezone)
	state, err := json.Marshal(memory)
	if err != nil {
		return fmt.Errorf("remember sync session: %w", err)
	}
	c.State, c.PulledAt = state, now
	batch := sink.Batch{Rows: []table.Row{row}, Cursors: []cursors.Cursor{c}}
	if err := unguarded(func() error { return n.w.Add(ctx, batch) }); err != nil {
		return n.sinkError(ctx, fmt.Errorf("write sync_sessions: %w", err))
	}
	u.Cursors[config.StreamSyncSessions], u.LastWritten = c, c.ExtractedAt
	n.tally.update(func(rep *report.Report) { rep.SyncSessions[string(res.Outcome)]++ })
	return nil
}
