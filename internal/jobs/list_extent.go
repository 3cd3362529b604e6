package jobs

import (
	"context"
	"fmt"
	"strings"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/report"
)

// listExtent is what is known of the list of users as a whole, before sharding.
type listExtent = finoos.Extent

// tellExtent puts what is known of the list into the report, and notes what the
// run has to say of it at its end. read says that this shard has read the list
// itself: what one of them says need not be said by all.
func (l *listing) tellExtent(ctx context.Context, read bool) error {
	e := &l.extent
	l.tally.update(func(rep *report.Report) {
		rep.List = &report.List{
			Whole: e.Whole, Reason: e.Reason, Named: e.Named, Pages: e.Pages, Aside: e.Aside, AsideFirst: e.First, Unreadable: e.Unreadable,
			Seconds: l.took.Seconds(),
		}
	})
	if l.w == nil {
		return nil // a plan has notes
	}
	if e.Named == 0 && !l.o.AcceptGone {
		strange, err := l.strangelyEmpty(ctx)
		if err != nil {
			return err
		}
		if strange {
			l.reserve("the list of users names nobody: %s has no users, and a mistyped tenant is a new, empty one to the API; check finoos.tenant and finoos.base_url", l.tenant())
		}
	}
	if !e.Whole {
		l.reserve("the list of users is not whole: %s", e.Reason)
	}
	if read && e.Aside > 0 {
		l.reserve("%s", asideText(e))
	}
	return nil
}

// strangelyEmpty reports whether a list without anybody is one to wonder at: the
// first that was ever read, or that of a job which knows users.
func (l *listing) strangelyEmpty(ctx context.Context) (bool, error) {
	if l.w.Opened() == 0 {
		return true, nil
	}
	for _, err := range l.w.Users(ctx) {
		if err != nil {
			return false, l.sinkError(ctx, fmt.Errorf("read known users: %w", err))
		}
		return true, nil
	}
	return false, nil
}

// tenant names whose users are listed.
func (s *session) tenant() string {
	if t := s.source().Tenant; t != "" {
		return fmt.Sprintf("the tenant %q", t)
	}
	return "the client's default tenant"
}

// asideText says which records of the list are no users.
func asideText(e *listExtent) string {
	var places []string
	for _, a := range e.First {
		places = append(places, fmt.Sprintf("page %d, record %d: %s", a.Page, a.Record, a.Why))
	}
	if int64(len(places)) < e.Aside {
		places = append(places, "…")
	}
	return fmt.Sprintf("%d records of the list of users are no users and were put aside (%s)", e.Aside, strings.Join(places, "; "))
}
