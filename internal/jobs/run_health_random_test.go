package jobs

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/report"
)

// mishap is one of a random night: what fails, how, for whom, and when.
type mishap struct {
	kind, rest  string
	every       int // of whose number users this is one: 1 are all
	from, until time.Duration
	odds        float64
}

func randomMishaps(dice *rand.Rand) (all []mishap) {
	kinds := slices.Sorted(maps.Keys(outages))
	rests := []string{"contracts", "contracts/correlation", "banking", "banking/correlation", "account-history", "categorization/correlation", "categorization", ""}
	for range 1 + dice.IntN(3) {
		m := mishap{kind: kinds[dice.IntN(len(kinds))], rest: rests[dice.IntN(len(rests))], every: 1 + dice.IntN(2)*dice.IntN(9), odds: 1}
		m.from = time.Duration(dice.IntN(20)) * time.Second
		m.until = m.from + []time.Duration{5 * time.Second, 30 * time.Second, time.Hour}[dice.IntN(3)]
		if dice.IntN(4) == 0 {
			m.odds = 0.5
		}
		all = append(all, m)
	}
	return all
}

// strike lets a bank have mishaps from now on, until the returned function is called.
func (b *bank) strike(dice *rand.Rand, all []mishap) (stop func()) {
	healthy, began := b.transport, time.Now()
	var mu sync.Mutex
	for _, m := range all {
		b.fail(outages[m.kind], func(user, rest string) bool {
			mu.Lock()
			defer mu.Unlock()
			since := time.Since(began)
			return strings.HasPrefix(rest, m.rest) && since >= m.from && since < m.until &&
				(m.every == 1 || int(user[len(user)-1])%m.every == 0) && dice.Float64() < m.odds
		})
	}
	return func() { b.transport = healthy }
}

func TestWhateverFailsEveryUserIsCountedOnceAndPulledInTheEnd(t *testing.T) {
	t.Parallel()
	seeds := 8
	if raceEnabled {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(uint64(seed), 15))
			o := banktest.Steady(3 + dice.IntN(60))
			o.Faults.Latency = time.Duration(dice.IntN(900)) * time.Millisecond
			inBubble(t, o, func(b *bank) {
				t := b.t
				lines := []string{fourServices, fmt.Sprintf("concurrency: %d", 1+dice.IntN(12))}
				if dice.IntN(2) == 0 {
					b.run(lines...)
					b.Night()
				}
				night := slices.Clone(lines)
				if dice.IntN(3) == 0 {
					night = append(night, fmt.Sprintf("deadline: %ds", 5+dice.IntN(60)))
				}
				if dice.IntN(3) == 0 {
					night = append(night, "sync: {when: always, user_ip: 192.0.2.1, settle_timeout: 2m}")
				}
				if dice.IntN(3) == 0 {
					night = append(night, "failures: {retry_at_end: false, max_ratio: 1}")
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if dice.IntN(4) == 0 {
					time.AfterFunc(time.Duration(dice.IntN(60))*time.Second, cancel)
				}
				mishaps := randomMishaps(dice)
				stop := b.strike(dice, mishaps)
				rep, err := b.try(ctx, b.options(b.config(night...)))
				stop()
				if addsUp(t, rep, err); t.Failed() {
					t.Fatalf("%v, %+v", night, mishaps)
				}
				b.run(append(lines, "failures: {max_ratio: 1}")...)
				rep = b.run(lines...)
				if u := rep.Users; u.Unchanged+u.NoAnalysis+u.NotBooked != u.Listed {
					t.Errorf("%v, %+v: after a healthy night %+v", night, mishaps, u)
				}
				for id, cs := range b.cursors() {
					for s, c := range cs {
						if c.Failures > 0 {
							t.Errorf("%s, %s: %+v", id, s, c)
						}
					}
				}
			})
		})
	}
}

// addsUp fails unless what a report counts fits together, and with the end of its run.
func addsUp(t *testing.T, rep *report.Report, err error) {
	t.Helper()
	u := rep.Users
	reason, told := ReasonOf(err)
	whole := IsWhole(err)
	switch {
	case u.Pulled < 0 || u.PassedOver < 0 || u.Failed < 0 || u.Done() > u.Listed:
		t.Errorf("counted twice: %+v", u)
	case whole && u.Done()+rep.Unreached != u.Listed:
		t.Errorf("lost: %+v, %d unreached, %v", u, rep.Unreached, err)
	case whole && (u.PassedOver > 0 || len(rep.Services) > 0) && reason != ReasonPartial:
		t.Errorf("passed over, and %v", err)
	case whole && reason == ReasonPartial && told && len(rep.Services) == 0:
		t.Errorf("in part, but nothing is down: %v", err)
	}
	for name, s := range rep.Services {
		if s.PassedOver <= 0 || s.DownSince.IsZero() {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if err == nil && u.Failed == 0 && rep.Unreached == 0 && rep.Outcome != report.Done {
		t.Errorf("outcome %s of %+v", rep.Outcome, u)
	}
}
