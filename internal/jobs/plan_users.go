package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink/cursors"
)

// bucket plans one bucket of users: those of the list and those that are known,
// which are both sorted by id. Of the known ones no more than one is held.
func (p *planner) bucket(ctx context.Context, b int) error {
	listed, err := p.list.held.bucket(b)
	if err != nil {
		return err
	}
	slices.SortFunc(listed, func(a, b *finoos.User) int { return cmp.Compare(a.ID, b.ID) })
	named := len(p.o.Users) > 0
	if named && len(listed) == 0 {
		return nil // nor has a run anything to do there
	}
	for u, err := range p.look.EachUser(ctx, b) {
		if err != nil {
			return p.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
		}
		if err := p.sameUsers(newUser(u.UserID, nil, u.Cursors)); err != nil {
			return err // nor would a run do anything
		}
		for len(listed) > 0 && listed[0].ID < u.UserID {
			p.onList(listed[0], nil)
			listed = listed[1:]
		}
		switch {
		case len(listed) > 0 && listed[0].ID == u.UserID:
			p.onList(listed[0], u.Cursors)
			listed = listed[1:]
		case !named:
			p.offList(newUser(u.UserID, nil, u.Cursors))
		}
		if named && len(listed) == 0 {
			return nil
		}
	}
	for _, l := range listed {
		p.onList(l, nil)
	}
	return nil
}

// onList plans a user of the list, or one who was named.
func (p *planner) onList(l *finoos.User, cursors []cursors.Cursor) {
	p.user(newUser(l.ID, l, cursors))
	if len(p.o.Users) > 0 {
		p.due["user"]++
	}
}

// offList plans a user who is known and not on the list; offline there is none.
func (p *planner) offList(u *user) {
	switch {
	case p.offline:
		p.user(u)
	case p.o.OnlyFailed && !p.hasFailed(u):
	case p.pauses(u.Cursor(config.StreamUsers)):
		p.users.Listed++
		p.users.Quarantined++
	default:
		p.due["user"]++
		p.users.Missing++
		p.user(u)
	}
}

// user plans one user as a run would work on it.
func (p *planner) user(u *user) {
	if p.o.OnlyFailed && !p.hasFailed(u) {
		return
	}
	p.choose(u)
	u.scopes = p.scopesOfUser(u.Listed)
	p.users.Listed++
	if len(u.Cursors) == 0 {
		p.users.New++
	}
	if u.quarantined {
		p.users.Quarantined++
	}
	for s, sp := range p.counts {
		if !slices.Contains(u.streams, s) {
			sp.Quarantined++
		}
	}
	for _, s := range u.streams {
		p.stream(u, s)
	}
	p.probes(u)
	p.banks(u)
}

// stream counts one stream of a user as one that is certainly pulled, or as
// one that may have changed.
func (p *planner) stream(u *user, s config.Stream) {
	c, sp := u.Cursor(s), p.counts[s]
	if _, correlated := config.ServiceOf(s); !correlated {
		sp.Known++
		return
	}
	if !c.PulledAt.IsZero() {
		p.pulled++
		if c.PulledAt.Sub(c.CorrelationAt) < 24*time.Hour {
			p.young++
		}
	}
	switch {
	case c.ErrorClass == pull.MarkNoAnalysis: // most likely still without one
	case p.o.Full, c.Erased, c.PulledAt.IsZero(), c.Failures > 0:
		sp.First++
	case p.refreshDue(c):
		sp.Refreshed++
	default:
		sp.Known++
	}
}

// probes counts the correlations that a user is asked for: each service's, or
// where one is asked first, the others' only if they have to be.
func (p *planner) probes(u *user) {
	c, audit := p.whom(u)
	if u.choice = c; c.One != "" && !audit {
		u.one = c.One
	}
	switch {
	case c.One != "" && !audit:
		p.asks.AskedOne++
		p.due["correlation"]++
		p.maybe += int64(len(u.services) - 1)
		return
	case p.asking.mode != config.ProbeOne:
	case audit:
		p.asks.Audited++
	case c.Owed:
		p.asks.Owed++
	}
	banking, known := u.bankingCursor()
	spared := p.job.Probe == config.ProbeBanking && !p.o.Full && known && banking.CorrelationID != "" &&
		slices.Contains(u.services, finoos.Banking) && !p.asksAll(u)
	for _, service := range u.services {
		_, caughtUp := u.caughtUp(service, banking.CorrelationID)
		if spared && caughtUp && service != finoos.Banking && !p.refreshes(u, service) {
			p.maybe++
			continue
		}
		p.due["correlation"]++
	}
}

// banks counts the reading of a user's logins and the sync sessions that are
// due, by what is remembered of earlier ones.
func (p *planner) banks(u *user) {
	never := p.job.Sync.When == config.SyncNever || p.syncPauses(u)
	switch {
	case never && !slices.Contains(u.streams, config.StreamBankLogins):
		return
	case !p.needsLogins(u) && (u.one == "" || !p.loginsAreBehind(u)):
		p.maybeLogins++
	default:
		p.due["logins"]++
	}
	if never || !p.addressOf(u).IsValid() {
		return // no session without one
	}
	memory := p.recall(u)
	sessions := int64(0)
	for _, last := range memory {
		if banksync.LikelyDue(&p.job.Sync, last, p.o.Now()) {
			sessions++
		}
	}
	if len(memory) == 0 {
		if p.job.Sync.When == config.SyncAlways {
			sessions = 1 // at the least
		}
		if len(u.Cursors) == 0 {
			p.unseen++
		}
	}
	p.sessions += sessions
	if sessions > 0 {
		p.settling++
	}
}
