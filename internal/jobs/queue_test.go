package jobs

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/jobs/pull"
)

func TestTheQueueYieldsUsersInTheOrderInWhichTheyAreDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, start := newQueue(), time.Now()
		for name, after := range map[string]time.Duration{"c": 3 * time.Second, "a": time.Second, "b": 2 * time.Second} {
			q.push(&user{User: pull.User{ID: name}}, start.Add(after))
		}
		var order []string
		for !q.idle() {
			u, wait := q.pop(time.Now())
			if u == nil {
				q.sleep(t.Context(), wait)
				continue
			}
			order = append(order, u.ID)
		}
		if !slices.Equal(order, []string{"a", "b", "c"}) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %s, want a b c after 3s", order, time.Since(start))
		}
	})
}

func TestASleepingDispatcherWakesWhenAWorkerEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.begin()
		go func() {
			time.Sleep(5 * time.Second)
			q.end()
		}()
		start := time.Now()
		_, wait := q.pop(start)
		q.sleep(t.Context(), wait)
		if !q.idle() || time.Since(start) != 5*time.Second {
			t.Errorf("woke after %s, idle %v", time.Since(start), q.idle())
		}
	})
}

func TestASleepingDispatcherWakesWhenTheRunIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.push(&user{User: pull.User{ID: "a"}}, time.Now().Add(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		for ctx.Err() == nil {
			_, wait := q.pop(time.Now())
			q.sleep(ctx, wait)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("woke after %s", got)
		}
	})
}
