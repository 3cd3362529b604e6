package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// loginMemory is what a user's cursor remembers of the last sync session of a
// login, so that none is wasted: an outcome that needs the user, or a daily
// limit, holds until its time or until the login's status has changed.
type loginMemory struct {
	Outcome finoos.Outcome `json:"outcome"`
	Status  string         `json:"status"` // of the login, when the session was asked for
	At      time.Time      `json:"at"`
	Until   time.Time      `json:"until,omitzero"`
}

// decision is what the policy says of one login.
type decision int

const (
	leaveLogin  decision = iota
	askBank              // a sync session is due
	noteNeedSCA          // the login waits for its user: that is known without asking
)

const statusSCARequired = "SCA_REQUIRED"

// decide is the policy of sync sessions (docs/design.md, "Bank synchronisations"). now is the
// clock of the data.
func decide(p *config.Sync, l *finoos.BankLogin, last loginMemory, now time.Time) decision {
	if isAhead(last.At, now) {
		last = loginMemory{}
	}
	sameStatus := last.Status == l.Status
	held := !last.Until.IsZero() && now.Before(last.Until)
	if l.Status == statusSCARequired {
		if last.Outcome == finoos.SCARequired && held {
			return leaveLogin
		}
		return noteNeedSCA
	}
	if held && (sameStatus || last.Outcome == finoos.DailyLimit) {
		return leaveLogin
	}
	if p.When == config.SyncAlways {
		return askBank
	}
	if l.Active.Valid && l.Active.V {
		return leaveLogin // finoOS keeps it fresh in the background
	}
	if now.Sub(l.LastSynchronization) <= p.StaleAfter {
		return leaveLogin
	}
	return askBank
}

// remember says what holds after an outcome.
func remember(p *config.Sync, outcome finoos.Outcome, status string, now time.Time, zone *time.Location) loginMemory {
	m := loginMemory{Outcome: outcome, Status: status, At: now.UTC()}
	switch outcome {
	case finoos.InterfaceDeprecated, finoos.CredentialsRequired, finoos.Blocked, finoos.SCARequired,
		finoos.Rejected, finoos.SyncForbidden:
		m.Until = now.Add(p.NeedsUserRetry).UTC()
	case finoos.DailyLimit:
		y, month, d := now.In(zone).Date()
		m.Until = time.Date(y, month, d+1, 0, 0, 0, 0, zone).UTC()
	case finoos.Synced, finoos.Gone, finoos.Failed, finoos.Unknown:
		// Whether another one is due is seen from lastSynchronization.
	}
	return m
}

// synchronize asks the banks of the user's logins for fresh data where that
// is due. Afterwards the user settles, if any session began an analysis.
func (n *nightly) synchronize(ctx context.Context, u *user) error {
	list, err := n.client.Logins(ctx, u.ID)
	if err != nil {
		return n.skipSync(ctx, u, err)
	}
	u.Logins = list // for the stream bank_logins too, so that they are asked for once
	memory := rememberedSessions(u.Cursor(config.StreamSyncSessions))
	asked := false
	for l, err := range list.All() {
		if err != nil {
			return n.skipSync(ctx, u, err)
		}
		what := decide(&n.job.Sync, &l, memory[l.ID], n.o.Now())
		switch what {
		case leaveLogin:
			continue
		case noteNeedSCA:
			err = n.noteSession(ctx, u, &l, memory, finoos.SyncResult{Outcome: finoos.SCARequired}, time.Time{})
		case askBank:
			err = n.askBank(ctx, u, &l, memory)
		}
		if err != nil || u.gone {
			return err
		}
		asked = asked || what == askBank
	}
	if asked {
		u.CloseLogins() // out of date now
	}
	return nil
}

// rememberedSessions is what a cursor remembers, by login.
func rememberedSessions(c cursors.Cursor) map[string]loginMemory {
	memory := map[string]loginMemory{}
	if len(c.State) > 0 && json.Unmarshal(c.State, &memory) != nil {
		memory = map[string]loginMemory{}
	}
	return memory
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
func (n *nightly) askBank(ctx context.Context, u *user, l *finoos.BankLogin, memory map[string]loginMemory) error {
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
	ctx context.Context, u *user, l *finoos.BankLogin, memory map[string]loginMemory, res finoos.SyncResult, requested time.Time,
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
	memory[l.ID] = remember(&n.job.Sync, res.Outcome, l.Status, now, n.job.Timezone)
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
