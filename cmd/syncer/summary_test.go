package main

import (
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/trouble"
)

func TestASummarySaysWhatWasOddAndNamesOne(t *testing.T) {
	t.Parallel()
	r := &report.Report{Job: "nightly", Outcome: report.Done, Waited: map[trouble.Kind]trouble.Count{trouble.Pause: {Times: 1, Seconds: 30}}, Issues: map[string]report.Issue{
		"rounded":    {Count: 1200, UserID: "u-1", Stream: config.StreamTransactions},
		"unreadable": {Count: 3, Stream: config.StreamContracts}, // of users whose ids are masked
	}}
	var text strings.Builder
	if err := (summary{report: r}).text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"waited    pause asked for, 30 s\n",
		"odd       rounded: 1,200 ", "(such as stream transactions of user u-1)\n",
		"odd       unreadable: 3 ", "(such as stream contracts)\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("lacks %q:\n%s", want, text.String())
		}
	}
}

func TestASummaryTellsWhereTheLimitComesFrom(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 2, 31, 0, 0, time.UTC)
	for want, r := range map[string]*report.Report{
		"limit     39.25 a second, learned\n":                                            {LearnedLimit: 39.25, Pace: report.Pace{From: "learned"}},
		"limit     39.25 a second, recalled from " + day(at) + "\n":                      {LearnedLimit: 39.25, Pace: report.Pace{From: "recalled", Began: 39.25, LearnedAt: at}},
		"limit     20 a second, learned; began at 39.25 of " + day(at) + "\n":            {LearnedLimit: 20, Pace: report.Pace{From: "learned", Began: 39.25, LearnedAt: at}},
		"limit     20 a second, learned; what was remembered of it cannot be true (1)\n": {LearnedLimit: 20, Pace: report.Pace{From: "learned", Ignored: 1}},
		"limit     what was remembered of it cannot be true (2)\n":                       {Pace: report.Pace{Ignored: 2}},
	} {
		var text strings.Builder
		if err := (summary{report: r}).text(&text); err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("%v: lacks %q:\n%s", err, want, text.String())
		}
	}
	var text strings.Builder
	if err := (summary{report: &report.Report{}}).text(&text); err != nil || strings.Contains(text.String(), "limit") {
		t.Errorf("%v: tells of a limit:\n%s", err, text.String())
	}
}

func TestErrorsThatWereJoinedStandOnOneLine(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	if err := (summary{report: &report.Report{Outcome: report.Stopped, Error: "commit: denied\ncall users: refused"}, past: true}).text(&text); err != nil {
		t.Fatal(err)
	}
	if want := "  ended     with: commit: denied; call users: refused\n"; !strings.Contains(text.String(), want) {
		t.Errorf("lacks %q:\n%s", want, text.String())
	}
}

func TestASummaryOfAnEarlierVersionDoesNotDenyWhatWasPulled(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]*report.Report{
		"commits   none that is known of\n":        {Outcome: report.Stopped, Users: report.UserCounts{Listed: 3, Pulled: 3}},
		"commits   none: nothing new was complete": {Outcome: report.Stopped, Users: report.UserCounts{Listed: 3}},
		"commits   none: nothing to write":         {Outcome: report.Done, Users: report.UserCounts{Listed: 3, Unchanged: 3}},
	} {
		var text strings.Builder
		if err := (summary{report: r}).text(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), want) {
			t.Errorf("lacks %q:\n%s", want, text.String())
		}
	}
}

func TestASummaryDeniesNoLossAndNamesWhatWasDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		report *report.Report
		want   []string
		not    []string
	}{
		{
			&report.Report{Outcome: report.Interrupted, Users: report.UserCounts{Listed: 1200, Pulled: 200}, Unreached: 1000},
			[]string{"  unreached 1,000 users of 1,200: the next run begins with them\n"},
			[]string{"not kept"},
		},
		{
			&report.Report{Outcome: report.Stopped, AllUnreached: true},
			[]string{"  unreached nobody: it ended before it was known who is there\n"},
			[]string{"not kept", "nothing to write"},
		},
		{
			&report.Report{Outcome: report.Stopped, Users: report.UserCounts{Listed: 3, Pulled: 3}, NotKept: &report.NotKept{Users: 3, Rows: 70}},
			[]string{"  not kept  ", "70 rows", "not committed", "none that is known of: see what was not kept"},
			[]string{"unreached", "nothing to write"},
		},
		{
			&report.Report{Outcome: report.DoneInPart, Services: map[string]report.Trouble{"banking": {PassedOver: 1200, Error: "503"}}},
			[]string{"  down      banking since", "1,200 users passed over: 503\n"},
			nil,
		},
		{
			&report.Report{Outcome: report.Done, Users: report.UserCounts{Listed: 3, Unchanged: 3}},
			[]string{"nothing to write"},
			[]string{"unreached", "not kept", "down"},
		},
	} {
		var text strings.Builder
		if err := (summary{report: c.report}).text(&text); err != nil {
			t.Fatal(err)
		}
		whole := strings.Join(strings.Fields(text.String()), " ")
		for _, want := range c.want {
			if !strings.Contains(whole, strings.Join(strings.Fields(want), " ")) {
				t.Errorf("lacks %q:\n%s", want, text.String())
			}
		}
		for _, not := range c.not {
			if strings.Contains(whole, not) {
				t.Errorf("has %q:\n%s", not, text.String())
			}
		}
	}
}
