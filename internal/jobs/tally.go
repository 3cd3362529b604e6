package jobs

import (
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// tally is the report while the run is at work. mu guards all of it.
type tally struct {
	mu     sync.Mutex
	report report.Report
	phase  string

	timeline report.Timeline
	slowest  report.Slowest
	ages     map[config.Stream]*report.FreshnessCount
	finished bool // the report is somebody else's now
}

func newTally(o *RunOptions, runID string, streams []config.Stream) *tally {
	t := &tally{slowest: report.Slowest{}, ages: map[config.Stream]*report.FreshnessCount{}, report: report.Report{
		OnlyFailed: o.OnlyFailed, Full: o.Full, Named: len(o.Users),
		RunID: runID, RunGroup: o.RunGroup, Job: o.Job, Shard: o.Shard.Index, Shards: o.Shard.Count, Version: o.Version, Started: o.Now().UTC(),
		Streams: map[config.Stream]*report.Stream{}, SyncSessions: map[string]int64{}, Tables: map[string]report.Table{},
	}}
	for _, s := range streams {
		t.report.Streams[s] = &report.Stream{}
	}
	return t
}

func (t *tally) update(f func(r *report.Report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.report)
}

// pulled counts one stream's result.
func (t *tally) pulled(res *pull.Result) {
	if res.Stream != config.StreamUsers { // which comes with the list
		t.took(string(res.Stream), res.User, time.Since(res.Began))
	}
	t.update(func(r *report.Report) {
		s := r.Streams[res.Stream]
		if s == nil {
			s = &report.Stream{}
			r.Streams[res.Stream] = s
		}
		switch res.Outcome {
		case pull.Pulled:
			s.Pulled++
			if res.First {
				s.First++
			}
		case pull.Unchanged:
			s.Unchanged++
		case pull.NoAnalysis:
			s.NoAnalysis++
		case pull.Gone:
			s.Gone++
		case pull.Failed:
			s.Failed++
			if r.FailuresByClass == nil {
				r.FailuresByClass = map[finoos.Class]int64{}
			}
			r.FailuresByClass[res.Class]++
			if len(r.Failures) < report.MaxFailures {
				r.Failures = append(r.Failures, report.Failure{UserID: res.User, Stream: res.Stream, Class: res.Class})
			}
		}
		s.Rows += res.Upserts
		s.Deletes += res.Deletes
	})
}

// paused counts a stream that is in quarantine.
func (t *tally) paused(s config.Stream) {
	t.update(func(r *report.Report) { r.Streams[s].Quarantined++ })
}

// committed counts what one commit record made true.
func (t *tally) committed(rec *sink.Record) {
	t.update(func(r *report.Report) {
		r.Commits++
		if r.FirstSeq == 0 {
			r.FirstSeq = rec.Seq
		}
		r.LastSeq = rec.Seq
		for _, f := range rec.Files {
			tr := r.Tables[f.Table]
			tr.Rows += f.Rows
			tr.Files++
			tr.Bytes += f.Bytes
			r.Tables[f.Table] = tr
		}
	})
}

func (t *tally) enter(phase string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = phase
}

// progress is a snapshot. elapsed is real time, whatever clock the run has.
func (t *tally) progress(stats finoos.Stats, elapsed time.Duration) report.Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := report.Progress{
		Phase: t.phase, UsersDone: t.report.Users.Done(), UsersTotal: t.report.Users.Listed, Failed: t.report.Users.Failed,
		Requests: stats.Requests, Refused: stats.Refused, Stats: stats,
	}
	for _, s := range t.report.Streams {
		p.Rows += s.Rows + s.Deletes
	}
	if s := elapsed.Seconds(); s > 0 {
		p.Rate = float64(stats.Requests) / s
	}
	return p
}

// finish closes the report. elapsed is real time.
func (t *tally) finish(now time.Time, stats finoos.Stats, elapsed time.Duration, err error) *report.Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.report
	r.Finished = now.UTC()
	r.Requests, r.Refused, r.Retries, r.BytesRead = stats.Requests, stats.Refused, stats.Retries, stats.Bytes
	r.RequestsByOperation = stats.ByOperation
	r.Rate, r.LearnedLimit = stats.Rate, stats.LearnedLimit
	r.Outcome = outcomeOf(r, err)
	if err != nil {
		r.Error = err.Error()
	}
	if left := r.Users.Listed - r.Users.Done(); left > 0 && r.Outcome != report.Stopped {
		r.Unreached = left
	}
	t.tell(stats, elapsed)
	return r
}

// outcomeOf names how a run ended that has counted r, and ended with err.
func outcomeOf(r *report.Report, err error) string {
	reason, _ := ReasonOf(err)
	// What else than failed users a backfill has left, it has not come to.
	unfinished := r.Backfill != nil && reason == ReasonTooManyFailed && r.Users.Failed == 0
	switch {
	case !IsWhole(err) || unfinished:
		return report.Stopped
	case err != nil && reason == ReasonPartial:
		return report.DoneInPart
	case r.Users.Listed > r.Users.Done() && r.Backfill == nil:
		return report.Deadline
	case err != nil || r.Users.Failed > 0:
		return report.DoneWithFailures
	}
	return report.Done
}

// took notes how long a stage of a user took.
func (t *tally) took(stage, userID string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slowest.Add(stage, userID, took)
}
