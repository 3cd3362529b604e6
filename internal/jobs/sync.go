package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
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

// decide is the policy of sync sessions (DESIGN.md, Configuration). now is the
// clock of the data.
func (p *Sync) decide(l *finoos.BankLogin, last loginMemory, now time.Time) decision {
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
	if p.When == SyncAlways {
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
func (p *Sync) remember(outcome finoos.Outcome, status string, now time.Time, zone *time.Location) loginMemory {
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
func (r *run) synchronize(ctx context.Context, u *user) error {
	list, err := r.client.Logins(ctx, u.id)
	if err != nil {
		return r.skipSync(ctx, u, err)
	}
	u.logins = list // for the stream bank_logins too, so that they are asked for once
	memory := rememberedSessions(u.cursor(streamSyncSessions))
	asked := false
	for l, err := range list.All() {
		if err != nil {
			return r.skipSync(ctx, u, err)
		}
		what := r.job.Sync.decide(&l, memory[l.ID], r.o.Now())
		switch what {
		case leaveLogin:
			continue
		case noteNeedSCA:
			err = r.noteSession(ctx, u, &l, memory, finoos.SyncResult{Outcome: finoos.SCARequired}, time.Time{})
		case askBank:
			err = r.askBank(ctx, u, &l, memory)
		}
		if err != nil || u.gone {
			return err
		}
		asked = asked || what == askBank
	}
	if asked {
		u.closeLogins() // out of date now
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
func (r *run) skipSync(ctx context.Context, u *user, err error) error {
	class := finoos.ClassOf(err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case class == "" || endsRun(class):
		return fmt.Errorf("read logins: %w", err)
	case class == finoos.NotFound:
		_, err := r.isGone(ctx, u)
		return err
	}
	r.log.WarnContext(ctx, "sync sessions skipped: logins cannot be read", "user_id", u.id, "class", class, "error", err)
	return nil
}

// askBank creates one synchronization session. The correlations are read
// before the first one of a user: what differs from them later is news.
func (r *run) askBank(ctx context.Context, u *user, l *finoos.BankLogin, memory map[string]loginMemory) error {
	if err := r.readBefore(ctx, u); err != nil || u.gone {
		return err
	}
	requested := r.o.Now().UTC()
	res, err := r.client.Synchronize(ctx, u.id, finoos.SyncRequest{BankLoginID: l.ID, UserIP: r.job.Sync.UserIP.String()})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("create synchronization session: %w", err)
	}
	switch res.Outcome {
	case finoos.Synced, finoos.Unknown:
		u.startSettling(u.services, res.CorrelationID, r.job.Sync.SettleTimeout)
	case finoos.Gone:
		if gone, err := r.isGone(ctx, u); err != nil || gone {
			return err
		}
	default: // nothing was begun
	}
	return r.noteSession(ctx, u, l, memory, res, requested)
}

func (r *run) readBefore(ctx context.Context, u *user) error {
	for _, service := range u.services {
		if _, err := r.probe(ctx, u, service); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if class := finoos.ClassOf(err); class == "" || endsRun(class) {
				return fmt.Errorf("read correlation: %w", err)
			}
		}
	}
	return nil
}

// noteSession writes a session's outcome as a row, together with the memory
// of it. requested is zero where nothing was asked.
func (r *run) noteSession(
	ctx context.Context, u *user, l *finoos.BankLogin, memory map[string]loginMemory, res finoos.SyncResult, requested time.Time,
) error {
	now := r.o.Now().UTC()
	c := u.cursor(streamSyncSessions)
	c.ExtractedAt = u.extractedAt(streamSyncSessions, now)
	row := &table.SyncSession{
		UserID: u.id, BankLoginID: l.ID, Outcome: string(res.Outcome), ErrorType: res.ErrorType, Message: res.Message,
		SessionID: res.SessionID, AnalysisCorrelationID: res.CorrelationID, RequestedAt: requested,
		Meta: table.Meta{Op: table.Upsert, ExtractedAt: c.ExtractedAt},
	}
	if !requested.IsZero() {
		row.FinishedAt = now
	}
	if res.Status != 0 {
		row.HTTPStatus = table.Null[int32]{V: int32(res.Status), Valid: true} //nolint:gosec // an HTTP status
	}
	if r.job.Sync.ExportRedirectURL {
		row.RedirectURL = res.RedirectURL.Reveal()
	}
	memory[l.ID] = r.job.Sync.remember(res.Outcome, l.Status, now, r.job.Timezone)
	state, err := json.Marshal(memory)
	if err != nil {
		return fmt.Errorf("remember sync session: %w", err)
	}
	c.State, c.PulledAt = state, now
	if err := r.w.Add(ctx, sink.Batch{Rows: []table.Row{row}, Cursors: []cursors.Cursor{c}}); err != nil {
		return r.sinkError(ctx, fmt.Errorf("write sync_sessions: %w", err))
	}
	u.cursors[streamSyncSessions], u.lastWritten = c, c.ExtractedAt
	r.tally.update(func(rep *Report) { rep.SyncSessions[string(res.Outcome)]++ })
	return nil
}

// closeLogins gives back the logins that nobody has taken.
func (u *user) closeLogins() {
	if list := u.takeLogins(); list != nil {
		_ = list.Close() // frees memory; nothing is lost by an error
	}
}

func (u *user) takeLogins() *finoos.List[finoos.BankLogin] {
	list := u.logins
	u.logins = nil
	return list
}
