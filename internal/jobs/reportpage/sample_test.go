package reportpage

import (
	"fmt"
	"math"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// hostile is an id as somebody who means ill would make it.
const hostile = `<script>alert("x")</script>'"&{{.Job}}`

// busy is the report of a run in which everything happened, with so many points
// and failures.
func busy(points, failures int) *report.Report {
	began := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	r := &report.Report{
		RunID: "01JDA3Z4M0V8Q2K7T5R1XW9BCE", RunGroup: "nightly-29384", Job: "nightly", Shard: 1, Shards: 4, Version: "1.4.0",
		Started: began, Finished: began.Add(47*time.Minute + 12*time.Second), Outcome: "deadline", Unreached: 411, Unsettled: 23,
		Issues: map[string]report.Issue{
			"unreadable": {Count: 3_112, UserID: hostile, Stream: config.StreamTransactions}, "rounded": {Count: 1, Stream: config.StreamContracts},
		},
		Users: report.UserCounts{Listed: 12_411, Pulled: 1_730, Unchanged: 9_800, NoAnalysis: 210, Failed: 143, Gone: 17, Quarantined: 100},
		SyncSessions: map[string]int64{
			"synced": 812, "credentials_required": 61, "sca_required": 44, "daily_limit": 9, "blocked": 3, "unknown": 1,
		},
		Requests: 54_210, Refused: 187, Retries: 214, BytesRead: 734_003_200, Commits: 5, FirstSeq: 1204, LastSeq: 1208,
		RequestsByOperation: map[string]int64{"correlation": 36_700, "categorization": 6_200, "transactions": 5_100, "contracts": 1_730, "users": 13, "auth": 2},
		Streams:             map[config.Stream]*report.Stream{},
		Tables:              map[string]report.Table{},
		FailuresByClass:     map[finoos.Class]int64{finoos.Server: 120, finoos.Forbidden: 20, finoos.Timeout: 3},
		Slowest:             map[string][]report.SlowUser{},
		Freshness:           map[config.Stream]report.Freshness{},
	}
	for i, s := range config.Streams() {
		n := int64(i)
		r.Streams[s] = &report.Stream{Pulled: 1_730 - 90*n, First: 4 * n, Unchanged: 9_800, NoAnalysis: 30 * n, Failed: 24 * (n % 3), Rows: 3_211 * n * n * n, Deletes: 17 * n}
		r.Tables[string(s)] = report.Table{Rows: 3_228 * (n + 1) * (n + 1), Files: 5, Bytes: 90_000 * (n + 1) * (n + 1) * n}
		r.Freshness[s] = report.Freshness{
			Before: report.Ages{Users: 11_900, Never: 4 * n, P50: 86_400 * (1 + float64(n)), P95: 1.2e6, Oldest: 1.4e7},
			After:  report.Ages{Users: 11_900 + 4*n, P50: 80_000 * float64(n), P95: 1.1e6, Oldest: 1.4e7},
		}
		for k := range 10 {
			r.Slowest[string(s)] = append(r.Slowest[string(s)], report.SlowUser{UserID: userID(k + 10*i), Seconds: 9.2 / float64(k+1)})
		}
	}
	for k := range 10 {
		r.Slowest["sync"] = append(r.Slowest["sync"], report.SlowUser{UserID: userID(3 * k), Seconds: 14 - float64(k)})
		r.Slowest["settle"] = append(r.Slowest["settle"], report.SlowUser{UserID: userID(7 * k), Seconds: 300 - 25*float64(k)})
	}
	for k := range failures {
		r.Failures = append(r.Failures, report.Failure{UserID: userID(k), Stream: config.StreamContracts, Class: finoos.Server})
	}
	r.Failures[0].UserID = hostile
	r.Slowest["settle"][1].UserID = hostile
	r.Timeline = night(2832, points)
	return r
}

func userID(k int) string { return fmt.Sprintf("77b0c1d2-5a3e-4f6b-9c8d-%012d", k) }

// night is a timeline in which the API refuses twice and the pace follows.
func night(length float64, n int) []report.Point {
	var points []report.Point
	for i := range n {
		x := float64(i) / float64(n)
		rate := 20 * min(1, 0.3+math.Mod(x*1.7, 0.9))
		p := report.Point{At: math.Round(length * float64(i+1) / float64(n)), Rate: rate, Users: int64(60 + 20*math.Sin(9*x)), Rows: int64(900 * x)}
		p.Requests = int64(rate * length / float64(n) * (0.93 + 0.07*math.Sin(40*x)))
		if math.Mod(x*1.7, 0.9) > 0.87 || i == 3 {
			p.Refused = int64(12 + 9*math.Sin(70*x))
		}
		if i%(n/4) == n/4-1 || i == n-1 {
			p.Commits = 1
		}
		points = append(points, p)
	}
	return points
}

// quiet is the report of a run that found nothing new.
func quiet() *report.Report {
	began := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	return &report.Report{
		RunID: "01JDCP7R00F3N5H2A8YV4K6WTX", RunGroup: "01JDCP7R00F3N5H2A8YV4K6WTX", Job: "nightly", Shards: 1, Started: began, Finished: began,
		Outcome: "done", Users: report.UserCounts{Listed: 3, Unchanged: 3}, Requests: 8, BytesRead: 900,
		Streams:             map[config.Stream]*report.Stream{config.StreamContracts: {Unchanged: 3}},
		RequestsByOperation: map[string]int64{"correlation": 6, "users": 1, "auth": 1},
		Timeline:            []report.Point{{At: 0.14, Requests: 8, Users: 3}},
		Freshness:           map[config.Stream]report.Freshness{config.StreamContracts: {Before: report.Ages{Users: 3, P50: 86400, P95: 86400, Oldest: 86400}, After: report.Ages{Users: 3, P50: 86400, P95: 86400, Oldest: 86400}}},
	}
}

// early is a report of a version that told less, of a run that did nothing.
func early() *report.Report {
	return &report.Report{RunID: "01JD", Job: "nightly", Outcome: "stopped", Error: "the API refused the credentials: " + hostile}
}
