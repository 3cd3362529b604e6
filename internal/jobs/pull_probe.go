package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/probing"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// changed asks whether a stream has to be read: its service's correlation
// against the cursor's, and where that is the same, whether a refresh is due.
// Streams without a service are always read.
func (n *nightly) changed(ctx context.Context, u *user, res *pull.Result) (bool, error) {
	service, ok := config.ServiceOf(res.Stream)
	if !ok {
		return true, nil
	}
	p, err := n.probe(ctx, u, service)
	if err != nil {
		return false, err
	}
	cursor := u.Cursor(res.Stream)
	res.Correlation = p
	switch {
	case p.ID == "":
		if cursor.ErrorClass != pull.MarkNoAnalysis { // it begins tonight: is the user there at all?
			if gone, err := n.isGone(ctx, u); err != nil || gone {
				return false, err
			}
		}
		res.Outcome = pull.NoAnalysis
		return false, nil
	case p.ID == cursor.CorrelationID && !n.o.Full:
		if res.Refresh = n.refreshDue(cursor); !res.Refresh {
			res.Outcome = pull.Unchanged
			return false, nil
		}
	}
	return true, nil
}

// refreshDue says whether a stream has to be read although nothing has changed: its
// rows are masked in another way than they are now, or it was long ago.
func (s *session) refreshDue(c cursors.Cursor) bool {
	return s.reader.Veil.HasOtherMask(c) || s.doubted.InDoubt(c) || pull.RefreshDue(s.job, c, s.o.Now())
}

// probe returns the newest finished analysis of a service, zero where there
// is none. It is asked for once a run; settling may have done so already.
func (s *session) probe(ctx context.Context, u *user, service finoos.Service) (finoos.Correlation, error) {
	if p, ok := u.probes[service]; ok {
		return p.correlation, p.err
	}
	if c, ok := s.quietByBanking(ctx, u, service); ok {
		u.probes[service] = probe{correlation: c, inferred: true}
		return c, nil
	}
	c, err := s.client.Correlation(ctx, u.ID, service)
	if finoos.ClassOf(err) == finoos.NotFound {
		c, err = finoos.Correlation{}, nil
	}
	if err == nil {
		s.health.answered(ctx, apiPart{service: service}, u.ID)
	}
	if ctx.Err() == nil {
		u.probes[service] = probe{correlation: c, err: err}
	}
	return c, err
}

// quietByBanking answers for a service without asking it, where the job
// probes banking only: banking has not moved, the service had caught up with
// it, no stream of it will be read anyway, and the user's instant of the week, at
// which all are asked, is not due.
func (s *session) quietByBanking(ctx context.Context, u *user, service finoos.Service) (finoos.Correlation, bool) {
	if s.job.Probe != config.ProbeBanking || service == finoos.Banking || s.o.Full || !slices.Contains(u.services, finoos.Banking) {
		return finoos.Correlation{}, false
	}
	if s.asksAll(u) || s.refreshes(u, service) {
		return finoos.Correlation{}, false
	}
	known, ok := u.bankingCursor()
	if !ok || known.CorrelationID == "" || s.health.isDown(apiPart{service: finoos.Banking}) {
		return finoos.Correlation{}, false
	}
	banking, err := s.probe(ctx, u, finoos.Banking)
	if err != nil || banking.ID != known.CorrelationID {
		return finoos.Correlation{}, false
	}
	return u.caughtUp(service, banking.ID)
}

// asksAll says whether all services of the user are asked: once a week, at an
// instant of the user's own. It is due in the first run after it, on whatever days
// there are runs; where no run is known to have reached the user, in this one.
func (s *session) asksAll(u *user) bool {
	return pull.Due(u.ID, week, s.lastWhole(u.ID), s.o.Now())
}

// refreshes says whether a stream of a service has to be read, moved or not. Then
// the service is asked: what is read must not be told to be of an older analysis.
func (s *session) refreshes(u *user, service finoos.Service) bool {
	return slices.ContainsFunc(u.streams, func(stream config.Stream) bool {
		of, ok := config.ServiceOf(stream)
		return ok && of == service && s.refreshDue(u.Cursor(stream))
	})
}

// caughtUp is the analysis that a service's stream was last pulled from, if
// that is the given one. A stream that has failed since has not caught up.
func (u *user) caughtUp(service finoos.Service, correlationID string) (finoos.Correlation, bool) {
	for s, c := range u.Cursors {
		if of, ok := config.ServiceOf(s); ok && of == service && c.Failures > 0 {
			return finoos.Correlation{}, false
		}
	}
	for s, c := range u.Cursors {
		if of, ok := config.ServiceOf(s); ok && of == service && c.CorrelationID == correlationID {
			return finoos.Correlation{ID: c.CorrelationID, At: c.CorrelationAt}, true
		}
	}
	return finoos.Correlation{}, false
}

func (u *user) bankingCursor() (cursors.Cursor, bool) {
	for _, s := range []config.Stream{config.StreamTransactions, config.StreamAccounts} {
		if c, ok := u.Cursors[s]; ok {
			return c, true
		}
	}
	return cursors.Cursor{}, false
}

// asking is how the users of a run are asked whether they have anything new.
type asking struct {
	mode, why string
	all       bool // it is looked at for every user whether one service would mislead
	proving   bool // it is looked at for the first users of the run
	tried     atomic.Int64
	counts    probeCounts
}

// tries says that a user is one of the first, by whom the run sees whether one service
// tells of the others.
func (a *asking) tries() bool { return a.proving && a.tried.Add(1) <= probing.Trial }

// isRefuted says that among these one service has hidden what another had: the run asks
// for all services of everybody else, too.
func (a *asking) isRefuted() bool {
	return a.proving && probing.Refuted(a.counts.moved.Load(), a.counts.misled.Load())
}

// probeCounts count what the job remembers of a run for it.
type probeCounts struct{ users, equal, audited, moved, misled atomic.Int64 }

// recallProbes finds out how users are asked. State that cannot be had costs requests,
// and no run.
func (s *session) recallProbes(ctx context.Context) {
	p, err := ProbeOf(ctx, s.store, s.o.Job, s.job, s.o.Now())
	if err != nil {
		s.log.WarnContext(ctx, "it is not known whether one service tells of the others: all are asked", "error", err)
	}
	s.asking.mode, s.asking.why, s.asking.proving = p.Mode, p.Why, p.Proving
	configured := s.job.Probe == config.ProbeOne || s.job.Probe == config.ProbeAuto
	s.asking.all = configured && s.asking.mode == config.ProbeEach && len(s.services) > 1
	if !s.asksByNeed() {
		p = report.Probe{Mode: config.ProbeEach, Why: "a run for some users, or in full, asks for everything"}
	}
	s.tally.update(func(rep *report.Report) { rep.Probe = &p })
}

// ProbeOf is how the next run of a job asks its users, and why, told from its state.
// With an error, it is as if nothing were remembered.
func ProbeOf(ctx context.Context, store bucket.Store, name string, job *config.Job, now time.Time) (report.Probe, error) {
	body, err := sink.ReadState(ctx, store, name, stateProbe)
	var memory probing.Memory
	if err == nil {
		memory, err = probing.Recall(body)
	}
	memory.Sane(now)
	p := memory.Mode(job.Probe, config.ServicesOf(config.PullOrder(job)))
	if err != nil && p.Mode == config.ProbeOne {
		p = report.Probe{Mode: config.ProbeEach, Why: "what earlier runs have found cannot be read"}
	}
	return p, err
}

// asksByNeed says that users are asked of what may have changed: in a run over all, and
// not in full.
func (s *session) asksByNeed() bool { return s.overAll() && !s.o.Full }

// rememberProbes adds to what the next runs decide by.
func (n *nightly) rememberProbes(ctx context.Context, rep *report.Report, at stamp) error {
	c := &n.asking.counts
	if c.users.Load()+c.audited.Load() == 0 {
		return nil
	}
	run := probing.Run{
		Seq: at.Seq, Began: at.Began, Group: rep.RunGroup, Shards: rep.Shards, Whole: rep.CameThrough(), Users: c.users.Load(), Equal: c.equal.Load(),
		Audited: c.audited.Load(), Moved: c.moved.Load(), Misled: c.misled.Load(), All: n.asking.all,
	}
	return n.w.UpdateState(ctx, stateProbe, func(old []byte) ([]byte, error) {
		memory, err := probing.Recall(old)
		if err != nil {
			memory = probing.Memory{Runs: map[string]probing.Run{}}
		}
		memory.Add(n.id, run, n.services, n.o.Now())
		return json.Marshal(memory)
	})
}

// known is what decides of which services a user is asked.
func (s *session) known(u *user) *probing.User {
	return &probing.User{
		Streams: u.streams, Cursors: u.Cursors, Refresh: s.refreshDue,
		Asks: func(stream config.Stream) bool { return s.asksAll(u) || u.scopes.haveChanged(u.Cursor(stream)) },
		Down: func(service finoos.Service) bool { return s.health.isDown(apiPart{service: service}) },
	}
}

// whom decides of which services a user is asked, by what the lake knows. audit says
// that all are asked to see whether one would have misled; without it, Choice.One is
// the only one.
func (s *session) whom(u *user) (c probing.Choice, audit bool) {
	if s.asking.mode != config.ProbeOne && !s.asking.all || !s.asksByNeed() {
		return probing.Choice{}, false
	}
	c = probing.Choose(s.known(u))
	if c.One != "" && s.bankIsDue(u) {
		return probing.Choice{Known: c.Known, Owed: true}, false
	}
	return c, c.One != "" && (s.asking.all || pull.Due(u.ID, probing.AuditEvery, s.lastWhole(u.ID), s.o.Now()) || s.asking.tries() || s.asking.isRefuted())
}

// decideWhom decides of which services a user is asked who is about to be pulled.
func (n *nightly) decideWhom(u *user) {
	u.choice, u.audited = n.whom(u)
	if u.choice.One != "" && !u.audited {
		u.one = u.choice.One
	}
	if n.asking.mode == config.ProbeOne {
		n.tally.update(func(rep *report.Report) {
			switch {
			case u.one != "":
				rep.Probe.AskedOne++
			case u.choice.Owed:
				rep.Probe.Owed++
			}
		})
	}
}

// isQuiet asks the one service of a user, and says whether it shows what is known of it:
// then there is nothing new in the others either.
func (n *nightly) isQuiet(ctx context.Context, u *user) bool {
	if u.one == "" {
		return false
	}
	if _, asked := u.probes[u.one]; !asked && n.health.isDown(apiPart{service: u.one}) {
		u.one = "" // since it was chosen: all are asked, but it
		return false
	}
	c, err := n.probe(ctx, u, u.one)
	if err != nil || c.ID != u.choice.Known[u.one].ID {
		return false
	}
	for service, p := range u.probes { // a session may have asked others
		if known, ok := u.choice.Known[service]; ok && p.err == nil && p.correlation.ID != known.ID {
			return false
		}
	}
	return true
}

// isSpared says that a stream of a user is not asked for: the one service that is has
// not moved, or the user's logins are not due. It is recorded neither as unchanged nor
// as a success.
func (n *nightly) isSpared(ctx context.Context, u *user, s config.Stream) bool {
	service, ok := config.ServiceOf(s)
	switch {
	case s == config.StreamBankLogins:
		if n.looksAtLogins(ctx, u) {
			return false
		}
	case !ok || service == u.one || !n.isQuiet(ctx, u):
		return false
	default:
		n.health.couldAsk(apiPart{service: service}, u.ID, func() bool { return false })
	}
	n.health.couldAsk(dataOf(s), u.ID, func() bool { return !n.reader.RemembersNothing(u.Cursor(s)) })
	return true
}

// noteProbes takes in, when a user has had its turn, what its services have shown.
func (n *nightly) noteProbes(ctx context.Context, u *user) error {
	if u.gone || u.again || !u.begun || !n.overAll() {
		return nil
	}
	var moved []cursors.Cursor
	_ = n.guarded(ctx, "after the streams", func() error { moved = n.drawFromProbes(u); return nil }) // the log has it
	return n.addCursors(ctx, moved)
}

// drawFromProbes counts what the services of a user have shown, and returns the cursors
// that are to remember it.
func (n *nightly) drawFromProbes(u *user) (moved []cursors.Cursor) {
	known := n.known(u)
	if equal, ok := known.Equal(); ok {
		n.asking.counts.users.Add(1)
		if equal {
			n.asking.counts.equal.Add(1)
		}
	}
	shown := u.asked()
	if u.audited {
		n.noteAudit(u, shown)
	}
	if n.asking.mode == config.ProbeOne && u.one == "" {
		if state, waived := probing.Waive(known, shown, n.o.Now()); waived {
			n.tally.update(func(rep *report.Report) { rep.Probe.Waived++ })
			c := u.Cursor(config.StreamProbe)
			c.State, c.ExtractedAt = state, u.ExtractedAt(config.StreamProbe, n.o.Now())
			moved = append(moved, c)
		}
	}
	if c, looked := n.lookedAt(u); looked {
		moved = append(moved, c)
	}
	return moved
}

// noteAudit counts a user of whom all services were asked.
func (n *nightly) noteAudit(u *user, shown map[finoos.Service]finoos.Correlation) {
	misled, audited := u.choice.Misled(shown, n.o.Now())
	if !audited {
		return
	}
	n.asking.counts.audited.Add(1)
	switch {
	case misled:
		n.asking.counts.misled.Add(1)
	case u.choice.Told(shown):
		n.asking.counts.moved.Add(1)
	}
	n.tally.update(func(rep *report.Report) {
		rep.Probe.Audited++
		if misled {
			rep.Probe.Misled++
		}
	})
}

// lookAtLogins is whether a user's logins are read in this run, and what that showed.
type lookAtLogins struct {
	decided, read bool
	of            string // the analysis of banking that was shown before they were read
	asked         bool   // a session was asked for
	seen          map[string]*banksync.Seen
}

// looksAtLogins says whether the logins of a user are read. It is decided once.
func (n *nightly) looksAtLogins(ctx context.Context, u *user) bool {
	if !u.logins.decided && !u.logins.read {
		n.askBankingFirst(ctx, u)
		u.logins.of = n.bankingShown(u)
		u.logins.read, u.logins.decided = n.needsLogins(u) || n.bankHasMoved(ctx, u), ctx.Err() == nil
		u.logins.of = cmp.Or(u.logins.of, n.bankingShown(u))
	}
	return u.logins.read
}

// needsLogins says that the logins of a user are to be read whatever its banking shows:
// they are not known, their bank is to be asked for fresh data, or a week has passed.
func (s *session) needsLogins(u *user) bool {
	if s.job.BankLogins == config.LoginsEach || !s.asksByNeed() || u.again || !slices.Contains(u.services, finoos.Banking) {
		return true
	}
	c := u.Cursor(config.StreamBankLogins)
	if s.has(config.StreamBankLogins) && (c.Failures > 0 || c.ErrorClass != "" || c.Erased || s.reader.MustBeFull(c)) {
		return true
	}
	known := u.Cursor(config.StreamSyncSessions)
	if known.CorrelationID == "" {
		return true
	}
	return s.job.Sync.When != config.SyncNever && !s.loginsKnown(u) || s.bankIsDue(u) || s.asksAll(u)
}

// loginsKnown says that what the logins of a user were like is remembered.
func (s *session) loginsKnown(u *user) bool {
	return s.keepsSeen() && len(u.Cursor(config.StreamSyncSessions).State) > 0 && s.recall(u).AllSeen()
}

// bankIsDue says that a user's bank is to be asked for fresh data, or a login to be told
// that waits for its user, by what the logins were like.
func (s *session) bankIsDue(u *user) bool {
	if s.job.Sync.When == config.SyncNever || s.syncPauses(u) {
		return false
	}
	switch s.recall(u).Due(&s.job.Sync, s.o.Now()) {
	case banksync.Ask:
		return s.addressOf(u).IsValid()
	case banksync.NoteSCA:
		return true
	default:
		return false
	}
}

// bankHasMoved says whether banking shows another analysis than that at which the logins
// were read last. Where it cannot be had, it may have: the logins are answered by
// themselves.
func (n *nightly) bankHasMoved(ctx context.Context, u *user) bool {
	if n.isQuiet(ctx, u) {
		return n.loginsAreBehind(u)
	}
	if n.health.isDown(apiPart{service: finoos.Banking}) {
		return true
	}
	c, err := n.probe(ctx, u, finoos.Banking)
	return err != nil || c.ID != u.Cursor(config.StreamSyncSessions).CorrelationID
}

// loginsAreBehind says that the logins of a user were not read since its banking was
// pulled, as when a run was killed between the two.
func (s *session) loginsAreBehind(u *user) bool {
	banking, known := u.choice.Known[finoos.Banking]
	return known && banking.ID != u.Cursor(config.StreamSyncSessions).CorrelationID
}

// askBankingFirst asks for the analysis that the logins will be of, where it is asked for
// anyway: what comes between the two shows as a newer one next time.
func (n *nightly) askBankingFirst(ctx context.Context, u *user) {
	if !slices.Contains(u.services, finoos.Banking) || n.isQuiet(ctx, u) || n.health.isDown(apiPart{service: finoos.Banking}) {
		return
	}
	_, _ = n.probe(ctx, u, finoos.Banking) // its own streams say what came of it
}

// lookedAt is the cursor that remembers what a user's logins are like, once they have
// been read, and of which analysis of banking they were.
func (n *nightly) lookedAt(u *user) (c cursors.Cursor, moved bool) {
	banking := u.logins.of
	logins := u.Cursor(config.StreamBankLogins)
	if n.job.BankLogins == config.LoginsEach || !u.logins.read || banking == "" || n.has(config.StreamBankLogins) && (logins.Failures > 0 || logins.ErrorClass != "" || logins.PulledAt.IsZero()) {
		return c, false
	}
	if slices.ContainsFunc(u.parts, func(p heldPart) bool { return p.stream == config.StreamBankLogins }) {
		return c, false
	}
	c = u.Cursor(config.StreamSyncSessions)
	if n.job.Sync.When != config.SyncNever && !n.syncPauses(u) {
		if u.logins.seen == nil {
			return c, false // they could not be read
		}
		memory := n.recall(u)
		if n.keepsSeen() && memory.See(u.logins.seen) || len(c.State) == 0 {
			state, err := json.Marshal(n.sealed(u, memory))
			if err != nil {
				return c, false
			}
			c.State, moved = state, true
		}
	}
	if c.CorrelationID == banking && !moved {
		return c, false
	}
	c.CorrelationID, c.ExtractedAt = banking, u.ExtractedAt(config.StreamSyncSessions, n.o.Now())
	return c, true
}

// bankingShown is the analysis of banking that this run has seen, or that holds since
// the one service has not moved; empty where it could not be had.
func (n *nightly) bankingShown(u *user) string {
	if p, asked := u.probes[finoos.Banking]; asked {
		return p.correlation.ID
	}
	if u.one != "" && u.probes[u.one].correlation.ID == u.choice.Known[u.one].ID {
		return u.choice.Known[finoos.Banking].ID
	}
	return ""
}
