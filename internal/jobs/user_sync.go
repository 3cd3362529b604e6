package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	noted "finoos-syncer/internal/sink/attempts" // the run itself has attempts of users
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
	memory := n.recall(u)
	asked := false
	seen := map[string]*banksync.Seen{}
	waits := report.NeededUser{UserID: u.ID}
	defer func() { n.tally.needs(&waits) }()
	for l, err := range list.All() {
		if finoos.IsNullList(err) {
			seen = nil // nobody is to be asked for; what it means is the stream's to say
			break
		}
		if err != nil {
			return n.skipSync(ctx, u, err)
		}
		seen[l.ID] = banksync.SeenOf(&l)
		what := banksync.Decide(&n.job.Sync, &l, memory[l.ID], n.o.Now())
		switch what {
		case banksync.Leave:
			countNeeded(&waits, memory[l.ID], l.Status)
			continue
		case banksync.NoteSCA:
			err = n.noteSession(ctx, u, &l, memory, finoos.SyncResult{Outcome: finoos.SCARequired}, nil, false)
		case banksync.Ask:
			err = n.askBank(ctx, u, &l, memory)
			if !u.noAddress {
				seen[l.ID] = nil // it is another now
			}
		}
		if err != nil || u.gone {
			return err
		}
		countNeeded(&waits, memory[l.ID], l.Status)
		asked = asked || what == banksync.Ask && !u.noAddress
	}
	if asked {
		u.CloseLogins() // out of date now
	}
	u.logins.seen, u.logins.asked = seen, asked
	return nil
}

// recallNeeded counts what a user's logins need by what they were like, where they are
// not read.
func (n *nightly) recallNeeded(ctx context.Context, u *user) {
	waits := report.NeededUser{UserID: u.ID}
	memory := n.recall(u)
	for _, m := range memory {
		if m.Seen != nil && !m.Seen.Gone {
			countNeeded(&waits, m, m.Seen.Status)
		}
	}
	n.tally.needs(&waits)
	if memory.Due(&n.job.Sync, n.o.Now()) == banksync.Ask && !n.addressOf(u).IsValid() {
		n.lacksAddress(ctx, u)
	}
}

// countNeeded takes in a login, unless its status is not the one that the last session
// has met: then its user may have done what was needed.
func countNeeded(u *report.NeededUser, m banksync.Memory, status string) {
	if m.NeedsUser() && m.Status == status {
		u.Note(string(m.Outcome), m.At, m.Until)
	}
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
	if !n.addressOf(u).IsValid() {
		n.lacksAddress(ctx, u)
		return nil
	}
	if err := n.readBefore(ctx, u); err != nil || u.gone {
		return err
	}
	asked, err := n.w.Attempts().Note(ctx, noted.Attempt{UserID: u.ID, LoginID: n.reader.Veil.SealLogin(u.ID, l.ID), At: banksync.AttemptAt(memory[l.ID], n.o.Now())})
	if err != nil {
		return n.sinkError(ctx, err)
	}
	p := &n.job.Sync
	res, err := n.client.Synchronize(ctx, u.ID, finoos.SyncRequest{
		BankLoginID: l.ID, UserIP: n.addressOf(u).String(), RedirectURL: p.RedirectURL, ErrorURL: p.ErrorURL, ExitURL: p.ExitURL,
	})
	if err != nil && res.Outcome != finoos.Unknown { // the bank was not asked
		n.w.Attempts().Drop(asked)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("create synchronization session: %w", err)
	}
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), n.lastNote(ctx, u, l, memory, res, asked))
	}
	switch res.Outcome {
	case finoos.Synced, finoos.Unknown:
		u.startSettling(u.services, res.CorrelationID, p.SettleTimeout)
	case finoos.Gone:
		if gone, err := n.isGone(ctx, u); err != nil || gone {
			n.w.Attempts().Drop(asked)
			return err
		}
	default: // nothing was begun
	}
	if failed := n.noteSession(ctx, u, l, memory, res, asked, false); failed != nil || err == nil {
		return failed
	}
	return fmt.Errorf("create synchronization session: %w", err)
}

// lastNote notes what came of a session though the run is over: the last commit is
// still to come.
func (n *nightly) lastNote(ctx context.Context, u *user, l *finoos.BankLogin, memory banksync.Logins, res finoos.SyncResult, asked *noted.Ticket) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastNoteFor)
	defer cancel()
	return n.noteSession(ctx, u, l, memory, res, asked, true)
}

// lastNoteFor bounds how long that may take: the writer may wait for a part that is on
// its way.
const lastNoteFor = 5 * time.Second

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

// recall is what is remembered of a user's logins, by their ids. What banks were asked
// for holds also where the commit that said so was taken back; that a login waits for
// its user is a row alone, and comes again.
func (s *session) recall(u *user) banksync.Logins {
	c := u.Cursor(config.StreamSyncSessions)
	memory := banksync.Logins{}
	for login, known := range banksync.Recall(c.State) {
		if c.Erased && known.Status == banksync.StatusSCARequired {
			continue
		}
		if known.SeenSealed != "" {
			known.Seen, known.SeenSealed = banksync.ReadSeen(s.reader.Veil.OpenLogin(u.ID, known.SeenSealed)), ""
		}
		memory[s.reader.Veil.OpenLogin(u.ID, login)] = known
	}
	return memory
}

// noteSession writes a session's outcome as a row, together with the memory
// of it. asked is nil where nothing was; stopped says that the run is over.
func (n *nightly) noteSession(
	ctx context.Context, u *user, l *finoos.BankLogin, memory banksync.Logins, res finoos.SyncResult, asked *noted.Ticket, stopped bool,
) error {
	now := n.o.Now().UTC()
	row := &table.SyncSession{
		UserID: u.ID, BankLoginID: l.ID, Outcome: string(res.Outcome), ErrorType: res.ErrorType, Message: res.Message,
		SessionID: res.SessionID, AnalysisCorrelationID: res.CorrelationID,
		Meta: table.Meta{Op: table.Upsert, ExtractedAt: u.ExtractedAt(config.StreamSyncSessions, now)},
	}
	var tickets []*noted.Ticket
	if asked != nil {
		tickets = append(tickets, asked)
		row.RequestedAt, row.FinishedAt = asked.At, now
	}
	if res.Status != 0 {
		row.HTTPStatus = table.Null[int32]{V: int32(res.Status), Valid: true} // an HTTP status
	}
	if n.masking != nil { // it may quote what is hidden
		row.ErrorType, row.Message = finoos.PlainType(row.ErrorType), ""
	}
	if n.job.Sync.ExportRedirectURL {
		row.RedirectURL = res.RedirectURL.Reveal()
	}
	memory[l.ID] = banksync.Remember(&n.job.Sync, &res, l.Status, row.RequestedAt, now, n.job.Timezone)
	if stopped {
		memory[l.ID] = memory[l.ID].UnderWay(&n.job.Sync)
	}
	return n.addSessions(ctx, u, memory, []table.Row{row}, row.ExtractedAt, tickets)
}

// hideLogins seals what is remembered of a user's logins from before anything was masked:
// who is not asked for again would else be named for ever.
func (n *nightly) hideLogins(ctx context.Context, u *user) error {
	c, bare := u.Cursor(config.StreamSyncSessions), false
	for login, known := range banksync.Recall(c.State) {
		bare = bare || n.reader.Veil.Bares(login) || n.masking != nil && known.Seen != nil
	}
	if !bare {
		return nil
	}
	state, err := json.Marshal(n.sealed(u, n.recall(u)))
	if err != nil {
		return fmt.Errorf("remember sync sessions: %w", err)
	}
	c.State = state
	if err := n.w.Add(ctx, sink.Batch{Cursors: []cursors.Cursor{c}}); err != nil {
		return n.sinkError(ctx, fmt.Errorf("seal logins: %w", err))
	}
	u.Cursors[config.StreamSyncSessions] = c
	return nil
}

// keepsSeen says that what logins are like may be remembered.
func (s *session) keepsSeen() bool { return s.masking == nil || s.reader.Veil.SealText("", "{}") != "" }

func (n *nightly) sealed(u *user, memory banksync.Logins) banksync.Logins {
	sealed := make(banksync.Logins, len(memory))
	for login, known := range memory {
		if n.masking != nil && known.Seen != nil {
			known.SeenSealed, known.Seen = n.reader.Veil.SealText(u.ID, known.Seen.Text()), nil
		}
		sealed[n.reader.Veil.SealLogin(u.ID, login)] = known
	}
	return sealed
}

// addSessions hands rows of a user's sync sessions to the sink, with what is
// remembered from then on.
func (n *nightly) addSessions(ctx context.Context, u *user, memory banksync.Logins, rows []table.Row, at time.Time, tickets []*noted.Ticket) error {
	state, err := json.Marshal(n.sealed(u, memory))
	if err != nil {
		return fmt.Errorf("remember sync session: %w", err)
	}
	c := u.Cursor(config.StreamSyncSessions)
	c.ExtractedAt, c.State, c.PulledAt, c.Erased = at, state, n.o.Now().UTC(), false
	batch := sink.Batch{Rows: rows, Cursors: []cursors.Cursor{c}, Attempts: tickets}
	if err := unguarded(func() error { return n.w.Add(ctx, batch) }); err != nil {
		return n.sinkError(ctx, fmt.Errorf("write sync_sessions: %w", err))
	}
	u.Cursors[config.StreamSyncSessions], u.LastWritten = c, at
	n.tally.update(func(rep *report.Report) {
		for _, r := range rows {
			if s, ok := r.(*table.SyncSession); ok {
				rep.SyncSessions[s.Outcome]++
			}
		}
	})
	return nil
}

// mostRecovered is how many attempts are settled at a time.
const mostRecovered = 20_000

// recoverAttempts makes rows and cursors of the sessions that runs which have ended
// were about to ask banks for, and of which nothing is known.
func (n *nightly) recoverAttempts(ctx context.Context) error {
	n.recovered = map[string]cursors.Cursor{}
	var found []*noted.Ticket
	err := n.w.AttemptsLeft(ctx, func(tickets []*noted.Ticket) error {
		if found = append(found, tickets...); len(found) < mostRecovered {
			return nil
		}
		all := found
		found = nil
		return n.recoverSome(ctx, all)
	})
	if err == nil {
		err = n.recoverSome(ctx, found)
	}
	if err != nil {
		return n.sinkError(ctx, err)
	}
	if len(n.recovered) == 0 {
		return nil
	}
	n.log.WarnContext(ctx, "a run has ended while it asked banks for fresh data: what came of that is not known", "users", len(n.recovered))
	return n.commit(ctx)
}

// recoverSome settles attempts user by user, as cursors are read.
func (n *nightly) recoverSome(ctx context.Context, found []*noted.Ticket) error {
	byUser := map[string][]*noted.Ticket{}
	for _, t := range found {
		byUser[t.UserID] = append(byUser[t.UserID], t)
	}
	for b, ids := range byBucket(maps.Keys(byUser)) {
		known := newStepper(n.w.EachUser(ctx, b), func(u sink.UserCursors) string { return u.UserID })
		for _, id := range ids {
			c, err := known.of(id)
			if err == nil {
				err = n.recoverUser(ctx, newUser(id, nil, c.Cursors), byUser[id])
			}
			if err != nil {
				known.stop()
				return fmt.Errorf("settle noted attempts: %w", err)
			}
		}
		known.stop()
	}
	return nil
}

func (n *nightly) recoverUser(ctx context.Context, u *user, tickets []*noted.Ticket) error {
	if c, ok := n.recovered[u.ID]; ok {
		u.Cursors[config.StreamSyncSessions], u.LastWritten = c, c.ExtractedAt
	}
	memory, rowsLost := n.recall(u), u.Cursor(config.StreamSyncSessions).Erased
	slices.SortStableFunc(tickets, func(a, b *noted.Ticket) int { return a.At.Compare(b.At) })
	now := n.o.Now()
	logins := make([]string, len(tickets)) // sealed, the same one is another each time
	for i, t := range tickets {
		logins[i] = n.reader.Veil.OpenLogin(u.ID, t.LoginID)
	}
	var rows []table.Row
	for i, t := range tickets {
		login := logins[i]
		last := memory[login]
		row := &table.SyncSession{
			UserID: u.ID, BankLoginID: login, Outcome: string(finoos.Unknown), Message: "the run ended before an answer came", RequestedAt: t.At,
		}
		switch knows := last.Knows(t.At, now); {
		case knows && !rowsLost:
			continue
		case knows:
			row.Message = "the commit of this session was taken back"
			if !slices.Contains(logins[i+1:], login) { // what is remembered is of this session
				row.Outcome, row.FinishedAt = string(last.Outcome), last.At
			}
		default:
			memory[login] = banksync.RememberAttempt(&n.job.Sync, last, t.At, now)
		}
		row.Meta = table.Meta{Op: table.Upsert, ExtractedAt: u.ExtractedAt(config.StreamSyncSessions, now)}
		u.LastWritten = row.ExtractedAt
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		for _, t := range tickets {
			n.w.Attempts().Drop(t)
		}
		return nil
	}
	if err := n.addSessions(ctx, u, memory, rows, u.LastWritten, tickets); err != nil {
		return err
	}
	n.recovered[u.ID] = u.Cursors[config.StreamSyncSessions]
	return nil
}

// readAddresses reads the users' own addresses, where there is a file of them.
func (s *session) readAddresses(context.Context) (err error) {
	if s.job.Sync.When == config.SyncNever || s.job.Sync.UserIPs == "" {
		return nil
	}
	var keep func(string) bool
	if s.o.Shard.Count > 1 {
		keep = func(userID string) bool { return s.o.Shard.Owns(cursors.BucketOf(userID)) }
	}
	if s.addresses, err = banksync.ReadAddresses(s.job.Sync.UserIPs, keep); err != nil {
		return &StopError{Reason: ReasonConfig, Err: err}
	}
	return nil
}

// addressOf is what a user's bank is told as the user's address, not valid where there
// is none.
func (s *session) addressOf(u *user) netip.Addr {
	if s.addresses == nil {
		return s.job.Sync.UserIP
	}
	return s.addresses.Of(u.ID)
}

// lacksAddress counts a user for whom a session is due and cannot be asked for.
func (n *nightly) lacksAddress(ctx context.Context, u *user) {
	if u.noAddress {
		return // for another login
	}
	u.noAddress = true
	n.tally.update(func(rep *report.Report) { rep.NoAddress++ })
	if n.saidNoAddress.CompareAndSwap(false, true) {
		n.log.WarnContext(ctx, "users without an address in sync.user_ips get no bank synchronisation; the report counts them (no_address)", "first", u.ID)
	}
}
