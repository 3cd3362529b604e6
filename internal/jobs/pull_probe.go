package jobs

import (
	"context"
	"slices"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
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
	return s.reader.Veil.HasOtherMask(c) || pull.RefreshDue(s.job, c, s.o.Now())
}

// probe returns the newest finished analysis of a service, zero where there
// is none. It is asked for once a run; settling may have done so already.
func (s *session) probe(ctx context.Context, u *user, service finoos.Service) (finoos.Correlation, error) {
	if p, ok := u.probes[service]; ok {
		return p.correlation, p.err
	}
	if c, ok := s.quietByBanking(ctx, u, service); ok {
		u.probes[service] = probe{correlation: c}
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
