package jobs

import (
	"errors"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// fillStops runs a backfill that must end for a reason.
func (b *bank) fillStops(want Reason, o BackfillOptions) *report.Report {
	b.t.Helper()
	rep, err := Backfill(b.t.Context(), o)
	var stop *StopError
	if !errors.As(err, &stop) || stop.Reason != want || rep == nil {
		b.t.Fatalf("backfill ended with %v, want reason %d", err, want)
	}
	return rep
}

func TestMoreThanMaxGoneAreNotDoneWithByABackfill(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(15), func(b *bank) {
		t := b.t
		o := b.backfillOptions("2026-10-01", few)
		o.Transport = b.elsewhere(func(p string) bool { return strings.HasPrefix(p, "/users/") })
		for range 2 {
			if rep := b.fillStops(ReasonAPI, o); rep.Users.Gone != 0 || rep.Backfill.Finished != nil || len(b.log()) != 0 {
				t.Errorf("%+v, finished %v, %d commits", rep.Users, rep.Backfill.Finished, len(b.log()))
			}
		}
		o.Transport = b.transport
		if rep := b.fill(o); rep.Users.Pulled != 15 || rep.Backfill.Finished == nil {
			t.Errorf("with the right route again: %+v, finished %v", rep.Users, rep.Backfill.Finished)
		}
	})
}

func TestUsersThatAreGoneAreDoneWithAtTheEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.run(few)
		if err := b.Delete(b.UserID(0)); err != nil {
			t.Fatal(err)
		}
		b.Night()
		o := b.backfillOptions("2026-10-01", few)
		o.Users = []string{b.UserID(0), b.UserID(1)}
		if rep := b.fill(o); rep.Users.Gone != 1 || rep.Users.Pulled != 1 || rep.Backfill.Finished == nil {
			t.Errorf("%+v, finished %v", rep.Users, rep.Backfill.Finished)
		}
	})
}

func TestAMistypedUserStopsABackfillBeforeItBegins(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		t := b.t
		o := b.backfillOptions("2026-10-01", few)
		o.Name, o.Users = "some", []string{b.UserID(0), "nosuch"}
		b.fillStops(ReasonConfig, o)
		if d, _, err := sink.FindBackfill(t.Context(), b.store(), "nightly", "some"); d != nil || err != nil || len(b.log()) != 0 {
			t.Errorf("it has begun: %+v, %v, %d commits", d, err, len(b.log()))
		}
		o.Users = o.Users[:1] // the right ids, under the same name
		if rep := b.fill(o); rep.Users.Pulled != 1 || rep.Backfill.Finished == nil {
			t.Errorf("%+v, finished %v", rep.Users, rep.Backfill.Finished)
		}
	})
}

func TestAWrongPathIsNotTakenForTheEndOfFewUsers(t *testing.T) {
	t.Parallel()
	for name, which := range map[string]func(path string) bool{
		"of users":      func(p string) bool { return strings.HasPrefix(p, "/users/") },
		"of everything": func(p string) bool { return !strings.HasSuffix(p, "/auth") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(3), func(b *bank) {
				t := b.t
				b.run(few)
				commits := len(b.log())
				o := b.backfillOptions("2026-10-01", few)
				o.Users = []string{b.UserID(0), b.UserID(1), b.UserID(2)}
				o.Transport = b.elsewhere(which)
				if rep := b.fillStops(ReasonAPI, o); rep.Users.Gone != 0 || rep.Backfill.Finished != nil || len(b.log()) != commits {
					t.Errorf("%+v, finished %v, %d new commits", rep.Users, rep.Backfill.Finished, len(b.log())-commits)
				}
				o.Transport = b.transport
				if rep := b.fill(o); rep.Users.Pulled != 3 || rep.Backfill.Finished == nil {
					t.Errorf("with the right path again: %+v, finished %v", rep.Users, rep.Backfill.Finished)
				}
			})
		})
	}
}

func TestWhoIsGoneIsToldByOthersThoughTheBackfillIsForNobodyElse(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.run(few)
		if err := b.Delete(b.UserID(0)); err != nil {
			t.Fatal(err)
		}
		b.Night()
		o := b.backfillOptions("2026-10-01", few)
		o.Users = []string{b.UserID(0)}
		if rep := b.fill(o); rep.Users.Gone != 1 || rep.Backfill.Finished == nil {
			t.Errorf("%+v, finished %v", rep.Users, rep.Backfill.Finished)
		}
	})
}

// A probe's answer is kept for the user; only who asked for it weighs it.
func TestABackfillWeighsAFailedProbeOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(1), func(b *bank) {
		t := b.t
		f, err := newFilling(b.backfillOptions("2026-10-01"))
		if err != nil {
			t.Fatal(err)
		}
		u := newUser(b.UserID(0), nil, nil)
		u.filled = newFilled(nil)
		for _, s := range f.streams {
			service, _ := config.ServiceOf(s)
			u.probes[service] = probe{err: &finoos.Error{Class: finoos.Server}}
		}
		if err := f.step(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if len(u.retry) != len(f.streams) || f.flow.breaker.inRow != 0 {
			t.Errorf("%d streams failed, which weighs %d, though nothing was asked for", len(u.retry), f.flow.breaker.inRow)
		}
	})
}
