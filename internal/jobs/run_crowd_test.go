package jobs

import (
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
)

func TestThousandsOfWaitingUsersHoldNeitherWorkersNorGoroutines(t *testing.T) {
	t.Parallel()
	users := int64(2000)
	if raceEnabled {
		users = 400
	}
	o := banktest.Steady(int(users))
	o.PageSize = int(users)
	o.Faults.Users = map[string]map[string]sandbox.UserFault{}
	for u := range users {
		o.Faults.Users[strconv.FormatInt(u, 10)] = map[string]sandbox.UserFault{"correlation": {Kind: sandbox.NeverAnalysed}}
	}
	inBubble(t, o, func(b *bank) {
		t := b.t
		var most atomic.Int64
		b.transport = via{b.Transport(), func(*http.Request) (*http.Response, error) {
			if n := int64(runtime.NumGoroutine()); n > most.Load() {
				most.Store(n)
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		began := time.Now()
		rep := b.run("sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 20s}", "streams: [contracts]")
		if took := time.Since(began); took > time.Minute || rep.Unsettled < users/2 {
			t.Errorf("%d users waited for 20 s each, all together %s", rep.Unsettled, took)
		}
		if most.Load() > 500 { // some are those of other tests
			t.Errorf("%d goroutines", most.Load())
		}
		if rep.Users.NoAnalysis != users {
			t.Errorf("%+v", rep.Users)
		}
	})
}

func TestNoUserIsBegunWhileThoseWhoWaitHoldTheMemory(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for n := 0; !q.full(); n++ {
		if n > waitingBytes/userOverhead {
			t.Fatal("the queue is never full")
		}
		q.push(newUser("u", nil, nil), time.Now())
	}
	for !q.idle() {
		q.pop(time.Now())
	}
	if q.full() || q.held != 0 {
		t.Errorf("%d bytes are held by nobody", q.held)
	}
}

func TestSettlingIsDoneByTheNamedAnalysisOrAnyOther(t *testing.T) {
	t.Parallel()
	u := newUser("u", nil, nil)
	u.probes[finoos.Banking] = probe{correlation: finoos.Correlation{ID: "before"}}
	services := []finoos.Service{finoos.Banking, finoos.ContractsService}
	u.startSettling(services, "", time.Minute)
	u.startSettling(services, "before", time.Minute)
	for _, tc := range []struct {
		service finoos.Service
		named   map[string]bool
		id      string
		want    bool
	}{
		{finoos.Banking, nil, "before", false},
		{finoos.Banking, nil, "", false},
		{finoos.Banking, nil, "other", true},
		{finoos.Banking, map[string]bool{"before": true}, "before", true},
		{finoos.ContractsService, nil, "first ever", true},
		{finoos.ContractsService, nil, "", false},
	} {
		u.settle.named = tc.named
		if got := u.settle.done(tc.service, finoos.Correlation{ID: tc.id}); got != tc.want {
			t.Errorf("%s shows %q, named %v: done is %v", tc.service, tc.id, tc.named, got)
		}
	}
}
