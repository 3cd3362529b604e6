package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// Status is how a job stands, told from its bucket alone. It names nobody, but
// for one example of each kind of issue.
type Status struct {
	Job string    `json:"job"`
	At  time.Time `json:"at"`
	// Next is when the schedule is due next, nil without one.
	Next *time.Time `json:"next,omitempty"`
	// AtWork are the runs and backfills that hold a lease.
	AtWork []sink.Worker `json:"at_work"`
	// Commits are the newest, the last one first.
	Commits []StatusCommit `json:"commits"`
	// LastRun sums up the newest run of all its shards, nil before the first.
	LastRun *StatusRun `json:"last_run,omitempty"`
	// LastSuccess is when all users were last reached by runs that came to their
	// end, nil where some never were.
	LastSuccess *time.Time `json:"last_success,omitempty"`

	Users   StatusUsers                     `json:"users"`
	Streams map[config.Stream]*StreamStatus `json:"streams"`
}

// StatusCommit is one commit of the log.
type StatusCommit struct {
	Seq         uint64    `json:"seq"`
	Kind        string    `json:"kind"`
	RunID       string    `json:"run_id"`
	CommittedAt time.Time `json:"committed_at"`
	Files       int       `json:"files"`
	Rows        int64     `json:"rows"`
	Bytes       int64     `json:"bytes"`
	Published   bool      `json:"published"`
}

// StatusRun is what the reports of one run's shards say together.
type StatusRun struct {
	RunGroup     string            `json:"run_group"`
	Outcome      string            `json:"outcome"` // the worst of the shards'
	Error        string            `json:"error,omitempty"`
	Started      time.Time         `json:"started"`
	Finished     time.Time         `json:"finished"`
	Shards       int               `json:"shards"`  // that the users were divided among
	Reports      int               `json:"reports"` // of shards, and of their restarts
	Users        report.UserCounts `json:"users"`
	Unreached    int64             `json:"unreached,omitempty"`
	SyncSessions map[string]int64  `json:"sync_sessions,omitempty"`
	// Services were down at the end, in any shard.
	Services map[string]report.Trouble `json:"services,omitempty"`
	Issues   map[string]report.Issue   `json:"issues,omitempty"`
	Requests int64                     `json:"requests"`
	Refused  int64                     `json:"refused"`
	Rows     int64                     `json:"rows"`
	// Throughput, of all shards together.
	RequestsPerSecond float64 `json:"requests_per_second"`
	UsersPerSecond    float64 `json:"users_per_second"`
	RowsPerSecond     float64 `json:"rows_per_second"`
}

// StatusUsers counts the users that the job knows. One user may count in
// several ways.
type StatusUsers struct {
	Known       int64 `json:"known"`
	Failing     int64 `json:"failing"` // a stream failed when it was tried last
	Quarantined int64 `json:"quarantined"`
	// Missing answered 404 when they were asked for last, and are not declared gone.
	Missing int64 `json:"missing,omitempty"`
	// NeedsUser have a bank login that only they can bring to work again;
	// NeedsUserBy counts such logins by the outcome of their sync session.
	NeedsUser   int64            `json:"needs_user"`
	NeedsUserBy map[string]int64 `json:"needs_user_by,omitempty"`
}

// StreamStatus is how old what the lake has of a stream is, over all users: the
// age of the analysis that it was pulled from, in seconds; 0 where there is none,
// as for users and bank_logins, which are read every night. Percentiles are as exact
// as those of [Ages].
type StreamStatus struct {
	Users       int64 `json:"users"`
	P50         int64 `json:"age_p50"`
	P95         int64 `json:"age_p95"`
	Oldest      int64 `json:"age_oldest"`
	Failing     int64 `json:"failing"`
	Quarantined int64 `json:"quarantined"`
	// Partial are users of whom the stream was last read through a filter, or
	// backfilled since: once their refresh is due it is read in full, changed or
	// not. Streams that are read every night have none.
	Partial int64 `json:"partial"`

	ages report.AgeCount
}

// StatusOptions say what to look at.
type StatusOptions struct {
	Config *config.Config
	Job    string
	// Now is the clock that ages are told by; nil means time.Now.
	Now func() time.Time
}

// shownCommits is how many commits a status has.
const shownCommits = 5

// ReadStatus reads how a job stands. It asks the bucket only, takes no lease and
// writes nothing.
func ReadStatus(ctx context.Context, o StatusOptions) (*Status, error) {
	job := o.Config.Jobs[o.Job]
	if job == nil {
		return nil, Stopf(ReasonConfig, "no job is called %q: jobs.yaml has %s", o.Job, config.JobNames(o.Config, o.Job))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	store, err := OpenStore(ctx, o.Config.Sink, o.Job, nil)
	if err != nil {
		return nil, err
	}
	s := &Status{Job: o.Job, At: o.Now().UTC(), AtWork: []sink.Worker{}}
	if next, ok := nextRun(job, o.Now()); ok {
		s.Next = &next
	}
	if s.AtWork, err = sink.Living(ctx, store, o.Job); err == nil {
		err = lookAgain(func() error { return s.readState(ctx, o, store) })
	}
	if err == nil {
		err = s.readLastRun(ctx, store)
	}
	if _, ended, err := LastSuccess(ctx, store, o.Job); err == nil && !ended.IsZero() {
		s.LastSuccess = &ended
	}
	if err != nil {
		return nil, statusError(ctx, err)
	}
	return s, nil
}

// lookAgain looks at the bucket, and again where that fails because a run at
// work has swept what was being read: then newer checkpoints stand.
func lookAgain(look func() error) error {
	err := look()
	for n := 0; n < 3 && errors.Is(err, bucket.ErrNotExist); n++ {
		err = look()
	}
	return err
}

func statusError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &StopError{Reason: ReasonInterrupted, Err: ctx.Err()}
	}
	if stop, ok := stopReason(err).(*StopError); ok && stop.Reason != ReasonUnexpected { //nolint:errorlint // stopReason makes it
		return stop
	}
	return &StopError{Reason: ReasonSink, Err: err}
}

// nextRun is when a job's schedule is due next.
func nextRun(job *config.Job, now time.Time) (time.Time, bool) {
	schedule, err := config.NewSchedule(job)
	if schedule == nil || err != nil {
		return time.Time{}, false // none, or the loader has refused it
	}
	next := schedule.Next(now)
	return next, !next.IsZero()
}

// readState reads the cursors, and the newest commits.
func (s *Status) readState(ctx context.Context, o StatusOptions, store bucket.Store) error {
	look, err := sink.OpenLook(ctx, sink.LookOptions{
		Store: store, Job: o.Job, Source: sourceOf(o.Config), ScratchDir: o.Config.Sink.ScratchDir,
	})
	if err != nil {
		return err
	}
	defer look.Close()
	s.Users, s.Streams, s.Commits = StatusUsers{NeedsUserBy: map[string]int64{}}, map[config.Stream]*StreamStatus{}, []StatusCommit{}
	for b := range cursors.Buckets {
		for u, err := range look.EachUser(ctx, b) {
			if err != nil {
				return err
			}
			s.addUser(u.Cursors)
		}
	}
	for _, stream := range s.Streams {
		stream.sum()
	}
	return s.readCommits(ctx, store, look.LastSeq())
}

// addUser counts one user's cursors.
func (s *Status) addUser(cursors []cursors.Cursor) {
	s.Users.Known++
	var failing, quarantined bool
	for _, c := range cursors {
		if config.Stream(c.Stream) == config.StreamSyncSessions {
			s.addLogins(c.State)
			continue
		}
		if config.Stream(c.Stream) == config.StreamMissing {
			s.Users.Missing++
			continue
		}
		if !slices.Contains(config.Streams(), config.Stream(c.Stream)) {
			continue // another mark
		}
		stream := s.Streams[config.Stream(c.Stream)]
		if stream == nil {
			stream = &StreamStatus{}
			s.Streams[config.Stream(c.Stream)] = stream
		}
		stream.Users++
		if at := c.CorrelationAt; !at.IsZero() {
			stream.ages.Add(at, s.At)
			stream.Partial += one(!pull.Whole(c))
		}
		switch {
		case isPaused(c, s.At):
			stream.Quarantined++
			quarantined = true
		case c.Failures > 0:
			stream.Failing++
			failing = true
		}
	}
	s.Users.Failing += one(failing)
	s.Users.Quarantined += one(quarantined)
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// addLogins counts the logins that wait for their user.
func (s *Status) addLogins(state []byte) {
	waits := false
	for _, login := range banksync.Recall(state) {
		switch login.Outcome {
		case finoos.InterfaceDeprecated, finoos.CredentialsRequired, finoos.Blocked, finoos.SCARequired:
			waits = true
			s.Users.NeedsUserBy[string(login.Outcome)]++
		default:
		}
	}
	s.Users.NeedsUser += one(waits)
}

// sum turns the ages into percentiles.
func (s *StreamStatus) sum() {
	a := s.ages.Sum()
	s.P50, s.P95, s.Oldest = int64(a.P50), int64(a.P95), int64(a.Oldest)
}

func (s *Status) readCommits(ctx context.Context, store bucket.Store, last uint64) error {
	from := uint64(0)
	if last > shownCommits {
		from = last - shownCommits
	}
	for r, err := range sink.ReadLog(ctx, store, s.Job, from) {
		if err != nil {
			return err
		}
		c := StatusCommit{Seq: r.Seq, Kind: r.Kind, RunID: r.RunID, CommittedAt: r.CommittedAt, Files: len(r.Files), Published: r.Published}
		for _, f := range r.Files {
			c.Rows += f.Rows
			c.Bytes += f.Bytes
		}
		s.Commits = append(s.Commits, c)
	}
	slices.Reverse(s.Commits)
	return nil
}

// readLastRun sums up the reports of the newest run group.
func (s *Status) readLastRun(ctx context.Context, store bucket.Store) error {
	for past, err := range report.Past(ctx, report.InBucket(store, s.Job), time.Now()) {
		if err != nil {
			return fmt.Errorf("read run reports: %w", err)
		}
		if past.Backfill != nil {
			continue // no night's work: `backfill list` tells of it
		}
		if s.LastRun == nil {
			s.LastRun = &StatusRun{RunGroup: past.RunGroup, SyncSessions: map[string]int64{}, Started: past.Started}
		}
		if past.RunGroup != s.LastRun.RunGroup {
			break
		}
		s.LastRun.add(&past.Report)
	}
	if s.LastRun != nil {
		s.LastRun.rates()
	}
	return nil
}

// outcomes from the best to the worst.
var outcomes = []string{report.Done, report.DoneWithFailures, report.Deadline, report.DoneInPart, report.Stopped}

func (r *StatusRun) add(p *report.Report) {
	r.Reports++
	r.Shards = max(r.Shards, p.Shards)
	if slices.Index(outcomes, p.Outcome) >= slices.Index(outcomes, r.Outcome) {
		r.Outcome = p.Outcome
	}
	if r.Error == "" {
		r.Error = p.Error
	}
	if p.Started.Before(r.Started) {
		r.Started = p.Started
	}
	if p.Finished.After(r.Finished) {
		r.Finished = p.Finished
	}
	u := &r.Users
	u.Listed += p.Users.Listed
	u.Pulled += p.Users.Pulled
	u.Unchanged += p.Users.Unchanged
	u.NoAnalysis += p.Users.NoAnalysis
	u.Failed += p.Users.Failed
	u.Gone += p.Users.Gone
	u.Missing += p.Users.Missing
	u.Quarantined += p.Users.Quarantined
	u.NotBooked += p.Users.NotBooked
	u.PassedOver += p.Users.PassedOver
	for name, t := range p.Services {
		if r.Services == nil {
			r.Services = map[string]report.Trouble{}
		}
		t.PassedOver += r.Services[name].PassedOver
		r.Services[name] = t
	}
	r.Issues = report.AddIssues(r.Issues, p.Issues)
	r.Unreached += p.Unreached
	r.Requests += p.Requests
	r.Refused += p.Refused
	for outcome, n := range p.SyncSessions {
		r.SyncSessions[outcome] += n
	}
	for _, t := range p.Tables {
		r.Rows += t.Rows
	}
}

func (r *StatusRun) rates() {
	seconds := r.Finished.Sub(r.Started).Seconds()
	if seconds <= 0 {
		return
	}
	r.RequestsPerSecond = float64(r.Requests) / seconds
	r.UsersPerSecond = float64(r.Users.Done()) / seconds
	r.RowsPerSecond = float64(r.Rows) / seconds
}
