package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

// listing is the list of the users of a run: it is read, held by bucket of users,
// and counted.
type listing struct {
	*session
	held   userList
	extent listExtent
	here   int64         // users of this shard
	took   time.Duration // the reading
}

func newListing(s *session) *listing {
	return &listing{session: s, held: userList{dir: s.o.Config.Sink.ScratchDir}}
}

// close gives back what the list lies in.
func (l *listing) close() { _ = l.held.close() } // frees memory; nothing is lost by an error

// read pages through the users and keeps this shard's, or takes what shard 0 has
// left for this one. It goes on for as long as new users come.
func (l *listing) read(ctx context.Context) error {
	if l.sharesList() && l.o.Shard.Index != 0 {
		if taken, err := l.takeList(ctx); taken || err != nil {
			if err == nil {
				err = l.tellExtent(ctx, false)
			}
			return err
		}
	}
	if err := l.page(ctx); err != nil {
		return err
	}
	return l.tellExtent(ctx, true)
}

func (l *listing) page(ctx context.Context) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stuck := time.AfterFunc(l.job.ListTimeout, func() {
		cancel(Stopf(ReasonAPI, "the list of users brought nobody new for list_timeout %s", l.job.ListTimeout))
	})
	defer stuck.Stop()
	began := time.Now()
	leave := l.leaveList()
	list := l.client.ListUsers(finoos.ListOptions{Ahead: l.job.Concurrency, Progress: func() {
		stuck.Reset(l.job.ListTimeout)
		leave.show(within)
	}})
	for u, err := range list.All(within) {
		var stop *StopError
		if err != nil && errors.As(context.Cause(within), &stop) {
			return stop
		}
		if err != nil {
			return l.refusedList(err)
		}
		if !l.o.Shard.Owns(cursors.BucketOf(u.ID)) {
			leave.add(within, &u)
			continue
		}
		if err := l.held.add(&u); err != nil {
			return err
		}
	}
	l.extent, l.took = list.Extent(), time.Since(began)
	leave.done(ctx, &l.extent)
	return l.held.complete()
}

// listExtent is what is known of the list of users as a whole, before sharding.
type listExtent = finoos.Extent

// tellExtent puts what is known of the list into the report, and notes what the
// run has to say of it at its end. read says that this shard has read the list
// itself: what one of them says need not be said by all.
func (l *listing) tellExtent(ctx context.Context, read bool) error {
	e := &l.extent
	l.tally.update(func(rep *report.Report) {
		rep.List = &report.List{
			Whole: e.Whole, Reason: e.Reason, Named: e.Named, Pages: e.Pages, Aside: e.Aside, AsideFirst: e.First,
			Seconds: l.took.Seconds(),
		}
	})
	if l.w == nil {
		return nil // a plan has notes
	}
	if e.Named == 0 && l.w.Opened() == 0 && !l.o.AcceptGone { // later it is weighed against the list before
		l.reserve("the list of users names nobody: %s has no users, and a mistyped tenant is a new, empty one to the API; check finoos.tenant and finoos.base_url", l.tenant())
	}
	if !e.Whole {
		l.reserve("the list of users is not whole: %s", e.Reason)
	}
	if read && e.Aside > 0 {
		l.log.WarnContext(ctx, "records of the list of users are no users and were put aside", "records", e.Aside, "places", asideText(e))
	}
	return nil
}

// refusedList says of a list that was refused what that may come from beside the
// credentials, which a token was granted for.
func (s *session) refusedList(err error) error {
	err = fmt.Errorf("list users: %w", err)
	switch class := finoos.ClassOf(err); {
	case s.source().Tenant == "":
	case class == finoos.Auth, class == finoos.Forbidden, class == finoos.NotFound:
		return fmt.Errorf("%w; that may be %s: check finoos.tenant", err, s.tenant())
	}
	return err
}

// tenant names whose users are listed.
func (s *session) tenant() string {
	if t := s.source().Tenant; t != "" {
		return fmt.Sprintf("the tenant %q", t)
	}
	return "the client's default tenant"
}

// asideText says where the first records of the list are that are no users.
func asideText(e *listExtent) string {
	var places []string
	for _, a := range e.First {
		places = append(places, fmt.Sprintf("page %d, record %d: %s", a.Page, a.Record, a.Why))
	}
	if int64(len(places)) < e.Aside {
		places = append(places, "…")
	}
	return strings.Join(places, "; ")
}
