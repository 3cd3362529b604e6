package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The labels.
const (
	labelJob       = "job_name"
	labelOperation = "operation"
	labelStatus    = "status"
	labelOutcome   = "outcome"
	labelTable     = "table"
	labelStream    = "stream"
	labelShare     = "share"
	labelReason    = "reason"
	labelKind      = "kind"
	labelFor       = "for"
	labelOrigin    = "origin"
)

// numbers are all that is counted. Each is safe for concurrent use.
type numbers struct {
	requests, refused, retries, received *prometheus.CounterVec
	rate, limit                          *prometheus.GaugeVec

	running, usersDone, usersListed     *prometheus.GaugeVec
	users, streams, probed, rows, bytes *prometheus.CounterVec
	commits                             *prometheus.HistogramVec

	runs, skipped, syncSessions, issues   *prometheus.CounterVec
	waited                                *prometheus.CounterVec
	lastSuccess, lastEnd, next, freshness *prometheus.GaugeVec
}

func newNumbers() *numbers {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "syncer_" + name, Help: help}, append([]string{labelJob}, labels...))
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "syncer_" + name, Help: help}, append([]string{labelJob}, labels...))
	}
	return &numbers{
		requests: counter("requests_total", "Requests to the API that have ended, by operation and HTTP status (none: no answer).", labelOperation, labelStatus),
		refused:  counter("requests_refused_total", "Requests that the API refused for their rate (429)."),
		retries:  counter("requests_retried_total", "Requests that were sent again."),
		received: counter("received_bytes_total", "Bytes of the API's answers."),
		rate:     gauge("requests_per_second", "The pace of the run at work; 0 while there is none."),
		limit: gauge("api_limit_per_second",
			"The limit that the run at work, or the last one, has of the API, by where it has it from: recalled from an earlier run, or learned. 0 for what it is not from.", labelOrigin),

		running:     gauge("running", "1 while the job is at work."),
		usersDone:   gauge("run_users_done", "Users of the run at work, or of the last one, that are done."),
		usersListed: gauge("run_users_listed", "Users of the run at work, or of the last one."),
		users:       counter("users_total", "Users by what became of them in a run, counted at its end.", labelOutcome),
		streams: counter("streams_total", "Streams of users by what became of them in a run, counted at its end; not_asked are those of quiet users.",
			labelStream, labelOutcome),
		probed: counter("probed_total", "Users by how they were asked whether they have anything new, counted at the end of a run: of one service, of all since something "+
			"was owed to them, or audited; misled are those audited whose one service has hidden what another had.", labelOutcome),
		rows:  counter("rows_total", "Rows committed, by table.", labelTable),
		bytes: counter("bytes_total", "Bytes of committed Parquet files, by table.", labelTable),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "syncer_commit_duration_seconds", Help: "How long commits took, with closing and publishing their files.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2.5, 10),
		}, []string{labelJob}),

		runs:         counter("runs_total", "Runs that have ended, by outcome.", labelOutcome),
		skipped:      counter("runs_skipped_total", "Scheduled times without a run: the job was still running, or it was too late.", labelReason),
		syncSessions: counter("sync_sessions_total", "Bank synchronisations, by outcome, counted at the end of a run.", labelOutcome),
		issues: counter("issues_total",
			"What the API's answers held that is not as it should be, by kind as in the column issues of pulls, counted at the end of a run.", labelKind),
		waited: counter("waited_seconds_total",
			"Time in which nothing went on, by what was waited for: an API or a store that did not serve for five seconds or more, a pause, another run.", labelFor),
		lastSuccess: gauge("last_success_timestamp_seconds", "When a run for all users came to its end last."),
		lastEnd:     gauge("last_run_timestamp_seconds", "When a run ended last, however."),
		next:        gauge("next_run_timestamp_seconds", "When the job is started next."),
		freshness: gauge("data_timestamp_seconds",
			"The analysis that the lake's data is from, by stream: of the median user (share 0.5), of the oldest of 95 % (0.95) and of all (1).",
			labelStream, labelShare),
	}
}

func (c *numbers) all() []prometheus.Collector {
	return []prometheus.Collector{
		c.requests, c.refused, c.retries, c.received, c.rate, c.limit, c.running, c.usersDone, c.usersListed, c.users, c.streams, c.probed, c.rows, c.bytes, c.commits,
		c.runs, c.skipped, c.syncSessions, c.issues, c.waited, c.lastSuccess, c.lastEnd, c.next, c.freshness,
	}
}
