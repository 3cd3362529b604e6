package trouble

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/trouble/troubletest"
)

// spoken is a watch and what it has said, each line with the second that it was said in.
type spoken struct {
	*Watch
	lines *troubletest.Lines
}

func setup(t *testing.T) spoken {
	t.Helper()
	began, lines := time.Now(), &troubletest.Lines{}
	h := slog.NewTextHandler(lines, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.String("at", fmt.Sprintf("%.1fs", time.Since(began).Seconds()))
		}
		return a
	}})
	w := New(slog.New(h))
	t.Cleanup(w.Close)
	return spoken{w, lines}
}

// says fails unless exactly these lines were said since it was asked last.
func (s spoken) says(t *testing.T, want ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(s.lines.String(), "\n"), "\n")
	if s.lines.Len() == 0 {
		got = nil
	}
	s.lines.Reset()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("said:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// settle lets what is said by itself be said at other instants than what is told.
func (s spoken) settle() {
	s.Begin(Network)
	s.End(Network)
	time.Sleep(500 * time.Millisecond)
}

// refused fails once a second for n seconds, by many at once.
func (s spoken) refused(n, workers int) {
	for range n {
		for i := range workers {
			s.Failed(Network, Failure{Cause: "connection refused", User: fmt.Sprint("u", i), Since: time.Now(), Tries: 2 * time.Minute})
		}
		time.Sleep(time.Second)
	}
}

func TestManyInTheSameTroubleAreOneLineAMinuteAndOneWhenItIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.settle()
		s.refused(5, 64)
		s.says(t)
		s.refused(1, 64)
		s.says(t, `at=5.5s level=WARN msg="the API does not answer" cause="connection refused" for="5.0 s" tries=321 trying_for="2 min"`)
		s.refused(124, 64)
		s.says(t,
			`at=65.5s level=WARN msg="the API still does not answer" cause="connection refused" for="1 min 5 s" tries=4161 trying_for="2 min"`,
			`at=125.5s level=WARN msg="the API still does not answer" cause="connection refused" for="2 min 5 s" tries=8001 trying_for="2 min"`)
		for range 64 {
			s.Good(Network)
		}
		s.says(t, `at=130.5s level=WARN msg="the API answers again" for="2 min 10 s" tries=8320`)
		if n := s.Counts()[Network]; n != (Count{Times: 1, Seconds: 130, Tries: 8320}) || len(s.Counts()) != 1 {
			t.Errorf("counted %+v", s.Counts())
		}
	})
}

func TestWhatFailsBesideOthersThatDoNotIsNoTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for range 300 {
			s.Failed(Errors, Failure{Cause: "500", User: "u"})
			time.Sleep(time.Second)
			s.Good(Errors)
		}
		s.says(t)
		if n := s.Counts(); n != nil {
			t.Errorf("counted %+v", n)
		}
	})
}

func TestWhatFailsForOneUserAloneIsNoWarning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.Failed(Errors, Failure{Cause: "500 Internal Server Error", User: "u"})
		time.Sleep(6 * time.Second)
		s.says(t, `at=5.0s level=INFO msg="the API fails for one user" cause="500 Internal Server Error" for="5.0 s" tries=1`)
		s.Failed(Errors, Failure{Cause: "500 Internal Server Error", User: "v"})
		s.says(t, `at=6.0s level=WARN msg="the API answers with errors" cause="500 Internal Server Error" for="6.0 s" tries=2`)
		s.Good(Errors)
		s.says(t, `at=6.0s level=WARN msg="the API answers without errors again" for="6.0 s" tries=2`)
	})
}

func TestWhoNoLongerTriesIsNotSpokenOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.refused(6, 1)
		s.lines.Reset()
		time.Sleep(time.Hour)
		s.says(t)
		if s.Now() != (State{}) || s.Counts()[Network] != (Count{Times: 1, Seconds: 5, Tries: 6}) {
			t.Errorf("still in trouble: %+v, counted %+v", s.Now(), s.Counts())
		}
	})
}

func TestAFailureThatTookLongIsSpokenOfAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		sent := time.Now()
		time.Sleep(10 * time.Second)
		s.Failed(Network, Failure{Cause: "connecting takes too long", Since: sent, Do: "look at the firewall"})
		s.says(t, `at=10.0s level=WARN msg="the API does not answer" cause="connecting takes too long" for="10 s" tries=1 hint="look at the firewall"`)
	})
}

func TestASlowFailureBesideOthersThatAreServedIsNoTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		sent := time.Now()
		time.Sleep(29 * time.Second)
		s.Good(Network)
		time.Sleep(time.Second)
		s.Failed(Network, Failure{Cause: "no answer within 30s", Since: sent})
		time.Sleep(3 * time.Second)
		s.Good(Network)
		s.says(t)
		if s.Counts() != nil {
			t.Errorf("counted %+v", s.Counts())
		}
	})
}

func TestSilenceIsTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.Begin(Store)
		s.Begin(Store)
		time.Sleep(76 * time.Second)
		s.says(t,
			`at=15.0s level=WARN msg="the store does not serve" cause="nothing comes back" for="15 s"`,
			`at=75.0s level=WARN msg="the store still does not serve" cause="nothing comes back" for="1 min 15 s"`)
		s.End(Store)
		s.Good(Store)
		s.says(t, `at=76.0s level=WARN msg="the store serves again" for="1 min 16 s"`)
		time.Sleep(2 * time.Minute) // the other is as slow
		s.says(t)
		s.End(Store)
		s.Good(Store)
		time.Sleep(time.Hour) // nothing is under way
		s.says(t)
	})
}

func TestWhatComesAndGoesFillsNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for range 360 { // an hour
			s.refused(7, 4)
			s.Good(Network)
			time.Sleep(3 * time.Second)
		}
		if n := strings.Count(s.lines.String(), "\n"); n > 20 {
			t.Errorf("%d lines in an hour:\n%s", n, s.lines)
		}
		if n := s.Counts()[Network]; n.Times != 360 || n.Seconds != 7*360 {
			t.Errorf("counted %+v", n)
		}
	})
}

func TestWhatIsWaitedForIsToldAtOnceAndForHowLongStill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		end := time.Now().Add(90 * time.Second)
		until := end.UTC().Format("2006-01-02T15:04:05.000Z")
		for range 80 {
			s.Wait(Lease, end, slog.String("holder", "h"))
			time.Sleep(time.Second)
		}
		s.says(t,
			`at=0.0s level=WARN msg="another run is at work: waiting for it" holder=h until=`+until+` left="1 min 30 s"`,
			`at=60.0s level=WARN msg="another run is still at work: waiting for it" for="1 min" holder=h until=`+until+` left="30 s"`)
		if now := s.Now(); now.Kind != Lease || !now.Until.Equal(end) || !s.Waiting(Lease) {
			t.Errorf("now: %+v", now)
		}
		s.Over(Lease)
		s.Over(Lease)
		s.says(t, `at=80.0s level=WARN msg="the other run is no longer at work" for="1 min 20 s"`)
		if s.Counts()[Lease] != (Count{Times: 1, Seconds: 80}) || s.Now() != (State{}) {
			t.Errorf("counted %+v, now %+v", s.Counts(), s.Now())
		}
	})
}

func TestAClosedWatchIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.Begin(Network)
		s.Failed(Network, Failure{Cause: "x"})
		s.Close()
		time.Sleep(time.Hour)
		s.refused(10, 1)
		s.says(t)
		var none *Watch
		none.Begin(Network)
		none.Failed(Network, Failure{})
		none.Wait(Lease, time.Time{})
		none.Good(Network)
		none.End(Network)
		none.Over(Lease)
		none.Close()
		if none.Counts() != nil || none.Now() != (State{}) || none.Waiting(Lease) {
			t.Error("a watch that is none has counted")
		}
	})
}

func TestEveryKindHasWordsAndAPlace(t *testing.T) {
	t.Parallel()
	if len(inOrder) != len(said) {
		t.Errorf("%d kinds in order, %d with words", len(inOrder), len(said))
	}
	for _, k := range inOrder {
		if w := said[k]; w.begins == "" || w.lasts == "" || w.ends == "" || k.Short() == "" || k.String() != w.begins {
			t.Errorf("%s has the words %+v", string(k), w)
		}
	}
}

func TestAPauseThatNobodyAsksAfterIsOverAtItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.Wait(Pause, time.Now().Add(30*time.Second))
		time.Sleep(40 * time.Second) // the last request was refused, and now the run commits
		if now, n := s.Now(), s.Counts()[Pause]; now != (State{}) || n.Seconds != 30 {
			t.Errorf("now %+v, counted %+v", now, n)
		}
		time.Sleep(time.Hour)
		if said := s.lines.String(); strings.Contains(said, "still") || strings.Count(said, "\n") != 2 || !strings.Contains(said, `msg="the pause of all requests is over" for="30 s"`) {
			t.Errorf("said:\n%s", said)
		}
		if n := s.Counts()[Pause]; n != (Count{Times: 1, Seconds: 30}) {
			t.Errorf("counted %+v", n)
		}
	})
}

func TestPausesOneAfterAnotherAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for range 20 {
			s.Wait(Pause, time.Now().Add(6*time.Second))
			time.Sleep(7 * time.Second)
		}
		if n := strings.Count(s.lines.String(), "\n"); n != 3 {
			t.Errorf("%d lines in two minutes:\n%s", n, s.lines)
		}
	})
}

func TestOneLongSilenceDoesNotHideTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.Begin(Store)
		time.Sleep(time.Hour) // a disk hangs
		s.End(Store)
		s.Good(Store)
		time.Sleep(time.Hour)
		s.lines.Reset()
		s.Begin(Store)
		time.Sleep(6 * time.Minute)
		if !strings.Contains(s.lines.String(), "the store does not serve") {
			t.Errorf("nothing is said for six minutes: %s", s.lines)
		}
	})
}

func TestPausesThatComeAndGoFillNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for range 360 { // an hour
			s.Wait(Pause, time.Now().Add(8*time.Second))
			time.Sleep(8 * time.Second)
			s.Over(Pause) // one is served, and the next refused
			time.Sleep(2 * time.Second)
		}
		if n := strings.Count(s.lines.String(), "\n"); n > 20 {
			t.Errorf("%d lines in an hour", n)
		}
		if n := s.Counts()[Pause]; n.Times != 360 || n.Seconds != 8*360 {
			t.Errorf("counted %+v", n)
		}
	})
}
