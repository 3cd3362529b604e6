package service

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// Options says what Run does.
type Options struct {
	// Config is needed; each of its jobs that has a schedule is run on it.
	Config *config.Config
	// Transport, Holder and Version are as in [jobs.RunOptions].
	Transport http.RoundTripper
	Holder    string
	Version   string
	Logger    *slog.Logger // nil = silent
	// Watch is told what happens; nil = nobody is.
	Watch Watcher
	// Ready, where set, is called once every schedule is being kept.
	Ready func()
}

// Watcher is told what Run does. Its methods are called by the goroutines of
// several jobs at once, and must not wait.
type Watcher interface {
	// Planned tells when a job is started next.
	Planned(job string, next time.Time)
	// Skipped tells that a scheduled time did not lead to a run: SkippedRunning
	// or SkippedLate.
	Skipped(job, why string)
	// Progress and Committed tell of a job at work, as in [jobs.RunOptions].
	Progress(job string, p report.Progress)
	Committed(job string, c report.Commit)
	// Ended tells of a run's end. The report is nil where the run did not begin.
	Ended(job string, report *report.Report, err error)
	// Standing tells how a job stands, by its bucket: at the start, and after
	// each run.
	Standing(job string, s *Standing)
}

// Why Watcher.Skipped is called.
const (
	SkippedRunning = "running" // the job was at work
	SkippedLate    = "late"    // the scheduled time was longer ago than catch_up
)

// Standing is how a job stands.
type Standing struct {
	// LastSuccess is when all users were last reached by runs that came to their
	// end; zero where some never were, and where the bucket does not tell.
	LastSuccess time.Time
	// Status is what `syncer status` says, nil where it could not be read.
	Status *jobs.Status
}

// Run stays, and runs every job on its schedule, each for itself: no job
// waits for another. Cancelling ctx ends it as it ends [Run]: jobs at work commit
// what is complete, then Run returns a *jobs.StopError of ReasonInterrupted, or the
// error of a run that could not commit.
func Run(ctx context.Context, o Options) error {
	s, err := newServer(o)
	if err != nil {
		return err
	}
	return s.serve(ctx)
}

// server is what all jobs share. Nothing in it changes once it serves.
type server struct {
	o       Options
	log     *slog.Logger
	keepers []*keeper
	pacing  *finoos.Pacing // of all jobs together, since the ceiling is the process's; nil = there is one job
	disk    finoos.Disk    // of all jobs together, too

	// What tests replace.
	run   func(context.Context, jobs.RunOptions) (*report.Report, error)
	past  func(ctx context.Context, job string) (pastReports, error)
	last  func(ctx context.Context, job string) (began, ended time.Time, err error)
	stand func(context.Context, jobs.StatusOptions) (*jobs.Status, error)
}

func newServer(o Options) (*server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Watch == nil {
		o.Watch = nobody{}
	}
	if o.Ready == nil {
		o.Ready = func() {}
	}
	s := &server{o: o, log: o.Logger, disk: jobs.Scratch(o.Config), run: jobs.Run, stand: jobs.ReadStatus}
	s.past, s.last = s.bucketPast, s.bucketLast
	for _, name := range slices.Sorted(maps.Keys(o.Config.Jobs)) {
		job := o.Config.Jobs[name]
		schedule, err := config.NewSchedule(job)
		switch {
		case err != nil:
			return nil, jobs.Stopf(jobs.ReasonConfig, "jobs.%s: %w", name, err)
		case schedule != nil:
			s.keepers = append(s.keepers, &keeper{s: s, job: job, schedule: schedule, log: s.log.With("job", name)})
		}
	}
	switch len(s.keepers) {
	case 0:
		return nil, jobs.Stopf(jobs.ReasonConfig, "no job has a schedule: give one, such as schedule: \"30 2 * * *\", to %s", config.JobNames(o.Config, ""))
	case 1:
	default: // the ceiling is that of the process
		s.pacing = finoos.NewPacing(o.Config.FinoOS.RequestsPerSecond, 1)
	}
	return s, nil
}

func (s *server) serve(ctx context.Context) error {
	var (
		keeping sync.WaitGroup
		ends    = make([]error, len(s.keepers))
	)
	for i, k := range s.keepers {
		keeping.Go(func() { ends[i] = k.keep(ctx) })
	}
	s.o.Ready()
	s.log.InfoContext(ctx, "schedules are kept", "jobs", len(s.keepers))
	<-ctx.Done()
	s.log.InfoContext(ctx, "stopping: jobs at work commit what is complete")
	keeping.Wait()
	var worst error // of those that must not pass for a clean commit
	for _, err := range ends {
		reason, ok := jobs.ReasonOf(err)
		if err == nil || ok && reason != jobs.ReasonSink && reason != jobs.ReasonUnexpected {
			continue
		}
		if before, _ := jobs.ReasonOf(worst); worst == nil || reason < before {
			worst = err
		}
	}
	if worst != nil {
		return worst
	}
	return &jobs.StopError{Reason: jobs.ReasonInterrupted, Err: errors.New("stopped: no job is at work, and those that were go on after the next start")}
}

// nobody watches.
type nobody struct{}

func (nobody) Planned(string, time.Time)           {}
func (nobody) Skipped(string, string)              {}
func (nobody) Progress(string, report.Progress)    {}
func (nobody) Committed(string, report.Commit)     {}
func (nobody) Ended(string, *report.Report, error) {}
func (nobody) Standing(string, *Standing)          {}
