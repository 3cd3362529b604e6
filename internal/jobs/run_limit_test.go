package jobs

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/pacing"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// limited is a bank that serves so many requests a second, and has room for a fifth of
// that at once.
func limited(users int, perSecond float64) sandbox.Options {
	o := banktest.Still(users)
	o.Faults = sandbox.Faults{RateLimit: perSecond, Latency: 20 * time.Millisecond}
	return o
}

// small is a job whose users cost little to invent, and three requests in a first night.
func small() []string {
	return []string{"concurrency: 16", "streams: [users, bank_logins, contracts]"}
}

// limit is what the job remembers of its API's limit.
func (b *bank) limit() (pacing.Memory, float64) {
	b.t.Helper()
	body, err := sink.ReadState(b.t.Context(), b.store(), "nightly", stateLimit)
	if err != nil {
		b.t.Fatal(err)
	}
	m, ignored, err := pacing.Recall(body, b.Now())
	if err != nil || ignored > 0 {
		b.t.Fatalf("%s: %d ignored, %v", body, ignored, err)
	}
	all, _, _ := m.Limit(pacing.Key("http://bank.test", "sandbox"), "")
	return m, all.Limit
}

// keeps lets the job remember a limit.
func (b *bank) keeps(clientID string, f pacing.Found) {
	b.t.Helper()
	m := pacing.Memory{Clients: map[string]pacing.Client{}}
	m.Add(pacing.Key("http://bank.test", clientID), "before", 0, f)
	body, err := m.Write()
	if err != nil {
		b.t.Fatal(err)
	}
	b.keepsText(fmt.Sprintf(`{"version":1,"run_id":"r","nonce":"n","state":%s}`, body))
}

func (b *bank) keepsText(body string) {
	b.t.Helper()
	if _, err := b.store().Put(b.t.Context(), "_syncer/nightly/state/limit.json", []byte(body), bucket.Condition{}); err != nil {
		b.t.Fatal(err)
	}
}

// used is the share of a limit that a run used, from its first request to its last.
func used(rep *report.Report, perSecond float64) float64 {
	var sum report.Point
	for _, p := range rep.Timeline {
		sum = sum.And(p)
	}
	return float64(rep.Requests-rep.Refused) / perSecond / sum.At
}

func near(got, want float64) bool { return math.Abs(got/want-1) < 0.06 }

func TestTheSecondNightBeginsAtTheLimitThatTheFirstHasFound(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(200, 20), func(b *bank) {
		t := b.t
		first := b.run(small()...)
		if p := first.Pace; p.From != finoos.LimitLearned || p.Began != 0 || !p.Kept || p.Ignored != 0 {
			t.Errorf("the first night: %+v", p)
		}
		if _, limit := b.limit(); !near(limit, 20) {
			t.Errorf("a limit of %g is remembered, want 20", limit)
		}
		b.Night()
		s, err := ReadStatus(t.Context(), StatusOptions{Config: b.config(small()...), Job: "nightly", Now: b.Now})
		if err != nil || s.Limit == nil || !near(s.Limit.PerSecond, 20) {
			t.Errorf("the status tells of %+v, %v", s.Limit, err)
		}
		second := b.run(small()...)
		if p := second.Pace; !near(p.Began, 20) || p.From != finoos.LimitRecalled || p.LearnedAt.IsZero() || !p.Kept {
			t.Errorf("the second night: %+v", p)
		}
		if second.Refused > 0 || first.Refused == 0 || used(second, 20) < 0.95 {
			t.Errorf("%d were refused in the first night, %d in the second, which used %.3f", first.Refused, second.Refused, used(second, 20))
		}
		if second.LearnedLimit != second.Pace.Began {
			t.Errorf("a limit of %g, began at %g", second.LearnedLimit, second.Pace.Began)
		}
	})
}

func TestAnotherNumberOfShardsBeginsAtItsShareOfTheLimit(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(300, 60), func(b *bank) {
		t := b.t
		b.run(small()...)
		for night, n := range []int{3, 2, 1} {
			b.Night()
			which := make([]int, n)
			for i := range which {
				which[i] = i
			}
			total := 0.0
			for _, rep := range b.shardsOf(fmt.Sprint("night", night), n, small(), which...) {
				if total += rep.Pace.Began; !near(rep.Pace.Began, 60/float64(n)) {
					t.Errorf("%d shards: one begins at %g", n, rep.Pace.Began)
				}
			}
			// Whoever is at work alone at the end has all of the limit, and they do not
			// add up to more than that.
			if _, limit := b.limit(); !near(total, 60) || limit < 50 || limit > 75 {
				t.Errorf("%d shards begin at %g together and leave %g", n, total, limit)
			}
		}
	})
}

func TestRunsForSomeUsersBeginAtTheLimitAndKeepNone(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(40, 5), func(b *bank) {
		t := b.t
		o := b.options(b.config(small()...))
		for u := range 12 {
			o.Users = append(o.Users, b.UserID(u))
		}
		rep, err := b.try(t.Context(), o)
		if err != nil || rep.Pace.From != finoos.LimitLearned || rep.Pace.Kept {
			t.Errorf("%v, %+v", err, rep.Pace)
		}
		if m, _ := b.limit(); len(m.Clients) > 0 {
			t.Errorf("kept %+v", m)
		}
		b.keeps("sandbox", pacing.Found{Ended: b.Now(), Learned: b.Now(), Limit: 4.9, Burst: 1, Pause: 1})
		rep, err = b.try(t.Context(), o)
		if err != nil || rep.Pace.Began != 4.9 || rep.Pace.Kept {
			t.Errorf("%v, %+v", err, rep.Pace)
		}
	})
}

func TestALimitIsForgottenAWeekAfterTheAPIHasToldIt(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(4, 20), func(b *bank) {
		t := b.t
		for age, want := range map[time.Duration]float64{6*24*time.Hour + 23*time.Hour: 30, 7*24*time.Hour + time.Hour: 0} {
			at := b.Now().Add(-age)
			b.keeps("sandbox", pacing.Found{Ended: b.Now(), Learned: at, Limit: 30, Burst: 8})
			if p := b.run(small()...).Pace; p.Began != want || p.Ignored != 0 {
				t.Errorf("after %v: %+v", age, p)
			}
		}
	})
}

func TestALimitThatWasOnlyRecalledGrowsOld(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(200, 20), func(b *bank) {
		t := b.t
		b.run(small()...)
		b.Night()
		learned := b.Now().Add(-72 * time.Hour)
		b.keeps("sandbox", pacing.Found{Ended: learned, Learned: learned, Limit: 19, Burst: 4, Pause: 1})
		if p := b.run(small()...).Pace; p.From != finoos.LimitRecalled || !p.Kept || !p.LearnedAt.Equal(learned) {
			t.Fatalf("%+v", p)
		}
		m, _ := b.limit()
		if _, at, ok := m.Limit(pacing.Key("http://bank.test", "sandbox"), ""); !ok || !at.Equal(learned) {
			t.Errorf("learned at %v, %v, want still %v", at, ok, learned)
		}
	})
}

func TestTheLimitOfAnotherClientIsNotBegunWith(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(200, 20), func(b *bank) {
		t := b.t
		b.keeps("another", pacing.Found{Ended: b.Now(), Learned: b.Now(), Limit: 2, Burst: 1})
		if p := b.run(small()...).Pace; p.Began != 0 || !p.Kept {
			t.Errorf("%+v", p)
		}
		if m, limit := b.limit(); len(m.Clients) != 2 || !near(limit, 20) {
			t.Errorf("%g of %+v", limit, m)
		}
		body, err := sink.ReadState(t.Context(), b.store(), "nightly", stateLimit)
		if err != nil || strings.Contains(string(body), "sandbox") || strings.Contains(string(body), "bank.test") {
			t.Errorf("%v: it names the client: %s", err, body)
		}
	})
}

func TestADamagedLimitCostsNoRunAndIsCounted(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(200, 20), func(b *bank) {
		t := b.t
		key := pacing.Key("http://bank.test", "sandbox")
		of := func(found string) string {
			return fmt.Sprintf(`{"version":1,"run_id":"r","nonce":"n","state":{"clients":{%q:{"runs":{"g":{"shards":{"0":%s}}}}}}}`, key, found)
		}
		now, err := json.Marshal(b.Now().UTC())
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{
			"{", `{"version":1,"run_id":"r","nonce":"n","state":[1]}`,
			of(`{"limit":1e300,"learned":` + string(now) + `,"ended":` + string(now) + `}`),
			of(`{"limit":-1,"learned":` + string(now) + `,"ended":` + string(now) + `}`),
			of(`{"limit":10,"learned":"2099-01-01T00:00:00Z","ended":` + string(now) + `}`),
			of(`{"limit":10}`),
		} {
			b.keepsText(body)
			if p := b.run(small()...).Pace; p.Ignored != 1 || p.Began != 0 {
				t.Errorf("%s: %+v", body, p)
			}
			b.Night()
		}
		b.keepsText("{")
		b.run("streams: [contracts]", "full_refresh_every: 24h") // too short to find anything
		b.keepsText("{")
		o := b.options(b.config(small()...))
		o.Full = true
		if rep, err := b.try(t.Context(), o); err != nil || !rep.Pace.Kept {
			t.Errorf("%v, %+v", err, rep.Pace)
		}
		if _, limit := b.limit(); !near(limit, 20) {
			t.Errorf("after all that, %g is remembered", limit)
		}
	})
}

// The limit has fallen to a quarter: one refusal and the pause that was asked for.
func TestALimitThatHasFallenOvernightIsNotHammered(t *testing.T) {
	t.Parallel()
	inBubble(t, limited(300, 60), func(b *bank) {
		t := b.t
		b.run(small()...)
		b.Night()
		b.misbehave(sandbox.Faults{RateLimit: 15, Latency: 20 * time.Millisecond})
		rep := b.run(small()...)
		if rep.Pace.From != finoos.LimitLearned || rep.Pace.Began < 55 || rep.Refused > 12 || used(rep, 15) < 0.85 {
			t.Errorf("%d of %d refused, %.3f used, %+v", rep.Refused, rep.Requests, used(rep, 15), rep.Pace)
		}
		if _, limit := b.limit(); !near(limit, 15) {
			t.Errorf("a limit of %g is remembered, want 15", limit)
		}
	})
}
