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
	"finoos-syncer/internal/jobs/pacing"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"

	"github.com/oklog/ulid/v2"
)

// Status is how a job stands, told from its bucket alone. Users are named by the ids
// that the tables have, and only where that is asked for, but for one example of each
// kind of issue.
type Status struct {
	Job string    `json:"job"`
	At  time.Time `json:"at"`
	// Next is when the schedule is due next, nil without one.
	Next *time.Time `json:"next,omitempty"`
	// AtWork are the runs and backfills that hold a lease.
	AtWork []sink.Worker `json:"at_work"`
	// Unfinished are runs and backfills that began, and neither are at work nor left a
	// report: they were killed.
	Unfinished []sink.Worker `json:"unfinished,omitempty"`
	// Commits are the newest, the last one first.
	Commits []StatusCommit `json:"commits"`
	// LastRun sums up the newest run of all its shards, nil before the first.
	LastRun *report.Group `json:"last_run,omitempty"`
	// LastSuccess is when all users were last reached by runs that came to their
	// end, nil where some never were.
	LastSuccess *time.Time `json:"last_success,omitempty"`
	// Limit is what the next run begins at, nil where it has to find the API's limit.
	Limit *StatusLimit `json:"limit,omitempty"`

	Users   StatusUsers                     `json:"users"`
	Streams map[config.Stream]*StreamStatus `json:"streams"`
	// Failing names those whose streams fail or sit out, Needed those with logins that
	// only they can bring to work again.
	Failing report.Failing `json:"failing"`
	Needed  report.Needed  `json:"needed"`
	// Probe is how the next run asks its users whether they have anything new, and why;
	// its counts are of runs, and zero here.
	Probe report.Probe `json:"probe"`
	// Nameless is why nobody is named, where that was asked for.
	Nameless string `json:"nameless,omitempty"`
}

// StatusLimit is the API's limit as it is remembered: of all shards together, in requests a
// second, and when the API had told it.
type StatusLimit struct {
	PerSecond float64   `json:"requests_per_second"`
	LearnedAt time.Time `json:"learned_at"`
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

// StatusUsers counts the users that the job knows. One user may count in
// several ways.
type StatusUsers struct {
	Known       int64 `json:"known"`
	Failing     int64 `json:"failing"` // a stream failed when it was tried last
	Quarantined int64 `json:"quarantined"`
	// Missing answered 404 when they were asked for last, and are not declared gone.
	Missing int64 `json:"missing,omitempty"`
	// NeedsUser and NeedsUserBy are as Count and Logins of Needed.
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
	// Named is how many users each list names at most.
	Named int
	// Now is the clock that ages are told by; nil means time.Now.
	Now func() time.Time
}

// MostNamed is how many users a status names at most, so that it takes some megabytes
// however many fail.
const MostNamed = 10_000

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
	began, ended, unread := LastSuccess(ctx, store, o.Job)
	if unread == nil && !ended.IsZero() {
		s.LastSuccess = &ended
	}
	s.readLimit(ctx, o, store)
	err = lookAgain(func() error { return s.readState(ctx, o, store, began) })
	// Leases after the commits, and reports after the leases: whoever has committed
	// either still holds one by then or has left the other.
	var left []sink.Worker
	if err == nil {
		s.AtWork, left, err = sink.Leases(ctx, store, o.Job)
	}
	if err == nil {
		err = s.readLastRun(ctx, store)
	}
	if err == nil {
		var unread error
		if s.Probe, unread = ProbeOf(ctx, store, o.Job, job, o.Now()); unread != nil {
			s.Probe.Why = "what earlier runs have found cannot be read: the next one writes it anew"
		}
	}
	if err == nil {
		err = s.readUnfinished(ctx, store, left)
	}
	if err != nil {
		return nil, statusError(ctx, err)
	}
	return s, nil
}

// readLimit reads what is remembered of the API's limit. What cannot be read is none: the
// next run says so.
func (s *Status) readLimit(ctx context.Context, o StatusOptions, store bucket.Store) {
	body, err := sink.ReadState(ctx, store, o.Job, stateLimit)
	if err != nil || !o.Config.Knows("finoos.base_url") || !o.Config.Knows("finoos.client_id") {
		return
	}
	memory, _, err := pacing.Recall(body, o.Now())
	if all, learned, ok := memory.Limit(limitKey(o.Config), ""); err == nil && ok {
		s.Limit = &StatusLimit{PerSecond: all.Limit, LearnedAt: learned.UTC()}
	}
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

// readState reads the cursors, and the newest commits. success is the beginning of the
// last run that reached all users.
func (s *Status) readState(ctx context.Context, o StatusOptions, store bucket.Store, success time.Time) error {
	look, err := sink.OpenLook(ctx, sink.LookOptions{
		Store: store, Job: o.Job, Source: sourceOf(o.Config), ScratchDir: o.Config.Sink.ScratchDir,
	})
	if err != nil {
		return err
	}
	defer look.Close()
	s.Users, s.Streams, s.Commits = StatusUsers{NeedsUserBy: map[string]int64{}}, map[config.Stream]*StreamStatus{}, []StatusCommit{}
	c := newCensus(s, o, success)
	for b := range cursors.Buckets {
		for u, err := range look.EachUser(ctx, b) {
			if err != nil {
				return err
			}
			c.addUser(&u)
		}
	}
	c.sum()
	return s.readCommits(ctx, store, look.LastSeq())
}

// census goes through the users of a job for its status.
type census struct {
	*Status
	job     *config.Job
	success time.Time
	name    func(id string) string // as the tables do
	failing *report.Keeper[report.FailingUser]
	needed  *report.Keeper[report.NeededUser]
}

func newCensus(s *Status, o StatusOptions, success time.Time) *census {
	c := &census{Status: s, job: o.Config.Jobs[o.Job], success: success}
	masking, err := c.job.Masking()
	if c.name = masking.UserID; err != nil && o.Named > 0 {
		o.Named, s.Nameless = 0, fmt.Sprintf("the tables have other ids of users than the API, and what they are cannot be told: %v", err)
	}
	c.failing = report.NewKeeper(o.Named, report.LongestFailing)
	c.needed = report.NewKeeper(o.Named, report.EarliestNeeded)
	s.Needed = report.Needed{}
	return c
}

// addUser counts one user.
func (c *census) addUser(u *sink.UserCursors) {
	c.Users.Known++
	fails := report.FailingUser{UserID: u.UserID}
	for _, cursor := range u.Cursors {
		switch stream := config.Stream(cursor.Stream); {
		case stream == config.StreamSyncSessions:
			c.addLogins(u.UserID, cursor.State)
		case stream == config.StreamMissing:
			c.Users.Missing++
		case slices.Contains(config.Streams(), stream):
			if f, does := c.addStream(stream, cursor); does {
				fails.Streams = append(fails.Streams, f)
			}
		}
	}
	if len(fails.Streams) == 0 {
		return
	}
	sitsOut := func(f report.FailingStream) bool { return f.Quarantined }
	c.Users.Quarantined += one(slices.ContainsFunc(fails.Streams, sitsOut))
	c.Users.Failing += one(slices.ContainsFunc(fails.Streams, func(f report.FailingStream) bool { return !sitsOut(f) }))
	c.failing.Add(fails)
}

// addStream counts one stream of a user, and tells whether it fails.
func (c *census) addStream(stream config.Stream, cursor cursors.Cursor) (f report.FailingStream, fails bool) {
	st := c.Streams[stream]
	if st == nil {
		st = &StreamStatus{}
		c.Streams[stream] = st
	}
	st.Users++
	if at := cursor.CorrelationAt; !at.IsZero() {
		st.ages.Add(at, c.At)
		st.Partial += one(!pull.Whole(cursor))
	}
	f = report.FailingStream{Stream: stream, Class: finoos.Class(cursor.ErrorClass), Nights: cursor.Failures}
	if cursor.ErrorClass == pull.MarkNull {
		f.Class = finoos.Malformed
	}
	next := c.At
	switch {
	case isPaused(cursor, c.At):
		st.Quarantined++
		f.Quarantined, next = true, cursor.RetryAt
	case cursor.Failures > 0:
		st.Failing++
	default:
		return f, false
	}
	if at, ok := nextRun(c.job, next); ok {
		f.NextTry = at.UTC()
	} else if f.Quarantined {
		f.NextTry = next
	}
	return f, true
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// addLogins counts the logins that wait for their user. One whose memory had expired
// when a run last reached everybody, and that was not asked for then, works again.
func (c *census) addLogins(userID string, state []byte) {
	u := report.NeededUser{UserID: userID}
	for _, login := range banksync.Recall(state) {
		if login.NeedsUser() && (login.Until.IsZero() || !login.Until.Before(c.success)) {
			u.Note(string(login.Outcome), login.At, login.Until)
		}
	}
	if len(u.Logins) == 0 {
		return
	}
	c.Needed.Count++
	c.Needed.Logins = report.AddCounts(c.Needed.Logins, u.Logins)
	c.needed.Add(u)
}

// sum turns what was gone through into numbers and names.
func (c *census) sum() {
	for _, s := range c.Streams {
		a := s.ages.Sum()
		s.P50, s.P95, s.Oldest = int64(a.P50), int64(a.P95), int64(a.Oldest)
	}
	c.Failing.Users, c.Failing.More = c.failing.Sorted()
	c.Needed.Users, c.Needed.More = c.needed.Sorted()
	for i := range c.Failing.Users {
		c.Failing.Users[i].UserID = c.name(c.Failing.Users[i].UserID)
	}
	for i := range c.Needed.Users {
		c.Needed.Users[i].UserID = c.name(c.Needed.Users[i].UserID)
	}
	c.Users.NeedsUser = c.Needed.Count
	if c.Needed.Count > 0 {
		c.Users.NeedsUserBy = c.Needed.Logins
	}
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
			s.LastRun = report.NewGroup(&past.Report)
		} else if !s.LastRun.Add(&past.Report) {
			break
		}
	}
	return nil
}

// readUnfinished finds the runs that began and did not end: their leases have expired,
// or what they have committed is newer than any report, and no report of theirs is there.
func (s *Status) readUnfinished(ctx context.Context, store bucket.Store, left []sink.Worker) error {
	for _, c := range s.Commits {
		if c.Kind == sink.KindRun || c.Kind == sink.KindBackfill {
			left = append(left, sink.Worker{RunID: c.RunID, Since: began(c.RunID), LastSign: c.CommittedAt})
		}
	}
	looked := map[string]bool{}
	for _, w := range s.AtWork {
		looked[w.RunID] = true
	}
	for _, w := range left {
		if looked[w.RunID] || s.LastRun != nil && began(w.RunID).Before(began(s.LastRun.FirstRun).Add(-sameNight)) {
			continue
		}
		looked[w.RunID] = true
		_, err := sink.ReadReport(ctx, store, s.Job, w.RunID)
		switch {
		case errors.Is(err, bucket.ErrNotExist):
			s.Unfinished = append(s.Unfinished, w)
		case err != nil && !errors.Is(err, sink.ErrForged): // one that is damaged was there
			return err
		}
	}
	return nil
}

// UnfinishedAfter finds the runs of a job that began after one, left their leases and no
// report: what is said of the newest report is then not the newest there is to say.
func UnfinishedAfter(ctx context.Context, cfg *config.Config, job, runID string) ([]sink.Worker, error) {
	store, err := OpenStore(ctx, cfg.Sink, job, nil)
	if err != nil {
		return nil, err
	}
	_, left, err := sink.Leases(ctx, store, job)
	if err != nil {
		return nil, statusError(ctx, err)
	}
	s := &Status{Job: job}
	left = slices.DeleteFunc(left, func(w sink.Worker) bool { return w.RunID <= runID })
	if err := s.readUnfinished(ctx, store, left); err != nil {
		return nil, statusError(ctx, err)
	}
	return s.Unfinished, nil
}

// sameNight is by how much the shards of a night may begin apart.
const sameNight = time.Hour

// began is when a run did, by its id; zero where it does not tell.
func began(runID string) time.Time {
	id, err := ulid.ParseStrict(runID)
	if err != nil {
		return time.Time{}
	}
	return id.Timestamp().UTC()
}
