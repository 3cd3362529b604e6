package metrics

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/jobs/service"
)

// Build is what the binary says about itself.
type Build struct{ Version, Commit, Go string }

// Metrics are those of one process. It is a jobs.Watcher, and safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	c        *numbers

	mu        sync.Mutex
	seen      map[string]report.Progress // of the run at work, by job
	succeeded map[string]time.Time       // last, by job
}

// New returns metrics that count from zero, with those of Go and of the process.
func New(b Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), c: newNumbers(), seen: map[string]report.Progress{}, succeeded: map[string]time.Time{}}
	m.registry.MustRegister(m.c.all()...)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "syncer_build_info", Help: "Always 1; what this binary is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
	})
	build.Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Planned implements jobs.Watcher.
func (m *Metrics) Planned(job string, next time.Time) {
	m.c.next.WithLabelValues(job).Set(seconds(next))
}

// Skipped implements jobs.Watcher.
func (m *Metrics) Skipped(job, why string) { m.c.skipped.WithLabelValues(job, why).Inc() }

// Progress implements jobs.Watcher.
func (m *Metrics) Progress(job string, p report.Progress) {
	c := m.c
	c.running.WithLabelValues(job).Set(1)
	c.usersDone.WithLabelValues(job).Set(float64(p.UsersDone))
	c.usersListed.WithLabelValues(job).Set(float64(p.UsersTotal))
	c.rate.WithLabelValues(job).Set(cmp.Or(p.Stats.Rate, p.Rate)) // adapted, or measured where nothing paces
	for _, origin := range []string{finoos.LimitRecalled, finoos.LimitLearned} {
		limit := 0.0
		if p.Stats.LimitFrom == origin {
			limit = p.Stats.LearnedLimit
		}
		c.limit.WithLabelValues(job, origin).Set(limit)
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.seen[job]
	m.seen[job] = p
	for answer, n := range p.Stats.Answers {
		c.requests.WithLabelValues(job, answer.Operation, status(answer.Status)).Add(float64(n - before.Stats.Answers[answer]))
	}
	c.refused.WithLabelValues(job).Add(float64(p.Stats.Refused - before.Stats.Refused))
	c.retries.WithLabelValues(job).Add(float64(p.Stats.Retries - before.Stats.Retries))
	c.received.WithLabelValues(job).Add(float64(p.Stats.Bytes - before.Stats.Bytes))
	for kind, n := range p.Waited {
		c.waited.WithLabelValues(job, string(kind)).Add(max(0, n.Seconds-before.Waited[kind].Seconds))
	}
}

// Committed implements jobs.Watcher.
func (m *Metrics) Committed(job string, commit report.Commit) {
	m.c.commits.WithLabelValues(job).Observe(commit.Took.Seconds())
	for table, t := range commit.Tables {
		m.c.rows.WithLabelValues(job, table).Add(float64(t.Rows))
		m.c.bytes.WithLabelValues(job, table).Add(float64(t.Bytes))
	}
}

// Ended implements jobs.Watcher.
func (m *Metrics) Ended(job string, report *report.Report, err error) {
	c := m.c
	m.mu.Lock()
	delete(m.seen, job)
	m.mu.Unlock()
	c.running.WithLabelValues(job).Set(0)
	c.rate.WithLabelValues(job).Set(0)
	c.runs.WithLabelValues(job, outcome(report, err)).Inc()
	if report == nil {
		return
	}
	c.lastEnd.WithLabelValues(job).Set(seconds(report.Finished))
	if jobs.IsWhole(err) && report.CameThrough() && !report.OnlyFailed && report.Named == 0 {
		m.success(job, report.Finished)
	}
	u := report.Users
	for outcome, n := range map[string]int64{
		"pulled": u.Pulled, "unchanged": u.Unchanged, "no_analysis": u.NoAnalysis, "failed": u.Failed, "gone": u.Gone, "missing": u.Missing, "quarantined": u.Quarantined,
		"not_booked": u.NotBooked, "passed_over": u.PassedOver,
		"unreached": report.Unreached,
	} {
		c.users.WithLabelValues(job, outcome).Add(float64(n))
	}
	for stream, s := range report.Streams {
		for outcome, n := range map[string]int64{
			"pulled": s.Pulled, "unchanged": s.Unchanged, "not_asked": s.NotAsked, "no_analysis": s.NoAnalysis, "failed": s.Failed,
			"not_booked": s.NotBooked, "quarantined": s.Quarantined, "gone": s.Gone,
		} {
			c.streams.WithLabelValues(job, string(stream), outcome).Add(float64(n))
		}
	}
	if p := report.Probe; p != nil {
		for outcome, n := range map[string]int64{"one": p.AskedOne, "owed": p.Owed, "audited": p.Audited, "misled": p.Misled, "waived": p.Waived} {
			c.probed.WithLabelValues(job, outcome).Add(float64(n))
		}
	}
	for kind, issue := range report.Issues {
		c.issues.WithLabelValues(job, kind).Add(float64(issue.Count))
	}
	for outcome, n := range report.SyncSessions {
		c.syncSessions.WithLabelValues(job, outcome).Add(float64(n))
	}
}

// Standing implements jobs.Watcher.
func (m *Metrics) Standing(job string, s *service.Standing) {
	m.success(job, s.LastSuccess)
	if s.Status == nil {
		return
	}
	for stream, f := range s.Status.Streams {
		if f.Oldest == 0 { // of a stream that has no analyses
			continue
		}
		for share, age := range map[string]int64{"0.5": f.P50, "0.95": f.P95, "1": f.Oldest} {
			m.c.freshness.WithLabelValues(job, string(stream), share).Set(seconds(s.Status.At.Add(-time.Duration(age) * time.Second)))
		}
	}
}

// success never goes back: the bucket may have been read before a run ended.
func (m *Metrics) success(job string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.After(m.succeeded[job]) {
		m.succeeded[job] = at
		m.c.lastSuccess.WithLabelValues(job).Set(seconds(at))
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// status is the label of an HTTP status.
func status(code int) string {
	if code == 0 {
		return "none"
	}
	return strconv.Itoa(code)
}

// outcome names how a run ended, by the reasons that also make exit codes.
func outcome(report *report.Report, err error) string {
	if err == nil && report != nil {
		return report.Outcome
	}
	reason, ok := jobs.ReasonOf(err)
	if !ok {
		return "unexpected"
	}
	switch reason {
	case jobs.ReasonConfig:
		return "config"
	case jobs.ReasonPartial:
		return "done_in_part"
	case jobs.ReasonTooManyFailed:
		return "too_many_failed"
	case jobs.ReasonCredentials:
		return "credentials"
	case jobs.ReasonSink:
		return "sink"
	case jobs.ReasonAPI:
		return "api"
	case jobs.ReasonOvertaken:
		return "overtaken"
	case jobs.ReasonInterrupted:
		return "interrupted"
	case jobs.ReasonUnexpected:
	}
	return "unexpected"
}
