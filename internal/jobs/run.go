package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/semaphore"
)

// lastWords bounds what a run still does once it has been told to stop: one
// commit, the report, giving back the lease. It fits into the 30 s that
// Kubernetes leaves between SIGTERM and SIGKILL.
const lastWords = 20 * time.Second

// RunOptions says what Run does.
type RunOptions struct {
	// Config and Job name the job to run; both are needed.
	Config *Config
	Job    string
	// Shard of the users that this run owns; the zero value means all of them.
	Shard cursors.Shard
	// RunGroup is the name that the shards and restarts of one scheduled time
	// share; empty means the run's own id.
	RunGroup string
	// Users restricts the run to these user ids. They are asked for one by one,
	// and nobody else is looked at.
	Users []string
	// OnlyFailed restricts the run to users with a stream that failed last time.
	OnlyFailed bool
	// Full reads every stream in full, whatever its correlation says.
	Full bool
	// Transport replaces the network, nil means none of it is replaced.
	Transport http.RoundTripper
	// Pacing is shared by the runs of one process; nil means that this run has a
	// pace of its own.
	Pacing *finoos.Pacing
	// Now is the clock of the data: extraction times, ages, dates. Waiting is
	// always done in real time. Nil means time.Now.
	Now func() time.Time
	// Holder says who runs this, for the lease: host and process.
	Holder  string
	Version string
	Logger  *slog.Logger
	// Progress, where set, is called about once a second and at the end, never by
	// two goroutines at once.
	Progress func(Progress)
	// Committed, where set, is called after each commit.
	Committed func(Commit)
	// WrapStore, where set, is put around the opened store: tests inject faults
	// with it.
	WrapStore func(bucket.Store) bucket.Store
}

// Run executes a job once. Cancelling ctx ends it cleanly: no new user is
// begun, those at work are dropped, and what is complete is committed.
//
// The report is non-nil whenever the run got as far as to have an id. Errors
// are *StopError, except for what nobody foresaw.
func Run(ctx context.Context, o RunOptions) (*Report, error) {
	r, err := newRun(o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.listed.close() }()
	stop := r.reportProgress(ctx)
	defer stop()
	stopTimeline := r.keepTimeline(ctx)
	defer stopTimeline()
	return r.conclude(ctx, r.steps(ctx))
}

// steps is the flow of DESIGN.md, in its order.
func (r *run) steps(ctx context.Context) error {
	return r.take(ctx, []step{
		{"check credentials", r.checkCredentials},
		{"lease and recover", r.openSink},
		{"see where the last run stopped", r.findPlace},
		{"list users", r.listUsers},
		{"look for missing users", r.findMissing},
		{"pull users", r.pullUsers}, // sync sessions, probe, pull, rows, write, and a commit now and then
		{"declare users gone", r.declareGone},
	})
}

// step is a step of a run, with the name that its progress shows.
type step struct {
	name string
	do   func(context.Context) error
}

// take does one step after the other.
func (r *run) take(ctx context.Context, steps []step) error {
	for _, step := range steps {
		r.tally.enter(step.name)
		r.log.DebugContext(ctx, "step begins", "step", step.name)
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

// run is one run at work. The first group is set once and only read; the
// second belongs to the dispatcher; the third guards itself.
type run struct {
	o        RunOptions
	job      *Job
	id       string
	log      *slog.Logger
	client   *finoos.Client
	store    bucket.Store
	w        *sink.Writer
	streams  []Stream // those of the job, in the order in which a user is pulled
	services []finoos.Service
	began    time.Time // real time

	listed userList
	place  *Resume // where the last run stopped, nil at the end

	feed    *feed // nil until users are pulled; belongs to the dispatcher
	inHand  inHand
	queue   *queue
	tally   *tally
	gone    goneUsers
	breaker breaker
	again   againLater
	turns   chan *slabs   // one for each pull whose rows may be held at a time
	spilled chan struct{} // one slot, for the one pull at a time that is larger than memory allows

	// What a backfill does in another way (backfill.go); set once.
	backfill string // its name, empty in a nightly run
	step     func(ctx context.Context, u *user) error
	enlist   func(ctx context.Context, bucket int) enlister // nil: all users, as they are
}

func newRun(o RunOptions) (*run, error) {
	job := o.Config.Jobs[o.Job]
	if job == nil {
		return nil, stopf(ReasonConfig, "no job is called %q: jobs.yaml has %s", o.Job, jobNames(o.Config))
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
	r := &run{
		o: o, job: job, id: id, log: o.Logger.With("job", o.Job, "run_id", id), streams: orderedStreams(job),
		listed: userList{dir: o.Config.Sink.ScratchDir}, queue: newQueue(), began: time.Now(),
		spilled: make(chan struct{}, 1), turns: turnsOf(1 + max(2, runtime.GOMAXPROCS(0))),
	}
	r.services, r.step = servicesOf(r.streams), r.work
	r.tally = newTally(&r.o, id, r.streams)
	r.breaker.limit = max(20, 2*job.Concurrency)
	c := o.Config.client(o.Version, r.log)
	c.Shards, c.Transport, c.Pacing = o.Shard.Count, o.Transport, o.Pacing
	c.Budget = semaphore.NewWeighted(job.MaxInflightBytes)
	client, err := finoos.New(c)
	if err != nil {
		return nil, &StopError{Reason: ReasonConfig, Err: err}
	}
	r.client = client
	return r, nil
}

// checkCredentials asks for a token before anything is written, and compares
// its scopes with those that the streams need, where it names any.
func (r *run) checkCredentials(ctx context.Context) error {
	granted, err := r.client.Scopes(ctx)
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	if len(granted) == 0 {
		return nil
	}
	return missingScopes(granted, r.streams)
}

// openStore opens the object store that the sink lies in.
func (r *run) openStore(ctx context.Context) error {
	store, err := r.o.Config.Sink.OpenStore(ctx, r.o.Job, r.log)
	if err != nil {
		return err
	}
	if r.o.WrapStore != nil {
		store = r.o.WrapStore(store)
	}
	r.store = store
	return nil
}

// source is where the job's users come from.
func (r *run) source() sink.Source {
	return sink.Source{BaseURL: r.o.Config.FinoOS.BaseURL, Tenant: r.o.Config.FinoOS.Tenant}
}

func (r *run) openSink(ctx context.Context) (err error) {
	if r.store == nil {
		if err := r.openStore(ctx); err != nil {
			return err
		}
	}
	masking, err := r.job.masking()
	if err != nil {
		return &StopError{Reason: ReasonConfig, Err: fmt.Errorf("mask: %w", err)}
	}
	c, kind := r.o.Config.Sink, sink.KindRun
	if r.backfill != "" {
		kind = sink.KindBackfill
	}
	r.w, err = sink.Open(ctx, sink.Options{
		Store: r.store, Job: r.o.Job, RunID: r.id, RunGroup: r.o.RunGroup, Kind: kind, Backfill: r.backfill, Shard: r.o.Shard, Holder: r.o.Holder,
		Source:    r.source(),
		LeaseWait: r.job.LeaseWait, LeaseTTL: leaseTTL, Masking: masking, Compression: c.Compression, TargetFileSize: c.TargetFileSize, ScratchDir: c.ScratchDir,
		Now: r.o.Now, Logger: r.log,
	})
	if err != nil {
		return r.sinkError(ctx, err)
	}
	return nil
}

// sinkError gives errors of the object store that have no reason of their own
// the sink's, so that they do not pass for a fault of the API.
func (r *run) sinkError(ctx context.Context, err error) error {
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
// back, also when the caller's context has been cancelled.
func (r *run) conclude(ctx context.Context, runErr error) (*Report, error) {
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.lastWords(interrupted))
	defer cancel()
	r.tally.enter("commit")
	runErr = stopReason(runErr)
	if r.w != nil {
		runErr = r.lastCommit(ctx, runErr)
	}
	if runErr == nil {
		runErr = r.tooManyFailed()
	}
	report := r.tally.finish(r.o.Now(), r.client.Stats(), time.Since(r.began), runErr)
	report.Resume = r.resume()
	if r.w == nil {
		return report, runErr
	}
	if err := r.writeReport(ctx, report); err != nil {
		r.log.WarnContext(ctx, "run report not written", "error", err)
	}
	if err := r.w.Close(ctx); err != nil && runErr == nil {
		runErr = r.sinkError(ctx, fmt.Errorf("close the sink: %w", err))
	}
	return report, runErr
}

// lastCommit commits what there is. Where it cannot, that is what the run ends
// with: nothing else that is said of it would be true.
func (r *run) lastCommit(ctx context.Context, runErr error) error {
	err := r.commit(ctx)
	if err == nil {
		return runErr
	}
	if stop, ok := errors.AsType[*StopError](runErr); ok {
		switch stop.Reason {
		case ReasonSink, ReasonOvertaken: // the same, said where it happened
			return runErr
		case ReasonInterrupted:
			return stopReason(err)
		default:
		}
	}
	return stopReason(errors.Join(err, runErr))
}

// lastWords leaves a run that is over in good order the time that a large
// last file needs.
func (r *run) lastWords(interrupted bool) time.Duration {
	if interrupted {
		return lastWords
	}
	return time.Hour
}

func (r *run) tooManyFailed() error {
	var c UserCounts
	r.tally.update(func(rep *Report) { c = rep.Users })
	if total := c.done(); c.Failed > 0 && float64(c.Failed) > r.job.Failures.MaxRatio*float64(total) {
		return stopf(ReasonTooManyFailed, "%d of %d users failed, more than failures.max_ratio %g allows: the table pulls says who and why",
			c.Failed, total, r.job.Failures.MaxRatio)
	}
	return nil
}

// commit makes everything that was added so far true.
func (r *run) commit(ctx context.Context) error {
	began := time.Now()
	rec, err := r.w.Commit(ctx)
	if err != nil {
		return r.sinkError(ctx, fmt.Errorf("commit: %w", err))
	}
	if rec != nil {
		r.tally.committed(rec)
		r.tellCommit(rec, time.Since(began))
		r.log.InfoContext(ctx, "committed", "seq", rec.Seq, "files", len(rec.Files), "cursors", rec.Cursors.Rows)
	}
	return nil
}

func (r *run) writeReport(ctx context.Context, report *Report) error {
	body, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encode run report: %w", err)
	}
	return r.w.WriteReport(ctx, append(body, '\n'))
}
