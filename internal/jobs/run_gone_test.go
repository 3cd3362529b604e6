package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
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
