package jobs

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

// after is the report of a run that took so long, with so many users.
func after(length time.Duration, users int) *report.Report {
	streams := []config.Stream{config.StreamAccounts, config.StreamContracts}
	o := RunOptions{Job: "nightly", Now: time.Now}
	tl := newTally(&o, "01JDXXXXXXXXXXXXXXXXXXXXXX", streams)
	for at := time.Duration(0); at < length; {
		at += tl.sample(finoos.Stats{Requests: int64(at.Seconds() * 20), Refused: int64(at.Seconds())}, at)
	}
	began := time.Now()
	for i := range users {
		u := newUser(fmt.Sprintf("user %030d", i), nil, nil)
		u.pulledAt = make([]time.Time, len(streams))
		for _, s := range streams {
			tl.pulled(&pull.Result{User: u.ID, Stream: s, Outcome: pull.Failed, Class: finoos.Forbidden, Began: began.Add(-time.Duration(i))}, cursors.Cursor{Failures: 3})
			u.Cursors[s] = cursors.Cursor{PulledAt: began.Add(-time.Duration(i) * time.Second)}
		}
		tl.took(report.StageSync, u.ID, time.Duration(i))
		tl.took(report.StageSettle, u.ID, time.Duration(users-i))
		tl.left(u, streams, began)
	}
	return tl.finish(o.Now(), finoos.Stats{}, length, true, nil)
}

func TestAReportIsOfBoundedSizeHoweverLongTheRun(t *testing.T) {
	t.Parallel()
	size := func(r *report.Report) int {
		body, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return len(body)
	}
	day, month := size(after(24*time.Hour, 2000)), size(after(30*24*time.Hour, 40_000))
	// What grows is the numbers' digits, and how full the last round of points is.
	if month > 256<<10 || float64(month) > 1.2*float64(day) {
		t.Errorf("%d bytes after a day, %d after a month with twenty times the users", day, month)
	}
	if r := after(time.Hour, 2000); r.FailuresByClass[finoos.Forbidden] != 4000 || len(r.Failures) != report.MaxFailures {
		t.Errorf("%v failures by class, %d listed", r.FailuresByClass, len(r.Failures))
	}
}
