package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// reached are the users who were asked for anything of their own in the last
// run.
func (b *bank) reached(users int) map[int]bool {
	found := map[int]bool{}
	for u := range users {
		if len(b.asked(u)) > 0 {
			found[u] = true
		}
	}
	return found
}

func TestWithADeadlineThatHalfOfTheUsersFitIntoEveryoneIsReachedWithinTwoNights(t *testing.T) {
	t.Parallel()
	const users = 24
	o := banktest.Still(users)
	o.Faults.Latency = 1100 * time.Millisecond
	inBubble(t, o, func(b *bank) {
		t := b.t
		// One after the other, two requests each at first and then, since they
		// are quiet, one: the deadlines let a bit more than half of them come.
		lines := []string{"streams: [contracts]", "concurrency: 1"}
		night := func(deadline string) map[int]bool {
			rep := b.run(append(slices.Clone(lines), deadline)...)
			now := b.reached(users)
			if rep.Outcome != "deadline" || rep.Unreached != int64(users-len(now)) || len(now) < users/2 || len(now) > users*5/6 {
				t.Fatalf("%s: %d reached, %d not", rep.Outcome, len(now), rep.Unreached)
			}
			b.Night()
			return now
		}
		last := night("deadline: 36s")
		for n := 2; n <= 3; n++ {
			// Whoever is found unchanged leaves no trace in the cursors.
			now := night(map[bool]string{true: "deadline: 29s", false: "deadline: 20s"}[n == 2])
			both := maps.Clone(last)
			maps.Copy(both, now)
			if len(both) != users {
				t.Errorf("nights %d and %d: only %d of %d users were reached", n-1, n, len(both), users)
			}
			last = now
		}
	})
}

func TestThoseWhoWaitAtTheDeadlineComeFirstInTheNextRun(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(8)
	o.AnalysisDelay = 2 * time.Hour
	o.Faults.Users = map[string]map[string]sandbox.UserFault{}
	for _, u := range []string{"0", "1", "2", "3"} { // they do not wait
		o.Faults.Users[u] = map[string]sandbox.UserFault{"synchronize": {Kind: sandbox.DailyLimit}}
	}
	inBubble(t, o, func(b *bank) {
		t := b.t
		rep := b.run(longWait, "streams: [contracts]", "deadline: 599s")
		if rep.Resume == nil || len(rep.Resume.Waiting) != int(rep.Unreached) || rep.Unreached == 0 || rep.Unreached > 4 {
			t.Fatalf("%d unreached, but %+v", rep.Unreached, rep.Resume)
		}
		b.Night()
		b.run("streams: [contracts]", "concurrency: 1")
		var order []string
		for r := range b.requests() {
			if r.UserID != "" && !slices.Contains(order, r.UserID) {
				order = append(order, r.UserID)
			}
		}
		first := slices.Sorted(slices.Values(order[:min(len(order), len(rep.Resume.Waiting))]))
		if diff := cmp.Diff(slices.Sorted(slices.Values(rep.Resume.Waiting)), first); diff != "" || len(order) != 8 {
			t.Errorf("%d users came, first (-want +got):\n%s", len(order), diff)
		}
	})
}

func TestAnInterruptedRunIsTakenUpWhereItStopped(t *testing.T) {
	t.Parallel()
	const users = 20
	inBubble(t, banktest.Still(users), func(b *bank) {
		t := b.t
		lines := []string{"streams: [contracts]", "concurrency: 1"}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.at(20, cancel)
		rep, _ := b.stops(ctx, ReasonInterrupted, b.options(b.config(lines...)))
		before := b.reached(users)
		if rep.Resume == nil || len(rep.Resume.Waiting) == 0 || len(rep.Resume.Waiting) > 2 {
			t.Fatalf("%+v", rep.Resume)
		}
		// What is done in between for some users alone is no turn.
		o := b.options(b.config(lines...))
		o.Users = []string{b.UserID(0)}
		b.transport = b.Transport()
		o.Transport = b.transport
		if _, err := b.try(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel2 := context.WithCancel(t.Context())
		defer cancel2()
		b.at(14, cancel2)
		_, _ = b.stops(ctx, ReasonInterrupted, b.options(b.config(lines...)))
		again := 0
		for u := range b.reached(users) {
			if before[u] {
				again++
			}
		}
		if again > 2 {
			t.Errorf("%d users came again before all others had come", again)
		}
	})
}

func TestOfOnlyFailedUsersTheDeadlineLeavesOutFailedOnes(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		lines := []string{"streams: [contracts]", lenient}
		b.run(lines...)
		b.misbehave(sandbox.Faults{Latency: 3100 * time.Millisecond})
		o := b.options(b.config(append(lines, "deadline: 2s")...))
		o.OnlyFailed = true
		rep, err := b.try(t.Context(), o)
		if err != nil || rep.Unreached != 1 || rep.Users.Listed != 1 || rep.Resume != nil {
			t.Errorf("%v, %d unreached, %+v", err, rep.Unreached, rep.Users)
		}
	})
}

func TestWhoFailedBeforeAnInterruptionHasHadItsTurn(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.ServerError))
		b.slow(2, "contracts", time.Minute)
		// The first tries are over after a few seconds, the last waits for user 2.
		ctx, cancel := context.WithTimeout(t.Context(), 31*time.Second)
		defer cancel()
		rep, _ := b.stops(ctx, ReasonInterrupted, b.options(b.config("streams: [contracts]")))
		if rep.Users.Pulled != 2 || rep.Resume == nil || !slices.Equal(rep.Resume.Waiting, []string{b.UserID(2)}) {
			t.Errorf("%+v, %+v", rep.Users, rep.Resume)
		}
	})
}

func TestTheCircleHoldsEveryUserOnce(t *testing.T) {
	t.Parallel()
	const users = 700
	for _, shard := range []cursors.Shard{{Count: 1}, {Index: 1, Count: 3}} {
		b := newBank(t, sandbox.Options{Users: 1})
		n := &nightly{session: &session{o: RunOptions{Shard: shard}, w: openLake(b, shard), job: &config.Job{}}}
		var held userList
		r := newFlow(n.session, &held, n)
		want := map[string]bool{}
		var ids []string
		for i := range users {
			u := listedUser(i)
			u.Name = ""
			if b := cursors.BucketOf(u.ID); shard.Owns(b) {
				want[u.ID] = true
				ids = append(ids, u.ID)
				if err := held.add(u); err != nil {
					t.Fatal(err)
				}
			}
		}
		first, second := time.Unix(1000, 0).UTC(), time.Unix(2000, 0).UTC()
		waiting := byBuckets[placeOf]{}
		for b, in := range byBucket(slices.Values(append([]string{"who is gone"}, ids...))) {
			waiting[b] = placeOf{Waiting: in[:min(len(in), maxWaiting)]}
		}
		for name, at := range map[string]byBuckets[placeOf]{
			"nowhere":        nil,
			"within one":     {cursors.BucketOf(ids[3]): {From: ids[3], Reached: second, Rest: first}},
			"within several": {cursors.BucketOf(ids[9]): {From: ids[9] + "x", Reached: second, Rest: first}, cursors.BucketOf(ids[20]): {From: ids[20], Reached: first}},
			"waiting":        waiting,
		} {
			r.feed = newFeed(r, at)
			got := drain(t, r.feed, len(want)+1)
			if left := r.feed.left(stamp{Began: second}, at, nil); len(got) != len(want) || r.resume(nil) != nil || len(newFeed(r, left).steps) != len(shard.Buckets()) {
				t.Errorf("from %s: %d users came, want %d", name, len(got), len(want))
			}
			// In any number of runs that come to a few each, everybody comes before
			// anybody comes again, but for a few within a bucket.
			all, came := map[string]bool{}, 0
			for n := 1; len(all) < len(want); n++ {
				r.feed = newFeed(r, at)
				for _, id := range drain(t, r.feed, 1+n%60) {
					all[id] = true
					came++
				}
				began := second.Add(time.Duration(n) * time.Hour)
				at = mergeBuckets(at, r.feed.left(stamp{Seq: uint64(n), Began: began}, at, nil))
			}
			if spare := 60 + 12; came > len(want)+spare {
				t.Errorf("from %s: %d came until all of %d users had come", name, came, len(want))
			}
		}
	}
}

// drain takes at most n users out of a feed. Nobody may come twice.
func drain(t *testing.T, f *feed, n int) []string {
	t.Helper()
	var got []string
	for range n {
		u, err := f.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if u == nil {
			break
		}
		got = append(got, u.ID)
		f.of.inHand.done(u.ID)
	}
	if sorted := slices.Sorted(slices.Values(got)); len(slices.Compact(sorted)) != len(got) {
		t.Errorf("%d users, some of them twice", len(got))
	}
	return got
}

func openLake(b *bank, shard cursors.Shard) *sink.Writer {
	b.t.Helper()
	w, err := sink.Open(b.t.Context(), sink.Options{
		Store: b.store(), Job: "nightly", Shard: shard, RunID: fmt.Sprintf("look-%d", time.Now().UnixNano()), Compression: "none", ScratchDir: b.t.TempDir(),
	})
	if err != nil {
		b.t.Fatalf("open the sink: %v", err)
	}
	b.t.Cleanup(func() { _ = w.Close(context.WithoutCancel(b.t.Context())) })
	return w
}
