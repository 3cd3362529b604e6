package metrics

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/jobs/service"
	"finoos-syncer/internal/trouble"
)

// page is what Prometheus reads.
func page(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	return w.Body.String()
}

// shows fails unless the page has these lines.
func shows(t *testing.T, m *Metrics, lines ...string) {
	t.Helper()
	body := page(t, m)
	for _, line := range lines {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("the page lacks %s", line)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

func stats(ok, refused int64) finoos.Stats {
	return finoos.Stats{Requests: ok + refused, Refused: refused, Bytes: 10 * ok, Answers: map[finoos.Answer]int64{
		{Operation: "users", Status: 200}: ok, {Operation: "users", Status: 429}: refused, {Operation: "users"}: 1,
	}}
}

func TestTheLimitIsShownByWhereItComesFrom(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	for _, origin := range []string{finoos.LimitRecalled, finoos.LimitLearned} {
		m.Progress("nightly", report.Progress{Stats: finoos.Stats{LearnedLimit: 39.5, LimitFrom: origin}})
		other := finoos.LimitLearned
		if origin == other {
			other = finoos.LimitRecalled
		}
		shows(t, m, `syncer_api_limit_per_second{job_name="nightly",origin="`+origin+`"} 39.5`, `syncer_api_limit_per_second{job_name="nightly",origin="`+other+`"} 0`)
	}
}

func TestCountersGrowOverSeveralRunsWhoseOwnBeginAtZero(t *testing.T) {
	t.Parallel()
	m := New(Build{Version: "1.2", Commit: "abc", Go: "go1"})
	at := time.Unix(1_000_000, 500_000_000)
	for range 2 {
		m.Progress("nightly", report.Progress{Rate: 7, UsersDone: 1, UsersTotal: 3, Stats: stats(3, 1)})
		waited := map[trouble.Kind]trouble.Count{trouble.Network: {Times: 1, Seconds: 6.5, Tries: 3}}
		m.Progress("nightly", report.Progress{Rate: 8, UsersDone: 2, UsersTotal: 3, Stats: stats(5, 2), Waited: waited})
		m.Progress("nightly", report.Progress{Rate: 8, UsersDone: 2, UsersTotal: 3, Stats: stats(5, 2), Waited: waited})
		shows(t, m, `syncer_running{job_name="nightly"} 1`, `syncer_requests_per_second{job_name="nightly"} 8`)
		m.Committed("nightly", report.Commit{Took: time.Second, Tables: map[string]report.Table{"users": {Rows: 4, Bytes: 100}}})
		m.Ended("nightly", &report.Report{
			Outcome: "done", Finished: at, Users: report.UserCounts{Pulled: 2, Failed: 1}, SyncSessions: map[string]int64{"synced": 2},
			Streams: map[config.Stream]*report.Stream{config.StreamContracts: {NotAsked: 3, Pulled: 1}}, Probe: &report.Probe{AskedOne: 4, Misled: 1},
		}, nil)
	}
	m.Ended("nightly", &report.Report{Outcome: "stopped", Finished: at.Add(time.Hour)}, &jobs.StopError{Reason: jobs.ReasonAPI, Err: errors.New("down")})
	m.Skipped("nightly", service.SkippedRunning)
	m.Planned("nightly", at.Add(2*time.Hour))
	shows(
		t, m, `syncer_build_info{commit="abc",go="go1",version="1.2"} 1`,
		`syncer_requests_total{job_name="nightly",operation="users",status="200"} 10`,
		`syncer_requests_total{job_name="nightly",operation="users",status="429"} 4`,
		`syncer_requests_total{job_name="nightly",operation="users",status="none"} 2`,
		`syncer_waited_seconds_total{for="api_network",job_name="nightly"} 13`,
		`syncer_requests_refused_total{job_name="nightly"} 4`, `syncer_received_bytes_total{job_name="nightly"} 100`,
		`syncer_rows_total{job_name="nightly",table="users"} 8`, `syncer_bytes_total{job_name="nightly",table="users"} 200`,
		`syncer_commit_duration_seconds_count{job_name="nightly"} 2`, `syncer_commit_duration_seconds_sum{job_name="nightly"} 2`,
		`syncer_users_total{job_name="nightly",outcome="failed"} 2`, `syncer_sync_sessions_total{job_name="nightly",outcome="synced"} 4`,
		`syncer_streams_total{job_name="nightly",outcome="not_asked",stream="contracts"} 6`,
		`syncer_streams_total{job_name="nightly",outcome="pulled",stream="contracts"} 2`,
		`syncer_probed_total{job_name="nightly",outcome="one"} 8`, `syncer_probed_total{job_name="nightly",outcome="misled"} 2`,
		`syncer_runs_total{job_name="nightly",outcome="done"} 2`, `syncer_runs_total{job_name="nightly",outcome="api"} 1`,
		`syncer_runs_skipped_total{job_name="nightly",reason="running"} 1`, `syncer_running{job_name="nightly"} 0`,
		`syncer_last_success_timestamp_seconds{job_name="nightly"} 1.0000005e+06`,
		`syncer_last_run_timestamp_seconds{job_name="nightly"} 1.0036005e+06`, `syncer_next_run_timestamp_seconds{job_name="nightly"} 1.0072005e+06`,
	)
}

func TestARunThatCameThroughIsASuccessByItsOwnName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		outcome string
		err     error
		label   string
		success bool
	}{
		"some failed":         {report.DoneWithFailures, nil, "done_with_failures", true},
		"too many failed":     {report.DoneWithFailures, jobs.Stopf(jobs.ReasonTooManyFailed, "x"), "too_many_failed", true},
		"a service down":      {report.DoneInPart, jobs.Stopf(jobs.ReasonPartial, "x"), "done_in_part", true},
		"the deadline":        {report.Deadline, nil, "deadline", false},
		"not closed":          {report.Done, jobs.Stopf(jobs.ReasonSink, "x"), "sink", false},
		"not closed, and bad": {report.DoneInPart, errors.Join(jobs.Stopf(jobs.ReasonPartial, "x"), jobs.Stopf(jobs.ReasonSink, "x")), "sink", false},
	} {
		m := New(Build{})
		m.Ended("nightly", &report.Report{Outcome: tc.outcome, Finished: time.Unix(500, 0)}, tc.err)
		shows(t, m, `syncer_runs_total{job_name="nightly",outcome="`+tc.label+`"} 1`)
		if got := strings.Contains(page(t, m), `syncer_last_success_timestamp_seconds{job_name="nightly"} 500`); got != tc.success {
			t.Errorf("%s: a success: %t", name, got)
		}
	}
}

func TestFreshnessIsTheTimeOfTheAnalyses(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	m.Standing("nightly", &service.Standing{LastSuccess: time.Unix(500, 0), Status: &jobs.Status{
		At: time.Unix(1000, 0), Streams: map[config.Stream]*jobs.StreamStatus{"contracts": {P50: 10, P95: 20, Oldest: 30}, "users": {Users: 3}},
	}})
	m.Standing("nightly", &service.Standing{LastSuccess: time.Unix(400, 0)}) // read before the other
	shows(
		t, m, `syncer_data_timestamp_seconds{job_name="nightly",share="0.5",stream="contracts"} 990`,
		`syncer_data_timestamp_seconds{job_name="nightly",share="1",stream="contracts"} 970`,
		`syncer_last_success_timestamp_seconds{job_name="nightly"} 500`,
	)
	if strings.Contains(page(t, m), `stream="users"`) {
		t.Error("a stream without analyses has a time")
	}
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	m.Progress("nightly", report.Progress{Stats: stats(1, 1)})
	m.Ended("nightly", &report.Report{}, nil)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestAShortRunHandsItsNumbersOver(t *testing.T) {
	t.Parallel()
	var got *http.Request
	answer := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(answer)
	}))
	defer server.Close()
	m := New(Build{})
	m.Ended("nightly", &report.Report{Outcome: "done"}, nil)
	address := strings.Replace(server.URL, "//", "//me:hunter2@", 1)
	if err := m.Push(t.Context(), address, "nightly-0-of-2"); err != nil {
		t.Fatal(err)
	}
	user, password, _ := got.BasicAuth()
	if got.Method != http.MethodPut || got.URL.Path != "/metrics/job/syncer/instance/nightly-0-of-2" || user != "me" || password != "hunter2" {
		t.Errorf("%s %s as %s", got.Method, got.URL, user)
	}
	answer = http.StatusBadGateway
	if err := m.Push(t.Context(), address, "x"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want an error without the password", err)
	}
	answer = http.StatusOK
	bare := strings.Replace(server.URL, "//", "//me@", 1)
	with, had, err := WithPassword(bare, "p:/@%s")
	if err != nil || had {
		t.Fatal(had, err)
	}
	if err := m.Push(t.Context(), with, "x"); err != nil {
		t.Fatal(err)
	}
	if user, password, _ := got.BasicAuth(); user != "me" || password != "p:/@%s" {
		t.Errorf("pushed as %s with %q", user, password)
	}
	for _, c := range []struct{ address, password string }{{server.URL, "x"}, {address, "x"}} {
		if with, _, err := WithPassword(c.address, c.password); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q, %v", c.address, with, err)
		}
	}
	if with, had, err := WithPassword(address, ""); with != address || !had || err != nil {
		t.Errorf("%q, %v, %v", with, had, err)
	}
	for _, address := range []string{"", "pushgateway:9091", "ftp://x", "http://x?y"} {
		if CheckPushURL(address) == nil {
			t.Errorf("%q passes for an address", address)
		}
	}
}
