package jobs

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// settling is a user's wait for the analysis that its sync sessions started.
// Times are real time.
type settling struct {
	began    time.Time
	deadline time.Time
	wait     time.Duration
	before   map[finoos.Service]finoos.Correlation // read before the first session
	named    map[string]bool                       // the analyses that the sessions named
	open     map[finoos.Service]bool               // services that have not shown one of these
}

const (
	firstPoll   = 2 * time.Second
	slowestPoll = time.Minute
)

// startSettling begins the wait, or lets it know of one more session.
func (u *user) startSettling(services []finoos.Service, correlationID string, timeout time.Duration) {
	if u.settle == nil {
		u.settle = &settling{
			began: time.Now(), deadline: time.Now().Add(timeout), wait: firstPoll,
			before: map[finoos.Service]finoos.Correlation{}, named: map[string]bool{}, open: map[finoos.Service]bool{},
		}
		for _, service := range services {
			p, asked := u.probes[service]
			before := p.correlation
			if !asked || p.err != nil {
				before = u.lastCorrelation(service)
			}
			u.settle.before[service] = before
			u.settle.open[service] = true
		}
	}
	if correlationID != "" {
		u.settle.named[correlationID] = true
	}
}

// lastCorrelation is the newest of a service that an earlier run has pulled.
func (u *user) lastCorrelation(service finoos.Service) (last finoos.Correlation) {
	for s, c := range u.Cursors {
		if of, ok := config.ServiceOf(s); ok && of == service && !c.CorrelationAt.Before(last.At) && c.CorrelationID != "" {
			last = finoos.Correlation{ID: c.CorrelationID, At: c.CorrelationAt}
		}
	}
	return last
}

// next is how long to wait until the next look, longer each time, and not
// beyond the deadline.
func (s *settling) next() time.Duration {
	wait := min(s.wait, time.Until(s.deadline))
	s.wait = min(s.wait*8/5, slowestPoll)
	return max(wait, 0)
}

// done says whether a correlation is the analysis that is waited for.
func (s *settling) done(service finoos.Service, c finoos.Correlation) bool {
	return c.ID != "" && (s.named[c.ID] || c.ID != s.before[service].ID)
}

// countProbe lets a failure count before the pull that would say it: many may
// settle at the same time.
func (n *nightly) countProbe(ctx context.Context, u *user, service finoos.Service, cause error) {
	n.health.failed(ctx, apiPart{service: service}, u.ID, cause, !u.failedBefore())
}

// pollAnalysis asks a settling user once for the correlation of each service that has not
// finished. When none is left, or the time is up, the user no longer settles:
// what was read last is what it is pulled by.
func (n *nightly) pollAnalysis(ctx context.Context, u *user) error {
	s := u.settle
	if s == nil {
		return nil
	}
	defer func() {
		if u.settle == nil {
			n.tally.took(report.StageSettle, u.ID, time.Since(s.began))
		}
	}()
	for _, service := range u.services {
		if !s.open[service] {
			continue
		}
		if n.health.isDown(apiPart{service: service}) {
			delete(s.open, service) // what needs it is passed over
			delete(u.probes, service)
			continue
		}
		delete(u.probes, service)
		c, err := n.probe(ctx, u, service)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if what, _ := consequenceOf(err); what == endRun {
				return fmt.Errorf("wait for the analysis: %w", err)
			}
			n.countProbe(ctx, u, service, err)
			continue // asked again; if it stays so, the pull says it
		}
		if s.done(service, c) {
			delete(s.open, service)
		}
	}
	if len(s.open) == 0 {
		u.settle = nil
		return nil
	}
	if time.Now().Before(s.deadline) {
		return nil
	}
	u.settle = nil
	n.tally.update(func(rep *report.Report) { rep.Unsettled++ })
	for service := range s.open {
		// An analysis that is still running may hide the one before it.
		if p := u.probes[service]; p.err == nil && p.correlation.ID == "" {
			u.probes[service] = probe{correlation: s.before[service]}
		}
	}
	return nil
}
