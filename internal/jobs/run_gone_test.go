package jobs

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/report"
)

// elsewhere sends requests to a tenant where nobody is, as a mistyped one.
func (b *bank) elsewhere(which func(path string) bool) http.RoundTripper {
	return via{nil, func(r *http.Request) (*http.Response, error) {
		if which(r.URL.Path) {
			r = r.Clone(r.Context())
			r.Header.Set("Tenantid", "typo")
		}
		return b.Transport().RoundTrip(r)
	}}
}

const few = "streams: [users, contracts]"

func TestMoreThanMaxGoneIsTakenForAMistake(t *testing.T) {
	t.Parallel()
	for name, which := range map[string]func(string) bool{
		"when the list is empty":                  func(p string) bool { return !strings.HasSuffix(p, "/auth") },
		"when the users vanish while being read":  func(p string) bool { return strings.HasPrefix(p, "/users/") },
		"when nothing is left of the list but it": func(p string) bool { return strings.HasPrefix(p, "/users") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(15), func(b *bank) {
				t := b.t
				b.run(few)
				before, commits := b.cursors(), len(b.log())
				b.Night()
				healthy := b.transport
				b.transport = b.elsewhere(which)
				rep, _ := b.stops(t.Context(), ReasonAPI, b.options(b.config(few)))
				if rep.Users.Gone != 0 || len(b.log()) != commits {
					t.Errorf("%+v, %d new commits", rep.Users, len(b.log())-commits)
				}
				if diff := cmp.Diff(before, b.cursors()); diff != "" {
					t.Errorf("cursors: %s", diff)
				}
				b.transport = healthy
				if rep := b.run(few); rep.Users.Unchanged != 15 {
					t.Errorf("with the right tenant again: %+v", rep.Users)
				}
			})
		})
	}
}

func TestTenUsersMayBeGoneHoweverFewAreKnown(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(15), func(b *bank) {
		t := b.t
		b.run()
		for u := range 10 {
			if err := b.Delete(b.UserID(u)); err != nil {
				t.Fatal(err)
			}
		}
		b.Night()
		rep := b.run()
		if want := (report.UserCounts{Listed: 15, Unchanged: 5, Gone: 10}); rep.Users != want {
			t.Errorf("%+v, want %+v", rep.Users, want)
		}
		if c := b.changes(rep); c["users"].Deletes != 10 || c["pulls"].Upserts != 10 || len(c) != 2 {
			t.Errorf("%+v", c)
		}
		if n := len(b.cursors()); n != 5 {
			t.Errorf("%d users are known", n)
		}
		commits := len(b.log())
		b.Night()
		if b.run(); len(b.log()) != commits || b.Counts()["user"] != 0 {
			t.Error("they are gone more than once")
		}
	})
}

func TestAnEmptyListOfUsersChangesNothingAndIsSaid(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.transport = b.elsewhere(func(string) bool { return true })
		if rep, _ := b.stops(t.Context(), ReasonPartial, b.options(b.config())); rep.Users != (report.UserCounts{}) || rep.Commits != 0 {
			t.Errorf("%+v, %d commits", rep.Users, rep.Commits)
		}
	})
}

func TestAUserWhoReturnsIsPulledInFull(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		first := b.run("streams: [users, contracts, account_history]")
		healthy := b.transport
		b.transport = b.elsewhere(func(p string) bool { return strings.HasPrefix(p, "/users/") })
		o := b.options(b.config("streams: [users, contracts, account_history]"))
		if rep, err := b.try(t.Context(), o); err != nil || rep.Users.Gone != 3 {
			t.Fatalf("%v, %+v", err, rep.Users)
		}
		b.transport = healthy
		b.Night()
		again := b.run("streams: [users, contracts, account_history]")
		if diff := cmp.Diff(first.Streams, again.Streams); diff != "" {
			t.Errorf("pulled on return (-first +again): %s", diff)
		}
	})
}

func TestUsersThatTheListLosesWhileItIsReadAreAskedForOneByOne(t *testing.T) {
	t.Parallel()
	o := banktest.Still(12)
	o.PageSize = 4
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.run()
		b.misbehave(sandbox.Faults{Shift: sandbox.ShiftRemove})
		b.Night()
		if rep := b.run(); rep.Users.Unchanged != 12 || b.Counts()["user"] == 0 || rep.Commits != 0 {
			t.Errorf("%+v, %v", rep.Users, b.Counts())
		}
	})
}
