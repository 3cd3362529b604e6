package jobs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// night is a run over all users that a deadline cuts; it says who was reached.
func (b *bank) cutNight(users int, o RunOptions) map[int]bool {
	b.t.Helper()
	if _, err := b.try(b.t.Context(), o); err != nil {
		b.t.Fatal(err)
	}
	return b.reached(users)
}

// slowBank takes a bit over a second to answer, so that deadlines cut.
func slowBank(users int) sandbox.Options {
	o := banktest.Still(users)
	o.Faults.Latency = 1100 * time.Millisecond
	return o
}

func TestAnyNumberOfRunsForNamedUsersLeavesTheDeadlinesPlace(t *testing.T) {
	t.Parallel()
	const users = 24
	inBubble(t, slowBank(users), func(b *bank) {
		t := b.t
		lines := []string{"streams: [contracts]", "concurrency: 1"}
		ever := map[int]bool{}
		for range 3 {
			for u := range b.cutNight(users, b.options(b.config(append(slices.Clone(lines), "deadline: 25s")...))) {
				ever[u] = true
			}
			for range 15 {
				o := b.options(b.config(lines...))
				o.Users = []string{b.UserID(0)}
				if _, err := b.try(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			b.Night()
		}
		if len(ever) != users {
			t.Errorf("%d of %d users were reached in three nights", len(ever), users)
		}
	})
}

func TestThePlaceSurvivesAnotherNumberOfShards(t *testing.T) {
	t.Parallel()
	const users = 36
	inBubble(t, slowBank(users), func(b *bank) {
		t := b.t
		b.run("streams: [contracts]", "concurrency: 8") // so that each costs one request a night
		last := map[int]int{}
		for night, shards := range []int{3, 1, 2, 3, 1, 1} {
			b.Night()
			for i := range shards {
				o := b.options(b.config("streams: [contracts]", "concurrency: 1", fmt.Sprintf("deadline: %ds", 16/shards)))
				o.Shard = cursors.Shard{Index: i, Count: shards}
				for u := range b.cutNight(users, o) {
					last[u] = night
				}
			}
		}
		// 12 to 15 of 36 fit into a night: whoever came longest ago came three nights
		// before the last, or a bit more where shards had little to do.
		for u := range users {
			if at, ever := last[u]; !ever || at < 1 {
				t.Errorf("user %d was last reached in night %d (%v)", u, at, ever)
			}
		}
	})
}

func TestARunThatCannotCommitLeavesThePlaceAsItWas(t *testing.T) {
	t.Parallel()
	const users = 24
	o := slowBank(users)
	o.Nightly.Analysed = 1 // so that there is something to commit
	inBubble(t, o, func(b *bank) {
		t := b.t
		lines := []string{"streams: [contracts]", "concurrency: 1", "deadline: 25s"}
		first := b.cutNight(users, b.options(b.config(lines...)))
		before, err := sink.ReadState(t.Context(), b.store(), "nightly", statePlace)
		if err != nil || before == nil {
			t.Fatalf("%s, %v", before, err)
		}
		b.Night()
		o := b.options(b.config(lines...))
		o.WrapStore = func(s bucket.Store) bucket.Store { return brokenLog{s} }
		_, _ = b.stops(t.Context(), ReasonSink, o)
		if after, err := sink.ReadState(t.Context(), b.store(), "nightly", statePlace); string(after) != string(before) {
			t.Errorf("%v: it has moved", err)
		}
		time.Sleep(2 * time.Minute) // its lease ends
		for u := range b.cutNight(users, b.options(b.config(lines...))) {
			if first[u] {
				delete(first, u)
			}
		}
		if len(first) < 5 {
			t.Errorf("those who came before came first again, but for %d", len(first))
		}
	})
}

func TestStateThatIsDamagedCostsOrderAndNoRun(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		t := b.t
		b.run(few)
		for _, name := range []string{statePlace, stateSuccess, stateList} {
			key := "_syncer/nightly/state/" + name + ".json"
			for _, body := range []string{"{", `{"version":1,"run_id":"r","nonce":"n","state":{"900":{"seq":-1}}}`, `{"version":1,"run_id":"r","nonce":"n","state":[1]}`} {
				if _, err := b.store().Put(t.Context(), key, []byte(body), bucket.Condition{}); err != nil {
					t.Fatal(err)
				}
				b.Night()
				if rep := b.run(few); rep.Users.Unchanged != 6 {
					t.Errorf("%s is %s: %+v", name, body, rep.Users)
				}
				if _, ended, err := LastSuccess(t.Context(), b.store(), "nightly"); err != nil || ended.IsZero() {
					t.Errorf("%s was %s: it is not written anew: %v, %v", name, body, ended, err)
				}
			}
		}
	})
}

func TestAnOlderEntryNeverReplacesANewer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 19, 2, 30, 0, 0, time.UTC)
	standing := byBuckets[success]{1: {stamp: stamp{Seq: 7, Began: at}}, 2: {stamp: stamp{Seq: 7, Began: at}}, 3: {stamp: stamp{Seq: 7, Began: at}}}
	own := byBuckets[success]{
		1: {stamp: stamp{Seq: 6, Began: at.Add(time.Hour)}, Ended: at}, 2: {stamp: stamp{Seq: 7, Began: at.Add(-time.Hour)}, Ended: at},
		3: {stamp: stamp{Seq: 7, Began: at.Add(time.Hour)}, Ended: at}, 4: {Ended: at},
	}
	for b, e := range mergeBuckets(standing, own) {
		if moved := !e.Ended.IsZero(); moved != (b >= 3) {
			t.Errorf("bucket %d: moved %v", b, moved)
		}
	}
}

func TestTooManyWhoWaitLeaveTheirBucketUnreached(t *testing.T) {
	t.Parallel()
	long := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	before, p := placeOf{Reached: long}, placeOf{Reached: long.Add(time.Hour)}
	p.waitIn([]string{"a", "b"}, &before)
	if len(p.Waiting) != 2 || p.Reached.Equal(long) {
		t.Errorf("%+v", p)
	}
	for _, ids := range [][]string{make([]string, maxWaiting+1), {strings.Repeat("x", maxWaitingBytes)}} {
		p := placeOf{Reached: long.Add(time.Hour)}
		if p.waitIn(ids, &before); p.Waiting != nil || !p.Reached.Equal(long) {
			t.Errorf("%+v", p)
		}
	}
}

func TestRunsForSomeUsersDoNotHideTheLastSuccess(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.run(few)
		_, want, err := LastSuccess(t.Context(), b.store(), "nightly")
		if err != nil || want.IsZero() {
			t.Fatalf("%v, %v", want, err)
		}
		for range 60 {
			o := b.options(b.config(few))
			o.Users = []string{b.UserID(0)}
			if _, err := b.try(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if _, got, err := LastSuccess(t.Context(), b.store(), "nightly"); err != nil || !got.Equal(want) {
			t.Errorf("%v, %v: want %v", got, err, want)
		}
		if s, err := ReadStatus(t.Context(), StatusOptions{Config: b.config(few), Job: "nightly"}); err != nil || s.LastSuccess == nil || !s.LastSuccess.Equal(want) {
			t.Errorf("status: %v", err)
		}
	})
}

func TestTheLastSuccessIsTheLastRunThatCameThrough(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		run  func(b *bank, o *RunOptions) (ctx context.Context)
		want bool
	}{
		"done": {func(b *bank, _ *RunOptions) context.Context { return b.t.Context() }, true},
		"with failures": {func(b *bank, _ *RunOptions) context.Context {
			b.misbehave(faultOf(1, "contracts", sandbox.Forbidden))
			return b.t.Context()
		}, true},
		"in part": {func(b *bank, o *RunOptions) context.Context {
			o.Transport = b.elsewhere(func(p string) bool { return p == "/users" })
			return b.t.Context()
		}, true},
		"cut by its deadline": {func(b *bank, o *RunOptions) context.Context {
			b.misbehave(sandbox.Faults{Latency: 2 * time.Second})
			o.Config = b.config("streams: [contracts]", "deadline: 5s", "concurrency: 1")
			return b.t.Context()
		}, false},
		"interrupted": {func(b *bank, o *RunOptions) context.Context {
			ctx, cancel := context.WithCancel(b.t.Context())
			b.at(6, cancel)
			o.Transport = b.transport
			return ctx
		}, false},
		"for some": {func(b *bank, o *RunOptions) context.Context { o.Users = []string{b.UserID(0)}; return b.t.Context() }, false},
		"of a part": {func(b *bank, o *RunOptions) context.Context {
			o.Shard = cursors.Shard{Index: 1, Count: 2}
			return b.t.Context()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(8), func(b *bank) {
				o := b.options(b.config("streams: [contracts]", lenient))
				_, _ = b.try(tc.run(b, &o), o)
				if _, ended, err := LastSuccess(b.t.Context(), b.store(), "nightly"); err != nil || ended.IsZero() == tc.want {
					b.t.Errorf("last success %v, %v", ended, err)
				}
			})
		})
	}
}

func TestProbingBankingFindsWhatElseMovedOnWhateverDaysThereAreRuns(t *testing.T) {
	t.Parallel()
	for name, days := range map[string][]int{"Mondays to Fridays": {0, 1, 2, 3, 4}, "Mondays": {0}, "twice a week": {1, 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const users = 60
			inBubble(t, banktest.Still(users), func(b *bank) {
				t := b.t
				clock := time.Date(2026, 11, 16, 2, 30, 0, 0, time.UTC) // a Monday
				b.now = func() time.Time { return clock }
				lines := []string{"streams: [transactions, contracts]", "probe: banking"}
				b.run(lines...)
				asked := map[int]time.Time{}
				begun, requests := clock, 0
				for range 4 * 7 {
					clock = clock.Add(24 * time.Hour)
					if weekday := (int(clock.Weekday()) + 6) % 7; !slices.Contains(days, weekday) {
						continue
					}
					b.run(lines...)
					requests += b.Counts()["correlation"]
					for u := range users {
						if b.asked(u)["correlation contracts"] > 0 {
							asked[u] = clock
						}
					}
					for u := range users {
						if last := max(asked[u].Sub(begun), 0); clock.Sub(begun)-last > 14*24*time.Hour {
							t.Errorf("user %d has not been asked for contracts since %v, now %v", u, asked[u], clock)
						}
					}
				}
				if len(asked) != users {
					t.Errorf("%d of %d users were ever asked", len(asked), users)
				}
				if runs := len(days) * 4; requests > users*(runs+5)+2*runs {
					t.Errorf("%d correlations in %d runs for %d users", requests, runs, users)
				}
			})
		})
	}
}

func TestAStreamThatFailedIsAskedForThoughBankingIsQuiet(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		lines := []string{"streams: [transactions, contracts]", "probe: banking", lenient}
		b.run(lines...)
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		o := b.options(b.config(lines...))
		o.Full = true
		if rep, err := b.try(t.Context(), o); err != nil || rep.Users.Failed != 1 {
			t.Fatalf("%v, %+v", err, rep.Users)
		}
		b.misbehave(sandbox.Faults{})
		b.run(lines...)
		if b.asked(1)["correlation contracts"] != 1 || b.cursors()[b.UserID(1)][config.StreamContracts].Failures != 0 {
			t.Errorf("%v", b.asked(1))
		}
	})
}

func TestOfFailedUsersEachCountsOnceWhateverTheDeadlineCuts(t *testing.T) {
	t.Parallel()
	const users, failing = 60, 15
	inBubble(t, banktest.Still(users), func(b *bank) {
		t := b.t
		bad := sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{}}
		for u := range failing {
			bad.Users[strconv.Itoa(4*u)] = map[string]sandbox.UserFault{"contracts": {Kind: sandbox.Rejected}}
		}
		b.misbehave(bad)
		lines := []string{"streams: [contracts]", "failures: {max_ratio: 1}"}
		b.run(lines...)
		bad.Latency = 2100 * time.Millisecond
		b.misbehave(bad)
		o := b.options(b.config(append(lines, "deadline: 10s", "concurrency: 2")...))
		o.OnlyFailed = true
		rep, err := b.try(t.Context(), o)
		if err != nil || rep.Users.Listed != failing || rep.Unreached == 0 || rep.Unreached+rep.Users.Failed != failing {
			t.Errorf("%v: %+v, %d unreached", err, rep.Users, rep.Unreached)
		}
	})
}
