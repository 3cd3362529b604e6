package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// town is a bank of which only some users are there: the others are neither
// listed nor found. Of those whom the list hides the own path still answers.
type town struct {
	b *bank

	mu     sync.Mutex
	there  map[string]bool
	hidden map[string]bool
	shut   func(path string) *http.Response // nil: answered as usual
	cut    func()                           // called at the request with the number cutAt
	cutAt  int
}

func newTown(b *bank) *town {
	t := &town{b: b, there: map[string]bool{}, hidden: map[string]bool{}}
	b.transport = t
	return t
}

// are says who is there: the users with these numbers.
func (t *town) are(users ...int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.there)
	for _, u := range users {
		t.there[t.b.UserID(u)] = true
	}
}

func upTo(n int) []int { return between(0, n) }

func between(from, to int) []int {
	var is []int
	for i := from; i < to; i++ {
		is = append(is, i)
	}
	return is
}

func answerOf(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader([]byte(body))),
		ContentLength: int64(len(body)), Request: r,
	}
}

func (t *town) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	there, shut := t.there, t.shut
	if t.cutAt--; t.cutAt == 0 {
		t.cut()
	}
	if shut != nil {
		if answer := shut(r.URL.Path); answer != nil {
			t.mu.Unlock()
			answer.Request = r
			return answer, nil
		}
	}
	if r.URL.Path == "/users" && r.Method == http.MethodGet {
		users := []map[string]string{}
		if page := r.URL.Query().Get("page"); page == "" || page == "1" {
			for id := range there {
				if !t.hidden[id] {
					users = append(users, map[string]string{"id": id, "name": "of the town"})
				}
			}
		}
		t.mu.Unlock()
		body, err := json.Marshal(map[string]any{"context": map[string]int{"page": 1, "totalPages": 1, "total": len(users)}, "users": users})
		return answerOf(r, http.StatusOK, string(body)), err
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/users/"), "/")
	gone := strings.HasPrefix(r.URL.Path, "/users/") && !there[id]
	t.mu.Unlock()
	if gone {
		return answerOf(r, http.StatusNotFound, `{"type":"not_found","message":"no such user"}`), nil
	}
	return t.b.Transport().RoundTrip(r)
}

const few = "streams: [users, contracts]"

// inPart is a night that pulled all it could and must say something.
func (b *bank) inPart(lines ...string) *report.Report {
	b.t.Helper()
	rep, _ := b.stops(b.t.Context(), ReasonPartial, b.options(b.config(lines...)))
	return rep
}

// marks are the users that are remembered as missing.
func (b *bank) marks() int {
	n := 0
	for _, cs := range b.cursors() {
		if _, marked := cs[config.StreamMissing]; marked {
			n++
		}
	}
	return n
}

// landed wants all contracts of these users in the lake, or a row that says that
// they had no analysis.
func (b *bank) landed(users []int) {
	b.t.Helper()
	written, without := map[string]int{}, map[string]bool{}
	for _, row := range b.rows("contracts") {
		written[row["user_id"]]++
	}
	for _, row := range b.rows("pulls") {
		without[row["user_id"]] = without[row["user_id"]] || row["outcome"] == "no_analysis"
	}
	for _, u := range users {
		had := 0
		for range b.TruthUser("contracts", b.UserID(u)) {
			had++
		}
		if id := b.UserID(u); written[id] != had && (written[id] > 0 || !without[id]) {
			b.t.Errorf("user %d: %d contracts were written, there are %d", u, written[id], had)
		}
	}
}

func TestUsersWhoComeForADayAreAllPulledBesideThoseWhoStay(t *testing.T) {
	t.Parallel()
	nights, stay, come := 40, 200, 20
	if raceEnabled {
		nights, stay = 9, 40
	}
	inBubble(t, banktest.Still(stay+nights*come), func(b *bank) {
		t, at := b.t, newTown(b)
		lines := []string{"streams: [contracts]"}
		var gone int64
		for night := range nights {
			visitors := between(stay+night*come, stay+(night+1)*come)
			at.are(append(upTo(stay), visitors...)...)
			if night%7 == 3 { // a run that is cut short comes first
				ctx, cancel := context.WithCancel(t.Context())
				at.cut, at.cutAt = cancel, stay/2
				_, _ = b.stops(ctx, ReasonInterrupted, b.options(b.config(lines...)))
				cancel()
			}
			rep := b.run(lines...)
			// After a run that was cut short fewer are new than are gone.
			if cut := night%7 == 3; rep.Users.Missing != 0 && !cut {
				t.Errorf("night %d: %+v", night, rep.Users)
			}
			gone += rep.Users.Gone
			b.Night()
		}
		b.landed(upTo(stay + nights*come))
		if n := len(b.cursors()); n != stay+come || gone != int64((nights-1)*come) {
			t.Errorf("%d users are known, %d are gone", n, gone)
		}
	})
}

func TestAClientWhoseUsersAreAllNewEveryNightIsPulled(t *testing.T) {
	t.Parallel()
	const nights, come = 6, 25
	inBubble(t, banktest.Still(nights*come), func(b *bank) {
		t, at := b.t, newTown(b)
		for night := range nights {
			at.are(between(night*come, (night+1)*come)...)
			if rep := b.run(few); rep.Users.Pulled != come || night > 0 && rep.Users.Gone != come {
				t.Errorf("night %d: %+v", night, rep.Users)
			}
			b.Night()
		}
		b.landed(upTo(nights * come))
	})
}

func TestTheSimulatorsTurnoverLandsWhole(t *testing.T) {
	t.Parallel()
	for _, turnover := range []string{"few", "all"} {
		t.Run(turnover, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(40)
			o.Readings.Turnover = turnover
			inBubble(t, o, func(b *bank) {
				t, known := b.t, map[string]bool{}
				for range 5 {
					b.run(few)
					for id := range b.cursors() {
						known[id] = true
					}
					b.Night()
				}
				if n := len(known); n < 50 {
					t.Errorf("only %d users were ever pulled", n)
				}
			})
		})
	}
}

func TestATenantThatListsNobodyForANightLosesNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(15), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(15)...)
		b.run(few)
		before := b.cursors()
		for range 3 {
			b.Night()
			at.are()
			if rep := b.inPart(few); rep.Users.Gone != 0 || rep.Users.Missing != 15 {
				t.Errorf("%+v", rep.Users)
			}
			if diff := cmp.Diff(before, b.cursors()); diff != "" {
				t.Errorf("somebody is marked: %s", diff)
			}
		}
		b.Night()
		at.are(upTo(15)...)
		if rep := b.run(few); rep.Users.Unchanged != 15 {
			t.Errorf("back again: %+v", rep.Users)
		}
	})
}

func TestOtherUsersArePulledWhateverTheListLacks(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(15)...)
		b.run(few)
		b.Night()
		at.are(17, 18, 19)
		if rep := b.inPart(few); rep.Users.Pulled != 3 || rep.Users.Gone != 0 {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestWhenHalfOfTheUsersVanishTheyAreGoneOnceThatIsSeenAgainTwelveHoursLater(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(20), func(b *bank) {
		t, at := b.t, newTown(b)
		clock := time.Date(2026, 11, 19, 2, 30, 0, 0, time.UTC)
		b.now = func() time.Time { return clock }
		at.are(upTo(20)...)
		b.run(few)
		last := clock
		clock = clock.Add(24 * time.Hour)
		at.are(upTo(10)...)
		rep := b.run(few)
		if want := (report.UserCounts{Listed: 20, Unchanged: 10, Missing: 10}); rep.Users != want || b.marks() != 10 {
			t.Errorf("%+v, want %+v; %d marks", rep.Users, want, b.marks())
		}
		if s, err := ReadStatus(t.Context(), StatusOptions{Config: b.config(few), Job: "nightly"}); err != nil || s.Users.Missing != 10 || s.Users.Known != 20 || s.Users.Failing != 0 || len(s.Streams) != 2 {
			t.Errorf("status: %v, %+v", err, s.Users)
		}
		clock = clock.Add(11 * time.Hour)
		at.are(upTo(11)...) // being seen clears the mark
		if rep = b.run(few); rep.Users.Gone != 0 || rep.Users.Missing != 9 || b.marks() != 9 {
			t.Errorf("too early: %+v, %d marks", rep.Users, b.marks())
		}
		clock = clock.Add(2 * time.Hour)
		if rep = b.run(few); rep.Users.Gone != 9 || rep.Users.Unchanged != 11 {
			t.Errorf("after twelve hours: %+v", rep.Users)
		}
		if c := b.changes(rep); c["users"].Deletes != 9 || c["pulls"].Upserts != 9 || len(c) != 2 {
			t.Errorf("%+v", c)
		}
		for _, row := range b.rows("users") {
			if row["_op"] == "delete" && (row["last_seen_at"] != printedTime(last) || row["first_seen_at"] != printedTime(last)) {
				t.Fatalf("a user who is gone was first and last seen at %v", row)
			}
		}
		// Who comes back is new.
		clock = clock.Add(24 * time.Hour)
		at.are(upTo(20)...)
		if rep = b.run(few); rep.Users.Pulled != 9 || rep.Streams[config.StreamContracts].First != 9 {
			t.Errorf("back again: %+v", rep.Users)
		}
	})
}

func TestAListThatIsFarShorterIsBelievedAfterSevenDaysOrByHand(t *testing.T) {
	t.Parallel()
	for _, byHand := range []bool{false, true} {
		t.Run(fmt.Sprint("by hand: ", byHand), func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(20), func(b *bank) {
				t, at := b.t, newTown(b)
				clock := time.Date(2026, 11, 19, 2, 30, 0, 0, time.UTC)
				b.now = func() time.Time { return clock }
				at.are(upTo(20)...)
				b.run(few)
				at.are(upTo(9)...)
				for night := 1; night <= 7; night++ {
					clock = clock.Add(24 * time.Hour)
					if rep := b.inPart(few); rep.Users.Unchanged != 9 || rep.Users.Missing != 11 || b.marks() != 0 {
						t.Errorf("night %d: %+v, %d marks", night, rep.Users, b.marks())
					}
				}
				if byHand {
					o := b.options(b.config(few))
					o.AcceptGone = true
					if rep, err := b.try(t.Context(), o); err != nil || rep.Users.Gone != 11 {
						t.Errorf("accepted: %v, %+v", err, rep.Users)
					}
					return
				}
				clock = clock.Add(24 * time.Hour)
				if rep := b.run(few); rep.Users.Missing != 11 || b.marks() != 11 {
					t.Errorf("after seven days: %+v, %d marks", rep.Users, b.marks())
				}
				clock = clock.Add(24 * time.Hour)
				if rep := b.run(few); rep.Users.Gone != 11 {
					t.Errorf("after eight days: %+v", rep.Users)
				}
			})
		})
	}
}

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
	const nights, stay, come, shards = 4, 60, 20, 3
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
			columns, rows := parquettest.Read(b.t, body)
			for _, row := range rows {
				named := map[string]string{}
				for i, c := range columns {
					named[c] = row[i]
				}
				found = append(found, named)
			}
		}
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
