package jobs

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/parquet/parquettest"
)

func TestOneListThatIsRightBeginsTheSevenDaysAnew(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(20)...)
		b.run(few)
		for night := 1; night <= 12; night++ {
			b.Night()
			if night == 6 {
				at.are(upTo(20)...)
				b.run(few)
				continue
			}
			at.are(upTo(9)...)
			if rep := b.inPart(few); rep.Users.Gone != 0 || b.marks() != 0 {
				t.Errorf("night %d: %+v", night, rep.Users)
			}
		}
	})
}

func TestAnEmptyListIsNeverBelievedButByHand(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t, at := b.t, newTown(b)
		b.inPart(few) // nor on a first run: a mistyped tenant is like that
		at.are(upTo(3)...)
		b.run(few)
		at.are()
		for range 9 {
			b.Night()
			b.inPart(few)
		}
		o := b.options(b.config(few))
		o.AcceptGone = true
		if rep, err := b.try(t.Context(), o); err != nil || rep.Users.Gone != 3 {
			t.Errorf("accepted: %v, %+v", err, rep.Users)
		}
		b.Night()
		if rep := b.run(few); rep.Users.Listed != 0 {
			t.Errorf("accepted before: %+v", rep.Users)
		}
	})
}

func TestOfAHandfulOfUsersOneMayGo(t *testing.T) {
	t.Parallel()
	for _, users := range []int{2, 3} {
		t.Run(strconv.Itoa(users), func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(users), func(b *bank) {
				t, at := b.t, newTown(b)
				at.are(upTo(users)...)
				b.run(few)
				b.Night()
				at.are(upTo(users - 1)...)
				if rep := b.run(few); rep.Users.Gone != 1 || rep.Users.Unchanged != int64(users-1) {
					t.Errorf("%+v", rep.Users)
				}
			})
		})
	}
}

func TestShardsJudgeByTheListOfAll(t *testing.T) {
	t.Parallel()
	const nights, stay, come, shards = 4, 30, 10, 3
	inBubble(t, banktest.Still(stay+nights*come), func(b *bank) {
		t, at := b.t, newTown(b)
		night := func(group string, want Reason) (sum report.UserCounts) {
			for i := range shards {
				o := b.options(b.config(few))
				o.Shard, o.RunGroup = cursors.Shard{Index: i, Count: shards}, group
				rep, err := b.try(t.Context(), o)
				if reason, told := ReasonOf(err); told && reason != want || !told && want != 0 {
					t.Errorf("%s, shard %d: %v", group, i, err)
				}
				sum.Pulled += rep.Users.Pulled
				sum.Gone += rep.Users.Gone
			}
			b.Night()
			return sum
		}
		var gone int64
		for n := range nights {
			at.are(append(upTo(stay), between(stay+n*come, stay+(n+1)*come)...)...)
			gone += night(fmt.Sprint("night-", n), 0).Gone
		}
		at.are()
		if got := night("empty", ReasonPartial); got.Gone != 0 {
			t.Errorf("gone by an empty list: %+v", got)
		}
		at.are(append(upTo(stay), 0)...)
		gone += night("back", 0).Gone + night("again", 0).Gone
		if b.landed(upTo(stay + nights*come)); gone != nights*come {
			t.Errorf("%d are gone", gone)
		}
	})
}

func TestListedUsersWhoseOwnPathsAllFailAreNotGone(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(15), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(15)...)
		b.run(few)
		at.shut = func(path string) *http.Response {
			if strings.HasPrefix(path, "/users/") {
				return answerOf(nil, http.StatusNotFound, `{}`)
			}
			return nil
		}
		before := b.cursors()
		b.Night()
		rep := b.inPart("streams: [users, contracts, bank_logins]")
		if rep.Users.Gone != 0 || rep.Users.Missing != 15 {
			t.Errorf("%+v", rep.Users)
		}
		if diff := cmp.Diff(before, b.cursors()); diff != "" {
			t.Errorf("cursors: %s", diff)
		}
	})
}

func TestAListedUserWhoseOwnPathStaysMissingFails(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(15), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(15)...)
		b.run("streams: [bank_logins]")
		lost := "/users/" + b.UserID(4)
		at.shut = func(path string) *http.Response {
			if strings.HasPrefix(path, lost) {
				return answerOf(nil, http.StatusNotFound, `{}`)
			}
			return nil
		}
		b.Night()
		if rep := b.run("streams: [bank_logins]"); rep.Users.Missing != 1 || b.marks() != 1 {
			t.Errorf("first: %+v", rep.Users)
		}
		b.Night()
		if rep := b.run("streams: [bank_logins]", lenient); rep.Users.Failed != 1 || rep.Users.Gone != 0 || rep.Failures[0].Class != "not_found" {
			t.Errorf("then: %+v", rep.Users)
		}
	})
}

func TestRunsForNamedUsersOnlyMark(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(5)...)
		b.run("streams: [contracts]")
		at.are(upTo(4)...)
		for range 3 {
			b.Night()
			o := b.options(b.config("streams: [contracts]"))
			o.Users = []string{b.UserID(3), b.UserID(4)}
			if rep, err := b.try(t.Context(), o); err != nil || rep.Users.Missing != 1 || rep.Users.Unchanged != 1 || b.marks() != 1 {
				t.Errorf("%v, %+v, %d marks", err, rep.Users, b.marks())
			}
		}
		b.Night()
		if rep := b.run(few); rep.Users.Gone != 1 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestAnOwnPathThatIsForbiddenIsNotGone(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(5)...)
		b.run(few)
		at.hidden[b.UserID(2)] = true
		at.shut = func(path string) *http.Response {
			if path == "/users/"+b.UserID(2) {
				return answerOf(nil, http.StatusForbidden, `{}`)
			}
			return nil
		}
		for range 3 {
			b.Night()
			if rep := b.run(few, lenient); rep.Users.Gone != 0 || rep.Users.Failed != 1 || b.marks() != 0 {
				t.Errorf("%+v", rep.Users)
			}
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

func TestKnownUsersWhomTheListHidesArePulledAllTheSame(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(12), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(12)...)
		b.run(few)
		for u := range 5 {
			at.hidden[b.UserID(u)] = true
		}
		b.Night()
		if rep := b.run(few); rep.Users.Pulled != 12 || rep.Users.Listed != 12 || b.marks() != 0 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestAFailureOfTheOwnPathPassesWhereTheJobHasNoStreamOfUsers(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(5)...)
		lines := []string{"streams: [contracts]", lenient}
		b.run(lines...)
		hidden := b.UserID(2)
		at.hidden[hidden] = true
		at.shut = func(path string) *http.Response {
			if path == "/users/"+hidden {
				return answerOf(nil, http.StatusForbidden, `{}`)
			}
			return nil
		}
		b.Night()
		b.run(lines...)
		if c := b.cursors()[hidden][config.StreamUsers]; c.Failures != 1 {
			t.Fatalf("%+v", c)
		}
		at.shut = nil
		delete(at.hidden, hidden)
		b.Night()
		rep := b.run(lines...)
		if c := b.cursors()[hidden][config.StreamUsers]; c.Failures != 0 || c.ErrorClass != "" || rep.Streams[config.StreamUsers] != nil {
			t.Errorf("listed again, and %+v; %+v", c, rep.Streams[config.StreamUsers])
		}
		o := b.options(b.config(lines...))
		o.OnlyFailed = true
		if rep, err := b.try(t.Context(), o); err != nil || rep.Users.Listed != 0 {
			t.Errorf("%v: %d users have failed", err, rep.Users.Listed)
		}
	})
}

func TestADeadlineThatCutsEveryNightDoesNotKeepUsersFromBeingJudged(t *testing.T) {
	t.Parallel()
	o := banktest.Still(30)
	o.Faults.Latency = 1100 * time.Millisecond
	inBubble(t, o, func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(30)...)
		lines := []string{"streams: [contracts]", "concurrency: 1"}
		b.run(lines...)
		at.are(upTo(29)...)
		var gone int64
		for range 10 {
			b.Night()
			rep := b.run(append(slices.Clone(lines), "deadline: 20s")...)
			gone += rep.Users.Gone
			if rep.Outcome != report.Deadline {
				t.Errorf("%s", rep.Outcome)
			}
		}
		if gone != 1 {
			t.Errorf("%d users are gone", gone)
		}
	})
}

// rows reads what was committed of a table, as text by column.
func (b *bank) rows(table string) []map[string]string {
	b.t.Helper()
	var found []map[string]string
	for _, r := range b.log() {
		for _, f := range r.Files {
			if f.Table != table {
				continue
			}
			body, _, err := b.store().Get(b.t.Context(), f.Path)
			if err != nil {
				b.t.Fatal(err)
			}
			found = append(found, namedRows(b.t, body)...)
		}
	}
	return found
}

// namedRows are the rows of a file, as text by column.
func namedRows(t *testing.T, body []byte) (found []map[string]string) {
	t.Helper()
	columns, rows := parquettest.Read(t, body)
	for _, row := range rows {
		named := map[string]string{}
		for i, c := range columns {
			named[c] = row[i]
		}
		found = append(found, named)
	}
	return found
}

func printedTime(at time.Time) string { return at.UTC().Format(parquettest.TimeFormat) }

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

func TestAnEmptyListOfUsersChangesNothingAndIsSaid(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.transport = b.elsewhere(func(string) bool { return true })
		if rep := b.inPart(); rep.Users != (report.UserCounts{}) || rep.Commits != 0 {
			t.Errorf("%+v, %d commits", rep.Users, rep.Commits)
		}
	})
}
