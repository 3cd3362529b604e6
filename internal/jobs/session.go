package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/semaphore"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
	"finoos-syncer/internal/trouble"
)

// runStep is a step of a run, with the name that its progress shows.
type runStep struct {
	name string
	do   func(context.Context) error
}

// take does one step after the other.
func (s *session) take(ctx context.Context, steps []runStep) error {
	for _, step := range steps {
		s.tally.enter(step.name)
		s.log.DebugContext(ctx, "step begins", "step", step.name)
		err := step.do(ctx)
		if ctx.Err() != nil {
			return errInterrupted // whatever the step made of it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// session is what every kind of run has, a plan too: what it is to do, with whom
// it talks, and what it has counted. All of it is set before users are pulled;
// what changes from then on guards itself. Kinds of runs embed it as their
// context: they hide none of its names.
type session struct {
	o          RunOptions
	job        *config.Job
	id         string
	log        *slog.Logger
	watch      *trouble.Watch // of all that is waited for
	client     *finoos.Client
	store      bucket.Store
	w          *sink.Writer    // nil until the sink is open, and in a plan
	streams    []config.Stream // those of the job, in the order in which a user is pulled
	services   []finoos.Service
	began      time.Time // real time
	started    time.Time // by the clock of the data
	reader     *pull.Reader
	tally      *tally
	health     *health
	reserved   reservations
	places     byBuckets[placeOf] // where earlier runs stopped, by bucket of users
	asking     asking             // how users are asked
	limit      begunLimit         // that the pace began with
	doubtsLost bool               // what was in doubt could not be read
	doubted    joined.Memory      // what was read by one request and may be wrong, as of the run's beginning
	safe       bool               // the last commit has succeeded

	leased atomic.Bool // the sink is open

	addresses *banksync.Addresses // of users, nil where one is for all
	masking   *table.Masking      // what the tables hide, nil for nothing
}

func newSession(o RunOptions) (*session, error) {
	job := o.Config.Jobs[o.Job]
	if job == nil {
		return nil, Stopf(ReasonConfig, "no job is called %q: jobs.yaml has %s", o.Job, config.JobNames(o.Config, o.Job))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Shard.Count == 0 {
		o.Shard.Count = 1
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	id := ulid.Make().String()
	if o.RunGroup == "" {
		o.RunGroup = id
	}
	s := &session{
		o: o, job: job, id: id, log: o.Logger.With("job", o.Job, "run_id", id), streams: config.PullOrder(job), began: time.Now(), started: o.Now().UTC(),
	}
	s.services = config.ServicesOf(s.streams)
	var err error
	if s.masking, err = s.job.Masking(); err != nil {
		return nil, &StopError{Reason: ReasonConfig, Err: fmt.Errorf("mask: %w", err)}
	}
	s.tally = newTally(&s.o, id, s.streams)
	s.watch = trouble.New(s.log)
	c := ClientConfig(o.Config, o.Version, s.log)
	c.Trouble = s.watch
	c.Shards, c.Transport, c.Pacing = o.Shard.Count, o.Transport, o.Pacing
	if o.Disk != nil {
		c.Disk = o.Disk
	}
	c.Budget = semaphore.NewWeighted(job.MaxInflightBytes)
	client, err := finoos.New(c)
	if err != nil {
		return nil, &StopError{Reason: ReasonConfig, Err: err}
	}
	s.client = client
	s.health = newHealth(s)
	s.reader = &pull.Reader{
		Client: client, Job: job, Now: o.Now, Full: o.Full, Turns: pull.NewTurns(1 + max(2, runtime.GOMAXPROCS(0))), Veil: pull.NewVeil(s.masking),
		InDoubt: func(c cursors.Cursor) bool { return s.doubted.InDoubt(c) },
	}
	s.tally.words = s.words
	return s, nil
}

// tryScratch finds out whether what does not fit into memory can be held, before
// anything is asked.
func (s *session) tryScratch(context.Context) error {
	if err := scratch.Try(s.o.Config.Sink.ScratchDir); err != nil {
		return Stopf(ReasonSink, "sink.scratch_dir cannot be written to: %w: mount a folder there, or set another", err)
	}
	return nil
}

// openStore opens the object store that the sink lies in.
func (s *session) openStore(ctx context.Context) error {
	store, err := openStore(ctx, s.o.Config.Sink, s.o.Job, s.log, s.watch)
	if err != nil {
		return err
	}
	if s.o.WrapStore != nil {
		store = s.o.WrapStore(store)
	}
	s.store = store
	return nil
}

// source is where the job's users come from.
func (s *session) source() sink.Source { return sourceOf(s.o.Config) }

// openSink opens the sink for a kind of commits; backfill is the name of the
// backfill that these are of, if they are of one.
func (s *session) openSink(ctx context.Context, kind, backfill string) (err error) {
	if s.store == nil {
		if err := s.openStore(ctx); err != nil {
			return err
		}
	}
	c := s.o.Config.Sink
	s.w, err = sink.Open(ctx, sink.Options{
		Store: s.store, Job: s.o.Job, RunID: s.id, RunGroup: s.o.RunGroup, Kind: kind, Backfill: backfill, Shard: s.o.Shard, Holder: s.o.Holder,
		Source:    s.source(),
		LeaseWait: s.job.LeaseWait, LeaseTTL: leaseTTL, AtOnce: s.job.Concurrency, Masking: s.masking, Compression: c.Compression, TargetFileSize: c.TargetFileSize, ScratchDir: c.ScratchDir,
		Now: s.o.Now, Logger: s.log, Trouble: s.watch,
	})
	if err != nil {
		return s.sinkError(ctx, err)
	}
	s.leased.Store(true)
	s.recallLimit(ctx)
	return s.sameIDs(ctx)
}

// sinkError gives errors of the object store that have no reason of their own
// the sink's, so that they do not pass for a fault of the API.
func (s *session) sinkError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	var stop *StopError
	if err = stopReason(err); errors.As(err, &stop) && stop.Reason == ReasonUnexpected {
		return &StopError{Reason: ReasonSink, Err: stop.Err}
	}
	return err
}

// conclude makes true what is complete, writes the report and gives the lease
// back, also when the caller's context has been cancelled. ending says where the
// next run begins.
func (s *session) conclude(ctx context.Context, runErr error, ending func(context.Context, *report.Report)) (*report.Report, error) {
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.lastWords(interrupted))
	defer cancel()
	s.tally.enter("commit")
	runErr = stopReason(runErr)
	if s.w != nil {
		runErr = s.lastCommit(ctx, runErr)
	}
	if reason, _ := ReasonOf(runErr); reason == ReasonInterrupted && !s.tally.hasCommitted() {
		runErr = &StopError{Reason: ReasonInterrupted, Err: errNothingYet}
	}
	runErr = advised(s.judge(ctx, runErr))
	s.tellIssues(ctx)
	rep := s.tally.finish(s.o.Now(), s.client.Stats(), time.Since(s.began), s.safe, runErr)
	rep.Waited = s.watch.Counts()
	ending(ctx, rep)
	rep.Rename(s.masking.UserID)
	if s.w == nil {
		return rep, runErr
	}
	if err := s.writeReport(ctx, rep); err != nil {
		s.log.WarnContext(ctx, "run report not written", "error", err)
	}
	err := s.w.Close(ctx)
	s.leased.Store(false)
	if err != nil && IsWhole(runErr) {
		runErr = stopReason(errors.Join(s.sinkError(ctx, fmt.Errorf("close the sink: %w", err)), runErr))
	}
	return rep, runErr
}

// lastCommit commits what there is. Where it cannot, that is what the run ends
// with: nothing else that is said of it would be true.
func (s *session) lastCommit(ctx context.Context, runErr error) error {
	err := s.commit(ctx)
	if s.safe = err == nil; s.safe {
		return runErr
	}
	err = stopReason(err)
	was, _ := ReasonOf(runErr)
	now, _ := ReasonOf(err)
	switch {
	case runErr != nil && (was == ReasonSink || was == ReasonOvertaken) && was <= now:
		return runErr // the same, said where it happened
	case runErr != nil && was == ReasonInterrupted:
		return err
	}
	return stopReason(errors.Join(err, runErr))
}

// lastWords leaves a run that is over in good order the time that a large
// last file needs.
func (s *session) lastWords(interrupted bool) time.Duration {
	if interrupted {
		return lastWords
	}
	return time.Hour
}

// commit makes everything that was added so far true.
func (s *session) commit(ctx context.Context) error {
	began, users := time.Now(), s.tally.usersPulled()
	rec, err := s.w.Commit(ctx)
	if err != nil {
		return s.sinkError(ctx, fmt.Errorf("commit: %w", err))
	}
	s.tally.keeps(users)
	if rec != nil {
		s.tally.committed(rec)
		s.tellCommit(rec, time.Since(began))
		s.log.InfoContext(ctx, "committed", "seq", rec.Seq, "files", len(rec.Files), "cursors", rec.Cursors.Rows)
	}
	return nil
}

func (s *session) writeReport(ctx context.Context, rep *report.Report) error {
	body, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return fmt.Errorf("encode run report: %w", err)
	}
	return s.w.WriteReport(ctx, append(body, '\n'))
}

// tellCommit calls the caller's function.
func (s *session) tellCommit(rec *sink.Record, took time.Duration) {
	if s.o.Committed == nil {
		return
	}
	c := report.Commit{Took: took, Tables: map[string]report.Table{}}
	for _, f := range rec.Files {
		t := c.Tables[f.Table]
		t.Rows += f.Rows
		t.Files++
		t.Bytes += f.Bytes
		c.Tables[f.Table] = t
	}
	s.o.Committed(c)
}

// deadlinePassed says that no further step of a user is to be begun.
func (s *session) deadlinePassed() bool {
	return s.job.Deadline > 0 && time.Since(s.began) >= s.job.Deadline
}

// untilDeadline shortens a wait to what is left; negative means no end.
func (s *session) untilDeadline(wait time.Duration) time.Duration {
	if s.job.Deadline == 0 {
		return wait
	}
	left := max(0, s.job.Deadline-time.Since(s.began))
	if wait < 0 {
		return left
	}
	return min(wait, left)
}

// reportProgress calls the caller's function once a second until stopped, and
// then once more.
func (s *session) reportProgress(ctx context.Context) (stop func()) {
	if s.o.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			s.o.Progress(s.progress())
			select {
			case <-ctx.Done():
				s.o.Progress(s.progress())
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		cancel()
		background.Wait()
	}
}

// progress is how far the run is, and what it waits for.
func (s *session) progress() report.Progress {
	p := s.tally.progress(s.client.Stats(), time.Since(s.began))
	p.Trouble, p.Waited = s.watch.Now(), s.watch.Counts()
	p.Leased = s.leased.Load()
	return p
}

// observe tells the caller of the run's progress and samples its course, until
// stopped.
func (s *session) observe(ctx context.Context) (stop func()) {
	stopProgress, stopTimeline := s.reportProgress(ctx), s.keepTimeline(ctx)
	return func() {
		stopTimeline()
		stopProgress()
		s.watch.Close()
	}
}

// hasFailed says whether a stream of this job, or the user itself, failed when
// it was last tried.
func (s *session) hasFailed(u *user) bool {
	for stream, c := range u.Cursors {
		if c.Failures > 0 && (stream == config.StreamUsers || s.has(stream)) {
			return true
		}
	}
	return false
}

// words are what the report may say of an error: where anything is masked, nothing in
// the words of the API, which may quote it.
func (s *session) words(err error) string {
	if s.masking == nil {
		return err.Error()
	}
	return finoos.WithoutWords(err)
}

// sameUsers refuses to go on where the ids of users are masked in another way than in
// the rows that stand: these would stay beside those that are written, under ids that
// nobody names any more.
func (s *session) sameUsers(u *user) error {
	for _, c := range u.Cursors {
		if s.reader.Veil.HasOtherUsers(c) {
			return Stopf(ReasonConfig, "user_id is masked in another way than in the rows of this lake, or by another mask_key: the rows of before would stay beside the new ones, "+
				"as if they were of other users; put it back, or give sink.url a prefix of its own (nothing was written)")
		}
	}
	return nil
}

// sameIDs does so by the first user of the shard whose cursors tell, before anything is
// written: also of users who are new, who would be stopped at by nothing.
func (s *session) sameIDs(ctx context.Context) error {
	for _, b := range s.o.Shard.Buckets() {
		for known, err := range s.w.EachUser(ctx, b) {
			if err != nil {
				return s.sinkError(ctx, err)
			}
			u := newUser(known.UserID, nil, known.Cursors)
			if err := s.sameUsers(u); err != nil || slices.ContainsFunc(known.Cursors, pull.TellsMask) {
				return err
			}
		}
	}
	return nil
}

func (s *session) has(stream config.Stream) bool { return slices.Contains(s.streams, stream) }
