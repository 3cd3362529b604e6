package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/trouble"

	"github.com/google/go-cmp/cmp"
)

func TestWhileNothingMovesNoTimeIsGuessedAndItIsSaidWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&console{w: &out, width: func() int { return 80 }}, nil, time.Now)
		s := report.Progress{Phase: "pull users", UsersTotal: 2000, Rate: 20}
		shows := func(want string) {
			t.Helper()
			out.Reset()
			p.report(t.Context(), s)
			if diff := cmp.Diff(eraseLine+want, out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		p.report(t.Context(), s)
		time.Sleep(10 * time.Second)
		s.UsersDone = 500
		shows("pull users  [#####...............]  25 %  500/2,000 users  30s left  20.0 req/s")

		s.Stats.Retries, s.Trouble = 1234, trouble.State{Kind: trouble.Network, Since: time.Now()}
		for range 60 {
			time.Sleep(time.Second)
			p.report(t.Context(), s)
		}
		shows("pull users  25 %  no answer, 1m0s  500/2,000 users  1,234 tried again")

		s.Trouble, s.UsersDone, s.Stats.Retries = trouble.State{}, 501, 0
		time.Sleep(time.Second) // the minute does not count, but the second does
		shows("pull users  [#####...............]  25 %  501/2,000 users  33s left  20.0 req/s")

		time.Sleep(10 * time.Second)
		shows("pull users  [#####...............]  25 %  501/2,000 users  nothing new for 10s")
		s.UsersDone = 502
		out.Reset()
		p.report(t.Context(), s)
		if strings.Contains(out.String(), "nothing") {
			t.Errorf("something moved: %s", &out)
		}
	})
}

func TestALeaseThatIsWaitedForIsShownWithTheTimeThatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&console{w: &out, width: func() int { return 80 }}, nil, time.Now)
		p.report(t.Context(), report.Progress{Phase: "lease and recover", Trouble: trouble.State{Kind: trouble.Lease, Since: time.Now(), Until: time.Now().Add(90 * time.Second)}})
		if diff := cmp.Diff(eraseLine+"lease and recover  another run at work, 1m30s still  0.0 req/s  0 rows", out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestProgressLinesInALogSayWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, err := newLogger(&out, formatText, "info")
		if err != nil {
			t.Fatal(err)
		}
		p := newProgress(&console{w: &out, plain: true}, log, time.Now)
		s := report.Progress{Phase: "pull users", Stats: finoos.Stats{Retries: 7}, Trouble: trouble.State{Kind: trouble.Store, Since: time.Now()}}
		p.report(t.Context(), s)
		time.Sleep(logEvery)
		p.report(t.Context(), s)
		s.Trouble = trouble.State{}
		time.Sleep(logEvery)
		p.report(t.Context(), s)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `tried_again=7`) || !strings.HasSuffix(lines[0], `waits_for="store fails, 30s"`) || !strings.HasSuffix(lines[1], "nothing_new_for=1m0s") {
			t.Errorf("%s", &out)
		}
	})
}
