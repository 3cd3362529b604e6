package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"

	"github.com/google/go-cmp/cmp"
)

// office is a server whose runs take as long as a test says and do nothing
// else. It remembers their reports, as the bucket does, from one server to the
// next; mu guards them.
type office struct {
	t    *testing.T
	cfg  *config.Config
	took func(job string, begun time.Time) time.Duration

	mu      sync.Mutex
	reports map[string][]*report.Earlier // by job, newest first
	starts  map[string][]string          // the scheduled times, and when the run began
	atWork  map[string]bool
	skipped map[string][]string
	silent  bool // the bucket does not answer
}

// newOffice reads jobs by name, each of these lines.
func newOffice(t *testing.T, jobs map[string][]string) *office {
	t.Helper()
	var y strings.Builder
	y.WriteString("finoos: {base_url: http://bank.test, client_id: a, client_secret: b}\nsink: {url: file:///lake}\njobs:\n")
	streams := config.Streams()
	for i, name := range slices.Sorted(mapKeys(jobs)) {
		fmt.Fprintf(&y, "  %s:\n    streams: [%s]\n", name, streams[i])
		for _, line := range jobs[name] {
			fmt.Fprintf(&y, "    %s\n", line)
		}
	}
	return &office{
		t: t, cfg: parsed(t, y.String()), took: func(string, time.Time) time.Duration { return time.Minute },
		reports: map[string][]*report.Earlier{}, starts: map[string][]string{}, atWork: map[string]bool{}, skipped: map[string][]string{},
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// serve serves for a while, then stops as by a signal.
func (f *office) serve(d time.Duration) {
	f.t.Helper()
	s, err := newServer(Options{Config: f.cfg, Watch: f})
	if err != nil {
		f.t.Fatal(err)
	}
	s.run, s.past, s.last = f.run, f.past, f.last
	s.stand = func(context.Context, jobs.StatusOptions) (*jobs.Status, error) { return &jobs.Status{}, nil }
	ctx, cancel := context.WithTimeout(f.t.Context(), d)
	defer cancel()
	if err := s.serve(ctx); !isStop(err, jobs.ReasonInterrupted) {
		f.t.Errorf("serve: %v", err)
	}
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for job, atWork := range f.atWork {
		if atWork {
			f.t.Errorf("%s is still at work", job)
		}
	}
}

func isStop(err error, reason jobs.Reason) bool {
	stop, ok := errors.AsType[*jobs.StopError](err)
	return ok && stop.Reason == reason
}

func (f *office) run(ctx context.Context, o jobs.RunOptions) (*report.Report, error) {
	begun := time.Now()
	f.mu.Lock()
	if f.atWork[o.Job] {
		f.t.Errorf("two runs of %s at once", o.Job)
	}
	f.atWork[o.Job] = true
	zone := o.Config.Jobs[o.Job].Timezone
	f.starts[o.Job] = append(f.starts[o.Job], begun.In(zone).Format("01-02 15:04:05 MST")+" for "+strings.TrimPrefix(o.RunGroup, o.Job+"-"))
	f.mu.Unlock()

	rep, err := &report.Report{RunID: "r", RunGroup: o.RunGroup, Job: o.Job, Started: begun, Outcome: "done", Users: report.UserCounts{Listed: 2, Unchanged: 2}}, error(nil)
	select {
	case <-time.After(f.took(o.Job, begun)):
	case <-ctx.Done():
		time.Sleep(10 * time.Second) // its last commit
		rep.Outcome, rep.Users.Unchanged, err = "stopped", 1, jobs.Stopf(jobs.ReasonInterrupted, "interrupted")
	}
	rep.Finished = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.atWork[o.Job] = false
	f.reports[o.Job] = slices.Insert(f.reports[o.Job], 0, &report.Earlier{Report: *rep})
	return rep, err
}

func (f *office) past(ctx context.Context, job string) (pastReports, error) {
	if f.silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	reports := slices.Clone(f.reports[job])
	return func(yield func(*report.Earlier, error) bool) {
		for _, r := range reports {
			if !yield(r, nil) {
				return
			}
		}
	}, nil
}

// last is the newest run that was done: in an office all users are in every run.
func (f *office) last(ctx context.Context, job string) (began, ended time.Time, err error) {
	if f.silent {
		<-ctx.Done()
		return began, ended, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.reports[job] {
		if r.Whole() && r.CameThrough() {
			return r.Started, r.Finished, nil
		}
	}
	return began, ended, nil
}

func (f *office) Planned(string, time.Time)           {}
func (f *office) Progress(string, report.Progress)    {}
func (f *office) Committed(string, report.Commit)     {}
func (f *office) Ended(string, *report.Report, error) {}
func (f *office) Standing(string, *Standing)          {}
func (f *office) Skipped(job, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skipped[job] = append(f.skipped[job], why)
}

// begun compares the runs so far with those wanted, and forgets them.
func (f *office) begun(job string, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.starts[job]); diff != "" {
		f.t.Errorf("%s: -want +got:\n%s", job, diff)
	}
	f.starts[job] = nil
}

// A bubble's clock begins at midnight UTC of 1 January 2000.

func TestAYearOfRunsKeepsToTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, map[string][]string{
			"nightly": {`schedule: "30 2 * * *"`, "timezone: Europe/Berlin"},
			"hourly":  {`schedule: "15 * * * *"`, "timezone: America/New_York", "catch_up: 1s"},
			"weekly":  {`schedule: "30 2 * * sun"`, "timezone: Europe/Berlin", "jitter: 20m"},
			"called":  nil,
		})
		f.took = func(job string, begun time.Time) time.Duration {
			if job == "hourly" {
				return 40 * time.Minute
			}
			return time.Duration(begun.YearDay()%5) * time.Hour // no night is as long as another
		}
		f.serve(366 * 24 * time.Hour)

		var nights, sundays []string
		for day := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2000; day = day.AddDate(0, 0, 1) {
			clock, zone := "02:30:00", "CET"
			switch date := day.Format("01-02"); {
			case date == "03-26": // there is no 02:30
				clock, zone = "03:30:00", "CEST"
			case date > "03-26" && date <= "10-29": // on the last of them 02:30 comes twice
				zone = "CEST"
			}
			nights = append(nights, day.Format("01-02 ")+clock+" "+zone)
			if day.Weekday() == time.Sunday {
				sundays = append(sundays, nights[len(nights)-1])
			}
		}
		got := f.starts["nightly"]
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], " for ")
		}
		if diff := cmp.Diff(nights, got); diff != "" {
			t.Errorf("nightly: -want +got:\n%s", diff)
		}
		if got := len(f.starts["hourly"]); got != 366*24 {
			t.Errorf("hourly ran %d times in a year of %d hours", got, 366*24)
		}
		if got := f.starts["weekly"]; len(got) != len(sundays) || strings.HasPrefix(got[0]+got[1]+got[2], sundays[0]) {
			t.Errorf("weekly: %d runs on %d Sundays, the first ones %s", len(got), len(sundays), got[:3])
		}
		if len(f.starts["called"])+len(f.skipped) > 0 {
			t.Errorf("a job without a schedule ran %d times; skipped: %v", len(f.starts["called"]), f.skipped)
		}
	})
}

func TestAScheduledTimeThatComesDuringARunIsSkippedOrWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, map[string][]string{
			"skipping": {`schedule: "0 * * * *"`, "catch_up: 1s"},
			"queueing": {`schedule: "0 * * * *"`, "catch_up: 1s", "if_running: queue"},
		})
		f.took = func(_ string, begun time.Time) time.Duration {
			if begun.Hour() == 1 {
				return 150 * time.Minute // until half past three
			}
			return time.Minute
		}
		time.Sleep(30 * time.Minute)
		f.serve(4 * time.Hour)
		f.begun("skipping", "01-01 01:00:00 UTC for 20000101T010000Z", "01-01 04:00:00 UTC for 20000101T040000Z")
		f.begun("queueing", "01-01 01:00:00 UTC for 20000101T010000Z", "01-01 03:30:00 UTC for 20000101T020000Z",
			"01-01 04:00:00 UTC for 20000101T040000Z")
		want := map[string][]string{"skipping": {SkippedRunning, SkippedRunning}, "queueing": {SkippedRunning}}
		if diff := cmp.Diff(want, f.skipped); diff != "" {
			t.Errorf("skipped: -want +got:\n%s", diff)
		}
	})
}

func TestARunThatARestartStoppedIsTakenUpOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, map[string][]string{"nightly": {`schedule: "0 2 * * *"`, "catch_up: 30m"}})
		f.took = func(string, time.Time) time.Duration { return 3 * time.Hour }
		f.serve(4 * time.Hour) // is stopped in the middle, at four
		time.Sleep(time.Minute)
		f.serve(time.Hour) // and again
		f.serve(5 * time.Hour)
		f.serve(time.Hour) // nothing is left to do
		f.begun("nightly", "01-01 02:00:00 UTC for 20000101T020000Z", "01-01 04:01:10 UTC for 20000101T020000Z",
			"01-01 05:01:20 UTC for 20000101T020000Z")
	})
}

// Whenever it is restarted, each night comes to its end once: also while clocks
// are turned, and where a restart stops the run that another had stopped.
func TestAYearOfRestartsMissesNoNightAndRepeatsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newOffice(t, map[string][]string{"nightly": {`schedule: "30 2 * * *"`, "timezone: Europe/Berlin", "catch_up: 30m"}})
		f.took = func(string, time.Time) time.Duration { return 3 * time.Hour }
		random := rand.New(rand.NewPCG(1, 2))
		end := time.Now().Add(366 * 24 * time.Hour)
		for restarts := 0; time.Now().Before(end); restarts++ {
			f.serve(time.Duration(1 + random.Int64N(int64(30*time.Hour))))
			time.Sleep(time.Duration(random.Int64N(int64(29 * time.Minute))))
		}
		ended, stopped := map[string]int{}, 0
		for _, r := range f.reports["nightly"] {
			if r.Outcome == "done" {
				ended[r.RunGroup]++
			} else {
				stopped++
			}
		}
		s, err := config.NewSchedule(f.cfg.Jobs["nightly"])
		if err != nil {
			t.Fatal(err)
		}
		for night := s.Next(end.AddDate(0, 0, -366)); night.Before(end.AddDate(0, 0, -1)); night = s.Next(night) {
			if n := ended[runGroup("nightly", night)]; n != 1 {
				t.Errorf("%s came to its end %d times", night, n)
			}
		}
		if stopped < 20 {
			t.Errorf("only %d runs were stopped in the middle", stopped)
		}
	})
}

func TestARunThatWasMissedIsMadeUpForWithinCatchUp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		late   time.Duration
		before func(f *office)
		begun  []string
	}{
		{"in time", 29 * time.Minute, nil, []string{"01-01 02:29:00 UTC for 20000101T020000Z"}},
		{"too late", 31 * time.Minute, nil, nil},
		{"made by hand", 29 * time.Minute, func(f *office) {
			f.made(2*time.Hour+time.Minute, report.Report{Outcome: "done"})
		}, nil},
		{"too many failed", 29 * time.Minute, func(f *office) {
			f.made(2*time.Hour+time.Minute, report.Report{Outcome: "stopped", Users: report.UserCounts{Listed: 2, Failed: 2}})
		}, nil},
		{"made, with failures", 29 * time.Minute, func(f *office) { f.made(2*time.Hour+time.Minute, report.Report{Outcome: report.DoneWithFailures}) }, nil},
		{"made, but for a service", 29 * time.Minute, func(f *office) { f.made(2*time.Hour+time.Minute, report.Report{Outcome: report.DoneInPart}) }, nil},
		{"made in part", 29 * time.Minute, func(f *office) {
			f.made(2*time.Hour+time.Minute, report.Report{Outcome: "done", Named: 3})
		}, []string{"01-01 02:29:00 UTC for 20000101T020000Z"}},
		{"made before", 29 * time.Minute, func(f *office) {
			f.made(time.Hour, report.Report{Outcome: "done"})
		}, []string{"01-01 02:29:00 UTC for 20000101T020000Z"}},
		{"made by a clock that was wrong", 29 * time.Minute, func(f *office) {
			f.made(10*365*24*time.Hour, report.Report{Outcome: "done"})
		}, []string{"01-01 02:29:00 UTC for 20000101T020000Z"}},
		// The bucket has two minutes to tell.
		{"the bucket is silent", 20 * time.Minute, func(f *office) { f.silent = true }, []string{"01-01 02:22:00 UTC for 20000101T020000Z"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newOffice(t, map[string][]string{"nightly": {`schedule: "0 1,2 * * *"`, "catch_up: 30m"}})
				time.Sleep(2*time.Hour + tc.late)
				if tc.before != nil {
					tc.before(f)
				}
				f.serve(time.Hour)
				f.begun("nightly", tc.begun...)
			})
		})
	}
}

func TestTheLastSuccessIsNoneWhereTheBucketDoesNotTell(t *testing.T) {
	t.Parallel()
	at := time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC)
	for _, err := range []error{nil, errors.New("damaged")} {
		f := newOffice(t, map[string][]string{"nightly": {`schedule: "@yearly"`, "catch_up: 1s"}})
		s, newErr := newServer(Options{Config: f.cfg})
		if newErr != nil {
			t.Fatal(newErr)
		}
		s.last = func(context.Context, string) (began, ended time.Time, _ error) {
			if err != nil {
				return began, ended, err
			}
			return at, at.Add(time.Hour), nil
		}
		if got := s.keepers[0].lastSuccess(t.Context()); got.IsZero() != (err != nil) || err == nil && !got.Equal(at.Add(time.Hour)) {
			t.Errorf("%v: last success %v", err, got)
		}
	}
}

// made adds the report of a run that began so long after midnight.
func (f *office) made(after time.Duration, r report.Report) {
	r.RunID, r.Started = "r", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(after)
	r.Finished = r.Started.Add(time.Minute)
	f.reports["nightly"] = slices.Insert(f.reports["nightly"], 0, &report.Earlier{Report: r})
}

func TestAStoppedServerSaysWhereARunCouldNotCommit(t *testing.T) {
	t.Parallel()
	for reason, want := range map[jobs.Reason]jobs.Reason{
		jobs.ReasonInterrupted: jobs.ReasonInterrupted, jobs.ReasonTooManyFailed: jobs.ReasonInterrupted, jobs.ReasonSink: jobs.ReasonSink, jobs.ReasonUnexpected: jobs.ReasonUnexpected,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newOffice(t, map[string][]string{"a": {`schedule: "* * * * *"`, "catch_up: 1s"}, "b": {`schedule: "@yearly"`, "catch_up: 1s"}})
			s, err := newServer(Options{Config: f.cfg})
			if err != nil {
				t.Fatal(err)
			}
			s.past, s.last = f.past, f.last
			s.stand = func(context.Context, jobs.StatusOptions) (*jobs.Status, error) { return nil, errors.New("none") }
			s.run = func(ctx context.Context, _ jobs.RunOptions) (*report.Report, error) {
				<-ctx.Done()
				return nil, jobs.Stopf(reason, "no")
			}
			time.Sleep(2 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := s.serve(ctx); !isStop(err, want) {
				t.Errorf("reason %d: got %v", reason, err)
			}
		})
	}
}

func TestOfSeveralJobsThatCouldNotCommitTheGravestReasonCounts(t *testing.T) {
	t.Parallel()
	for _, ends := range []map[string]jobs.Reason{
		{"a": jobs.ReasonSink, "b": jobs.ReasonUnexpected, "c": jobs.ReasonInterrupted},
		{"a": jobs.ReasonInterrupted, "b": jobs.ReasonUnexpected, "c": jobs.ReasonSink},
	} {
		synctest.Test(t, func(t *testing.T) {
			every := []string{`schedule: "* * * * *"`, "catch_up: 1s"}
			f := newOffice(t, map[string][]string{"a": every, "b": every, "c": every})
			s, err := newServer(Options{Config: f.cfg})
			if err != nil {
				t.Fatal(err)
			}
			s.past = f.past
			s.stand = func(context.Context, jobs.StatusOptions) (*jobs.Status, error) { return nil, errors.New("none") }
			s.run = func(ctx context.Context, o jobs.RunOptions) (*report.Report, error) {
				<-ctx.Done()
				return nil, jobs.Stopf(ends[o.Job], "no")
			}
			time.Sleep(2 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := s.serve(ctx); !isStop(err, jobs.ReasonUnexpected) {
				t.Errorf("%v: got %v", ends, err)
			}
		})
	}
}

func TestServingNeedsASchedule(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), Options{Config: parsed(t, "finoos: {base_url: http://bank.test, client_id: a, client_secret: b}\nsink: {url: file:///lake}\njobs: {nightly: {}}\n")})
	if !isStop(err, jobs.ReasonConfig) || !strings.Contains(err.Error(), "nightly") {
		t.Errorf("got %v", err)
	}
}

// parsed is a configuration that needs nothing of the environment.
func parsed(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("jobs.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
