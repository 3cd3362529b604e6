package jobs

import (
	"context"
	"math"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// tally is the report while the run is at work. mu guards all of it.
type tally struct {
	mu     sync.Mutex
	report report.Report
	phase  string

	timeline report.Timeline
	slowest  report.Slowest
	ages     map[config.Stream]*report.FreshnessCount
	needed   *report.Keeper[report.NeededUser]
	kept     int64              // users with something new, when everything was committed last
	finished bool               // the report is somebody else's now
	words    func(error) string // what the report may say of an error
}

func newTally(o *RunOptions, runID string, streams []config.Stream) *tally {
	t := &tally{words: error.Error, slowest: report.Slowest{}, ages: map[config.Stream]*report.FreshnessCount{}, needed: report.NewKeeper(report.MaxFailures, report.EarliestNeeded), report: report.Report{
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

// pulled counts one stream's result; c is its cursor from now on.
func (t *tally) pulled(res *pull.Result, c cursors.Cursor) {
	if res.Stream != config.StreamUsers && !res.Began.IsZero() { // which comes with the list
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
			if res.Refresh {
				s.Refreshed++
			}
		case pull.Unchanged:
			s.Unchanged++
		case pull.NoAnalysis:
			s.NoAnalysis++
		case pull.NotBooked:
			s.NotBooked++
		case pull.Gone:
			s.Gone++
		case pull.Failed:
			s.Failed++
			if r.FailuresByClass == nil {
				r.FailuresByClass = map[finoos.Class]int64{}
			}
			r.FailuresByClass[res.Class]++
			if len(r.Failures) < report.MaxFailures {
				r.Failures = append(r.Failures, report.Failure{UserID: res.User, Stream: res.Stream, Class: res.Class, Nights: c.Failures, NextTry: c.RetryAt})
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

func (t *tally) hasCommitted() (has bool) {
	t.update(func(r *report.Report) { has = r.Commits > 0 })
	return has
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

// needs counts a user, if it has logins that only the user can bring to work again.
func (t *tally) needs(u *report.NeededUser) {
	if len(u.Logins) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Needed.Count++
	t.report.Needed.Logins = report.AddCounts(t.report.Needed.Logins, u.Logins)
	t.needed.Add(*u)
}

// usersPulled is how many users are done that brought something new.
func (t *tally) usersPulled() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.report.Users.Pulled
}

// keeps takes in that all is committed that so many users brought.
func (t *tally) keeps(usersPulled int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = usersPulled
}

// notKept is what was pulled and is in no commit, or in one of which nobody knows whether
// it stands; nil where it is nothing. mu is held.
func (t *tally) notKept(unsure bool) *report.NotKept {
	lost := report.NotKept{Users: t.report.Users.Pulled - t.kept}
	for name, s := range t.report.Streams {
		lost.Rows += max(0, s.Rows+s.Deletes-t.report.Tables[string(name)].Rows)
	}
	if lost == (report.NotKept{}) {
		return nil
	}
	lost.Unsure = unsure
	return &lost
}

// finish closes the report. elapsed is real time; safe says that the last commit has
// succeeded.
func (t *tally) finish(now time.Time, stats finoos.Stats, elapsed time.Duration, safe bool, err error) *report.Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.report
	r.Finished = now.UTC()
	r.Requests, r.Refused, r.Retries, r.BytesRead = stats.Requests, stats.Refused, stats.Retries, stats.Bytes
	r.RequestsByOperation, r.TotalsOff = stats.ByOperation, stats.TotalsOff
	r.Rate, r.LearnedLimit, r.Pace.From = stats.Rate, stats.LearnedLimit, stats.LimitFrom
	r.Outcome = outcomeOf(r, err)
	if err != nil {
		r.Error = t.words(err)
	}
	r.Unreached = max(0, r.Users.Listed-r.Users.Done())
	r.AllUnreached = r.Users.Listed == 0 && r.List == nil && (r.Outcome == report.Stopped || r.Outcome == report.Interrupted)
	if !safe {
		r.NotKept = t.notKept(sink.IsUnsettled(err))
	}
	r.Needed.Users, r.Needed.More = t.needed.Sorted()
	t.tell(stats, elapsed)
	return r
}

// outcomeOf names how a run ended that has counted r, and ended with err.
func outcomeOf(r *report.Report, err error) string {
	reason, _ := ReasonOf(err)
	// What else than failed users a backfill has left, it has not come to.
	unfinished := r.Backfill != nil && reason == ReasonTooManyFailed && r.Users.Failed == 0
	switch {
	case err != nil && reason == ReasonInterrupted:
		return report.Interrupted
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

// rememberAges keeps when each stream of the run was pulled last, before this
// run does it.
func (s *session) rememberAges(u *user) {
	u.pulledAt = make([]time.Time, len(s.streams))
	for i, stream := range s.streams {
		u.pulledAt[i] = pulledAt(u.Cursors[stream])
	}
}

// left counts the ages of a user that the run is done with.
func (t *tally) left(u *user, streams []config.Stream, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range streams[:len(u.pulledAt)] {
		f := t.ages[s]
		if f == nil {
			f = &report.FreshnessCount{}
			t.ages[s] = f
		}
		f.Add(u.pulledAt[i], pulledAt(u.Cursors[s]), now)
	}
}

// pulledAt is of when the lake has a stream; zero where that was taken back.
func pulledAt(c cursors.Cursor) time.Time {
	if c.Erased {
		return time.Time{}
	}
	return c.PulledAt
}

// sample ends a stretch of the timeline. elapsed is real time. Once the report
// is finished, nothing is added.
func (t *tally) sample(stats finoos.Stats, elapsed time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.finished {
		return report.FirstStep
	}
	return t.timeline.Add(t.now(stats, elapsed))
}

// now is everything counted so far. mu is held.
func (t *tally) now(stats finoos.Stats, elapsed time.Duration) report.Point {
	p := report.Point{
		At: math.Round(elapsed.Seconds()*1000) / 1000, Requests: stats.Requests, Refused: stats.Refused, Rate: stats.Rate,
		Users: t.report.Users.Done(), Commits: int64(t.report.Commits),
	}
	for _, s := range t.report.Streams {
		p.Rows += s.Rows + s.Deletes
	}
	return p
}

// tell moves into the report what was measured on the way. mu is held.
func (t *tally) tell(stats finoos.Stats, elapsed time.Duration) {
	t.timeline.Add(t.now(stats, elapsed))
	t.finished = true
	t.report.Timeline, t.report.Slowest = t.timeline.Points(), t.slowest
	t.report.Freshness = make(map[config.Stream]report.Freshness, len(t.ages))
	for s, f := range t.ages {
		t.report.Freshness[s] = f.Sum()
	}
}

// keepTimeline samples the run until stopped.
func (s *session) keepTimeline(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		next := time.NewTimer(report.FirstStep)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
			}
			next.Reset(s.tally.sample(s.client.Stats(), time.Since(s.began)))
		}
	})
	return func() {
		cancel()
		background.Wait()
	}
}
