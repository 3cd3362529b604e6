package jobs

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

func TestAReportTellsTheCourseOfTheRun(t *testing.T) {
	t.Parallel()
	o := banktest.Still(4)
	o.Faults.Users = map[string]map[string]sandbox.UserFault{"1": {"contracts": {Kind: sandbox.Rejected}}}
	o.Faults.Latency = 100 * time.Millisecond
	inBubble(t, o, func(b *bank) {
		t := b.t
		lines := []string{"streams: [users, bank_logins, contracts]", "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 20s}", "failures: {max_ratio: 1}"}
		began := time.Now()
		first := b.run(lines...)
		var sum report.Point
		for _, p := range first.Timeline {
			sum = sum.And(p)
		}
		if took := time.Since(began); sum.At > took.Seconds() || sum.At < 1 || first.Took() != time.Duration(sum.At*float64(time.Second)) {
			t.Errorf("the timeline ends at %g s, the run took %v", sum.At, took)
		}
		if n := len(first.Timeline); n < 10 {
			t.Errorf("%d points", n)
		}
		if sum.Requests != first.Requests || sum.Users != 4 || sum.Commits != int64(first.Commits) || sum.Rows == 0 {
			t.Errorf("the timeline sums up to %+v, but %d requests, %d commits", sum, first.Requests, first.Commits)
		}
		if diff := cmp.Diff(map[finoos.Class]int64{finoos.Invalid: 1}, first.FailuresByClass); diff != "" {
			t.Error(diff)
		}
		for _, stage := range []string{report.StageSync, report.StageSettle, "bank_logins", "contracts"} {
			if top := first.Slowest[stage]; len(top) == 0 || top[0].Seconds < 0.1 {
				t.Errorf("slowest in %s: %v", stage, top)
			}
		}
		want := report.Freshness{Before: report.Ages{Never: 4}, After: report.Ages{Users: 3, Never: 1}}
		if got := first.Freshness[config.StreamContracts]; got.Before != want.Before || got.After.Users != 3 || got.After.Never != 1 || got.After.Oldest > 60 {
			t.Errorf("freshness of contracts: %+v, want %+v", got, want)
		}
		b.Night()
		got := b.run("streams: [users, bank_logins, contracts]", "failures: {max_ratio: 1}").Freshness[config.StreamContracts]
		if a := got.Before; a.Users != 3 || a.Oldest < 20*3600 || a.Oldest > 28*3600 {
			t.Errorf("freshness a night later: %+v", got)
		}
	})
}

func TestAReportIsFoundByItsRunAndByBeingTheNewest(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		t, log := b.t, slog.New(slog.DiscardHandler)
		cfg := b.config("streams: [contracts]")
		find := func(job, run string) (*report.Stored, error) {
			return FindReport(t.Context(), cfg, job, run, log)
		}
		refuses := func(run, want string) {
			t.Helper()
			_, err := find("", run)
			stop, ok := errors.AsType[*StopError](err)
			if !ok || stop.Reason != ReasonConfig || !strings.Contains(err.Error(), want) {
				t.Errorf("run %q: %v, want %q", run, err, want)
			}
		}
		refuses(report.Latest, "there is no report of any run of nightly")
		old := b.run("streams: [contracts]")
		time.Sleep(time.Second) // by the bubble's clock: run ids sort by it
		last := b.run("streams: [contracts]")
		for run, want := range map[string]*report.Report{report.Latest: last, old.RunID: old, strings.ToLower(old.RunID): old} {
			for _, job := range []string{"", "nightly"} {
				got, err := find(job, run)
				if err != nil {
					t.Fatal(err)
				}
				if got.Report.RunID != want.RunID || !strings.Contains(string(got.Body), want.RunID) {
					t.Errorf("run %s is %s", run, got.Report.RunID)
				}
			}
		}
		refuses("../../../x", `"../../../x" is no run`)
		refuses("01JD0000000000000000000000", "leaves none")
		if _, err := find("hourly", report.Latest); err == nil || !strings.Contains(err.Error(), `no job is called "hourly"`) {
			t.Error(err)
		}
	})
}
