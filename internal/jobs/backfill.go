package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// A backfill is a run of another kind. It goes through the users with the same
// machinery (list, dispatch, breaker, commits, report), and does something else
// with each: it reads a range of days, and writes all that is there.
//
// # What it may claim
//
// What it brings is what the API said when it was read. What has vanished from
// the API it does not delete: the cursors' fingerprints, by which that could be
// told, reach back some weeks for transactions, and not at all for tags. That is
// left to the nightly runs, whose fingerprints do not move, and for the rest to
// the full pull that the marks bring about (internal/sink/backfill_marks.go).
//
// # Beside a nightly run
//
// Both may read one stream of one user at once. A backfill gives its rows the
// instant before its request, a nightly pull the one after its answer
// (pull/collect.go). So if the nightly run has read later, its rows have the later
// instant, and nothing that it wrote is hidden by anything older. The other way
// round, where a nightly row that was read before the backfill's has the later
// instant all the same, what changed between the two reads has a newer
// correlation than the nightly run knows: the next night pulls it, in full.
// This compares two clocks, so it is as good as they agree, within the moment
// that a request takes; runs that begin later see the instants in the marks,
// and stay above them whatever their clocks say.
//
// # Going on
//
// Progress is committed with the rows: the next day to read of the
// transactions, and for the rest that it is done. What a restart repeats is
// what was not committed; and it asks again for the transactions of users of
// whom only the tags are left, to know which of these are in the range.

// BackfillOptions say what Backfill does.
type BackfillOptions struct {
	// RunOptions say for whom, and by whom. Users restricts the backfill to these
	// ids, nil means all that are listed. Shard, RunGroup, OnlyFailed, Full and
	// Pacing are not for backfills, and passed over; Committed is called as in a run.
	RunOptions

	// Name of the backfill; empty makes one of the range, streams and users.
	// The same name goes on where the last run with it stopped.
	Name string
	// Since and Until are the first and the last day, as 2006-01-02. Since is
	// needed; an empty Until means today, or what the name began with.
	Since, Until string
	// Streams are those to bring; nil means all of the job's that have a past.
	Streams []config.Stream
	// Rate is its ceiling of requests per second; 0 means a quarter of the
	// job's.
	Rate float64
}

// filling is one backfill at work.
type filling struct {
	*session
	flow         *flow
	list         *listing
	gone         goneUsers
	asked        BackfillOptions
	def          sink.BackfillDefinition
	since, until int32 // days since 1970
	finished     *sink.BackfillDone
	left         atomic.Int64 // streams of users that are not done
	fresh        bool         // nothing stood under the name before
	absent       absentUsers
	compares     atomic.Int32 // which date windows of transactions are of: one of those below
}

// Dates that windows may be of.
const (
	notSeenYet = iota
	dateOfBooking
	dateOfValue
)

// Backfill brings a range of days of a job's streams, or goes on with it. Like
// [Run] it ends cleanly when ctx is cancelled, and returns a report and
// *StopErrors. A backfill that has come to its end before does nothing: its
// report says so.
func Backfill(ctx context.Context, o BackfillOptions) (*report.Report, error) {
	f, err := newFilling(o)
	if err != nil {
		return nil, err
	}
	defer f.list.close()
	defer f.observe(ctx)()
	return f.conclude(ctx, f.steps(ctx), func(_ context.Context, rep *report.Report) { rep.Resume = f.flow.resume(nil) })
}

// steps is the flow of a backfill.
func (f *filling) steps(ctx context.Context) error {
	if err := f.take(ctx, []runStep{{"find the backfill", f.find}}); err != nil || f.finished != nil {
		return err
	}
	return f.take(ctx, []runStep{
		{"try the scratch folder", f.tryScratch},
		{"check credentials", f.checkScopes},
		{"lease and recover", f.open},
		{"list users", f.listAll}, // before anything is written: an id may be mistyped
		{"define the backfill", f.define},
		{"pull users", f.pullUsers},
		{"finish", f.finishAll},
	})
}

// find reads what the name means already. What stands there must be what is
// asked for.
func (f *filling) find(ctx context.Context) error {
	if err := f.openStore(ctx); err != nil {
		return err
	}
	if err := sink.CheckSchema(ctx, f.store, f.o.Job); err != nil { // one that is finished opens nothing
		return f.sinkError(ctx, err)
	}
	standing, finished, err := sink.FindBackfill(ctx, f.store, f.o.Job, f.def.Name)
	if err != nil {
		return f.sinkError(ctx, err)
	}
	f.fresh = standing == nil
	if standing != nil {
		if err := f.adopt(standing); err != nil {
			return err
		}
	}
	f.finished = finished
	f.describe()
	return nil
}

// adopt takes the definition that stands under the name.
func (f *filling) adopt(standing *sink.BackfillDefinition) error {
	if err := sameBackfill(standing, &f.def, f.asked.Until != ""); err != nil {
		return err
	}
	f.def = *standing
	var err error
	if f.since, err = dayOf("since", f.def.Since); err == nil {
		f.until, err = dayOf("until", f.def.Until)
	}
	return err
}

// checkScopes asks for what the streams need, and to know which transactions
// are in the range.
func (f *filling) checkScopes(ctx context.Context) error {
	granted, err := f.client.Scopes(ctx)
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	need := f.streams
	if f.has(config.StreamCategorization) && !f.has(config.StreamTransactions) {
		need = append([]config.Stream{config.StreamTransactions}, need...)
	}
	if missing := MissingScopes(granted, need); len(missing) > 0 {
		f.log.WarnContext(ctx, "the token does not name all scopes that the streams need; if the API refuses them, have them granted", "missing", missing)
	}
	return nil
}

// open takes the lease of this name.
func (f *filling) open(ctx context.Context) error {
	return f.openSink(ctx, sink.KindBackfill, f.def.Name)
}

// pullUsers works on all users. A backfill has no deadline.
func (f *filling) pullUsers(ctx context.Context) error { return f.flow.run(ctx, flowHooks{}) }

func (f *filling) define(ctx context.Context) error {
	standing, err := f.w.Define(ctx, f.def)
	if err != nil {
		return f.sinkError(ctx, err)
	}
	f.tally.update(func(rep *report.Report) { f.w.SetUsers(rep.Users.Listed) })
	f.log.InfoContext(ctx, "backfill", "name", standing.Name, "since", standing.Since, "until", standing.Until, "streams", standing.Streams)
	return f.adopt(standing)
}

// describe puts into the report which backfill it is of.
func (f *filling) describe() {
	f.tally.update(func(rep *report.Report) {
		if rep.Backfill == nil {
			rep.Backfill = &report.Backfill{}
		}
		b := rep.Backfill
		b.Name, b.Since, b.Until, b.Finished = f.def.Name, f.def.Since, f.def.Until, f.finished
	})
}

// finishAll makes all true, and notes the end where nothing is left. Where
// something is, that is an error however little it is: a backfill is called
// until it is done, and who calls it goes by the exit code.
func (f *filling) finishAll(ctx context.Context) error {
	if err := f.endAbsent(ctx); err != nil {
		return err
	}
	if err := f.commit(ctx); err != nil {
		return err
	}
	if n := f.left.Load(); n > 0 {
		var failed int64
		f.tally.update(func(rep *report.Report) { failed = rep.Users.Failed })
		return Stopf(ReasonTooManyFailed, "backfill %s is not finished: %d streams of users are left, %d users failed (the table pulls says who and why); "+
			"the same command goes on with what is left", f.def.Name, n, failed)
	}
	finished, err := f.w.Finish(ctx)
	if err != nil {
		return f.sinkError(ctx, err)
	}
	if !finished {
		return Stopf(ReasonTooManyFailed, "backfill %s is not finished: a commit of it is not published yet, or was taken back; "+
			"the same command goes on with what is left", f.def.Name)
	}
	f.finished = &sink.BackfillDone{RunID: f.id, At: f.o.Now().UTC()}
	f.describe()
	return nil
}

// leftOf gives the users of a bucket their progress, and leaves out those with
// whom the backfill is done. It belongs to the feed.
type leftOf struct {
	of       *filling
	progress *stepper[sink.UserProgress]
}

func (f *filling) enlist(ctx context.Context, bucket int) enlister {
	return &leftOf{f, newStepper(f.w.EachProgress(ctx, bucket), func(u sink.UserProgress) string { return u.UserID })}
}

func (l *leftOf) enlist(ctx context.Context, users []*user) ([]*user, error) {
	left := users[:0]
	for _, u := range users {
		known, err := l.progress.of(u.ID)
		if err != nil {
			return nil, l.of.sinkError(ctx, err)
		}
		u.filled = newFilled(known.Streams)
		n := len(l.of.streamsLeft(u))
		if l.of.left.Add(int64(n)); n > 0 {
			left = append(left, u)
			continue
		}
		l.of.tally.update(func(rep *report.Report) { rep.Users.Unchanged++ })
	}
	return left, nil
}

func (l *leftOf) close() { l.progress.stop() }

// Backfills lists the backfills of a job and how far each is, from its sink
// alone.
func Backfills(ctx context.Context, cfg *config.Config, job string, log *slog.Logger) ([]sink.BackfillSummary, error) {
	if cfg.Jobs[job] == nil {
		return nil, Stopf(ReasonConfig, "no job is called %q: jobs.yaml has %s", job, config.JobNames(cfg, job))
	}
	store, err := OpenStore(ctx, cfg.Sink, job, log)
	if err != nil {
		return nil, err
	}
	all, err := sink.Backfills(ctx, store, job, cfg.Sink.ScratchDir)
	if err != nil && ctx.Err() == nil {
		err = &StopError{Reason: ReasonSink, Err: fmt.Errorf("list backfills: %w", err)}
	}
	return all, err
}
