package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// judged is what a run ends with that has counted users, noted reservations and
// ended its steps with runErr; and the outcome in its report.
func judged(t *testing.T, o RunOptions, ratio float64, users report.UserCounts, runErr error, reserved ...string) (outcome string, err error) {
	t.Helper()
	if o.Shard.Count == 0 {
		o.Shard.Count = 1
	}
	o.Now = time.Now
	s := testSession(o, ratio)
	s.tally.update(func(rep *report.Report) { rep.Users = users })
	for _, text := range reserved {
		s.reserve("%s", text)
	}
	err = s.judge(t.Context(), runErr)
	return outcomeOf(&s.tally.report, err), err
}

func TestARatioOfFailedUsersHasAFloor(t *testing.T) {
	t.Parallel()
	named, again := RunOptions{Users: []string{"a"}}, RunOptions{OnlyFailed: true}
	shards := func(n int) RunOptions { return RunOptions{Shard: cursors.Shard{Count: n}} }
	for name, tc := range map[string]struct {
		o       RunOptions
		ratio   float64
		n, want int64
	}{
		"nobody":                           {ratio: 0.005, n: 0, want: 0},
		"below ten only the ratio":         {ratio: 0.005, n: 9, want: 0},
		"below ten a large ratio":          {ratio: 0.5, n: 9, want: 4},
		"one of ten":                       {ratio: 0, n: 10, want: 1},
		"a tenth, rounded down":            {ratio: 0.005, n: 29, want: 2},
		"a tenth of a hundred":             {ratio: 0.005, n: 100, want: 10},
		"at most ten":                      {ratio: 0.005, n: 1900, want: 10},
		"the ratio, where it is more":      {ratio: 0.005, n: 2400, want: 12},
		"a ratio that floats fall short":   {ratio: 0.29, n: 100, want: 29},
		"four shards share the ten":        {o: shards(4), ratio: 0.005, n: 400, want: 2},
		"of sixteen shards each has one":   {o: shards(16), ratio: 0, n: 10, want: 1},
		"but not where they have nine":     {o: shards(16), ratio: 0, n: 9, want: 0},
		"of four shards the smaller tenth": {o: shards(4), ratio: 0, n: 19, want: 1},
		"none for named users":             {o: named, ratio: 0.005, n: 100, want: 0},
		"the ratio for named users":        {o: named, ratio: 0.05, n: 50, want: 2},
		"none for those that failed":       {o: again, ratio: 0.005, n: 100, want: 0},
	} {
		for _, paused := range []int64{0, 1} {
			for _, more := range []int64{0, 1} {
				failed := tc.want + more
				users := report.UserCounts{Listed: tc.n, Pulled: tc.n - failed, Failed: failed}
				if failed > tc.n || paused > failed {
					continue
				}
				users.Failed, users.Quarantined = failed-paused, paused
				outcome, err := judged(t, tc.o, tc.ratio, users, nil)
				reason, stopped := ReasonOf(err)
				if stopped != (more > 0) || stopped && reason != ReasonTooManyFailed {
					t.Errorf("%s: %d of %d, %d in quarantine: %v", name, failed, tc.n, paused, err)
				}
				if stopped && !strings.Contains(err.Error(), fmt.Sprintf("%d of %d users failed", failed, tc.n)) ||
					stopped && !strings.Contains(err.Error(), fmt.Sprintf("no more than %d may", tc.want)) {
					t.Errorf("%s: %v", name, err)
				}
				if want := map[bool]string{true: report.DoneWithFailures, false: report.Done}[stopped || users.Failed > 0]; outcome != want {
					t.Errorf("%s: %d failed, %v: outcome %s, want %s", name, failed, err, outcome, want)
				}
			}
		}
	}
}

func TestAReservationEndsARunThatCameThroughWithAReasonOfItsOwn(t *testing.T) {
	t.Parallel()
	well := report.UserCounts{Listed: 20, Pulled: 20}
	bad := report.UserCounts{Listed: 20, Pulled: 10, Failed: 10}
	cut := report.UserCounts{Listed: 30, Pulled: 20}
	left := Stopf(ReasonTooManyFailed, "users are left")
	for name, tc := range map[string]struct {
		users    report.UserCounts
		runErr   error
		reserved []string
		want     Reason
		outcome  string
		says     string
	}{
		"one":                        {well, nil, []string{"the list is odd"}, ReasonPartial, report.DoneInPart, "the list is odd"},
		"the same twice, and one":    {well, nil, []string{"odd", "down", "odd"}, ReasonPartial, report.DoneInPart, "odd; down"},
		"too many failed, too":       {bad, nil, []string{"odd"}, ReasonPartial, report.DoneInPart, "odd; 10 of 20 users failed"},
		"only too many failed":       {bad, nil, nil, ReasonTooManyFailed, report.DoneWithFailures, "10 of 20 users failed"},
		"users left of a backfill":   {well, left, []string{"odd"}, ReasonPartial, report.DoneInPart, "users are left; odd"},
		"said by a step":             {bad, Stopf(ReasonPartial, "step"), []string{"odd"}, ReasonPartial, report.DoneInPart, "step; odd; 10 of 20"},
		"cut by the deadline":        {cut, nil, []string{"odd"}, ReasonPartial, report.DoneInPart, "odd"},
		"a signal counts more":       {well, stopReason(errInterrupted), []string{"odd"}, ReasonInterrupted, report.Interrupted, "interrupted"},
		"an outage counts more":      {bad, Stopf(ReasonAPI, "down"), []string{"odd"}, ReasonAPI, report.Stopped, "down"},
		"what nobody foresaw, too":   {bad, stopReason(errors.New("x")), []string{"odd"}, ReasonUnexpected, report.Stopped, "x"},
		"a backfill that is unended": {well, left, nil, ReasonTooManyFailed, report.DoneWithFailures, "users are left"},
	} {
		outcome, err := judged(t, RunOptions{}, 0.005, tc.users, tc.runErr, tc.reserved...)
		stop, ok := err.(*StopError) //nolint:errorlint // as it is documented
		if !ok || stop.Reason != tc.want || !strings.HasPrefix(err.Error(), tc.says) || outcome != tc.outcome {
			t.Errorf("%s: %v, %s", name, err, outcome)
		}
		if n := strings.Count(fmt.Sprint(err), "odd"); n > 1 {
			t.Errorf("%s: said %d times: %v", name, n, err)
		}
	}
}

func TestAnEndThatJoinsSeveralHasTheGravestReason(t *testing.T) {
	t.Parallel()
	api, sink := Stopf(ReasonAPI, "down"), fmt.Errorf("commit: %w", Stopf(ReasonSink, "refused"))
	err := stopReason(errors.Join(api, fmt.Errorf("step: %w", sink)))
	stop, ok := err.(*StopError) //nolint:errorlint // as it is documented
	if !ok || stop.Reason != ReasonSink || !strings.Contains(err.Error(), "down") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	if _, ok := ReasonOf(errors.New("x")); ok || !IsWhole(nil) || IsWhole(errors.New("x")) || IsWhole(context.Canceled) {
		t.Error("what has no reason got one")
	}
}

func TestWhatIsDamagedInTheBucketIsTheSinksTrouble(t *testing.T) {
	t.Parallel()
	for _, damage := range []error{sink.ErrForged, sink.ErrLog, cursors.ErrDamaged, cursors.ErrCorrupt} {
		err := stopReason(fmt.Errorf("open sink: %w: _syncer/j/log/1.json", damage))
		if reason, ok := ReasonOf(err); !ok || reason != ReasonSink {
			t.Errorf("%v has the reason %v", err, reason)
		}
	}
}

func TestARunWithFailedUsersIsNotStopped(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(12), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		if rep := b.run(); rep.Outcome != report.DoneWithFailures || rep.Users.Failed != 1 || rep.Error != "" {
			t.Errorf("one of twelve: %s, %s, %+v", rep.Outcome, rep.Error, rep.Users)
		}
		b.Night()
		o := b.options(b.config())
		o.Users = []string{b.UserID(1), b.UserID(2)}
		rep, _ := b.stops(t.Context(), ReasonTooManyFailed, o)
		if rep.Outcome != report.DoneWithFailures || rep.Error == "" {
			t.Errorf("one of two that were named: %s, %q", rep.Outcome, rep.Error)
		}
	})
}

// testSession is a session as far as its end needs it.
func testSession(o RunOptions, ratio float64) *session {
	job := &config.Job{}
	job.Failures.MaxRatio = ratio
	return &session{o: o, job: job, log: slog.New(slog.DiscardHandler), tally: newTally(&o, "run", nil)}
}
