package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/trouble"
	"finoos-syncer/internal/trust"

	"golang.org/x/sync/semaphore"
)

// OpenStore opens the object store that the tables and the state of a job lie in.
// log may be nil. Errors are *StopError.
func OpenStore(ctx context.Context, s config.Sink, job string, log *slog.Logger) (bucket.Store, error) {
	var watch *trouble.Watch
	if log != nil {
		watch = trouble.New(log)
	}
	return openStore(ctx, s, job, log, watch)
}

func openStore(ctx context.Context, s config.Sink, job string, log *slog.Logger, watch *trouble.Watch) (bucket.Store, error) {
	roots, err := trust.Pool(s.CAFile)
	if err != nil {
		return nil, Stopf(ReasonConfig, "sink.ca_file: %w", err)
	}
	store, err := bucket.Open(ctx, s.URL, bucket.Options{
		Pending: sink.PendingPrefix(job), MostBytes: sink.MostBytes, SSE: s.SSE, KMSKeyID: s.KMSKeyID, ExpectedBucketOwner: s.ExpectedBucketOwner,
		Roots: roots, Logger: log, Trouble: watch,
	})
	if err != nil {
		return nil, &StopError{Reason: ReasonSink, Err: err}
	}
	return store, nil
}

// sourceOf is where the users of a configuration come from, zero where that is not known.
func sourceOf(c *config.Config) sink.Source {
	if !c.Knows("finoos.base_url") || !c.Knows("finoos.tenant") {
		return sink.Source{}
	}
	return sink.Source{BaseURL: c.FinoOS.BaseURL, Tenant: c.FinoOS.Tenant}
}

// ClientConfig is what every client of this API is made with; who makes one adds what
// is its own.
func ClientConfig(c *config.Config, version string, log *slog.Logger) finoos.Config {
	f := c.FinoOS
	return finoos.Config{
		BaseURL: f.BaseURL, ClientID: f.ClientID, ClientSecret: f.ClientSecret, Tenant: f.Tenant,
		RequestsPerSecond: f.RequestsPerSecond, Timeout: f.Timeout, BodyTimeout: f.BodyTimeout, RetryMaxElapsed: f.RetryMaxElapsed,
		MaxResponse: f.MaxResponse, Disk: Scratch(c), FirstPage: f.FirstPage, Paths: f.Paths,
		CAFile: f.CAFile, ScratchDir: c.Sink.ScratchDir, Logger: log, UserAgent: "syncer/" + version,
	}
}

// Scratch is the room on disk that finoos.max_scratch gives: one answer of the largest
// size fits at least, whatever it is rounded up to.
func Scratch(c *config.Config) finoos.Disk {
	const rounding = 1 << 20
	return semaphore.NewWeighted(max(c.FinoOS.MaxScratch, c.FinoOS.MaxResponse) + rounding)
}

// FindReport is [report.Find] in the sink of a configuration. Errors are
// *StopError: ReasonConfig where there is no such run, else ReasonSink.
func FindReport(ctx context.Context, cfg *config.Config, job, run string, log *slog.Logger) (*report.Stored, error) {
	found, err := report.Find(ctx, cfg, job, run, func(ctx context.Context, job string) (bucket.Store, error) {
		return OpenStore(ctx, cfg.Sink, job, log)
	})
	if _, ok := errors.AsType[*report.NotFoundError](err); ok {
		return nil, &StopError{Reason: ReasonConfig, Err: err}
	}
	if _, ok := errors.AsType[*StopError](err); err != nil && !ok {
		err = &StopError{Reason: ReasonSink, Err: err}
	}
	return found, err
}

// What a run may take by default, and what configuration adds to it: a night of
// docs/design.md, "Budgets", with 16 workers and 32 MiB of pulls in flight, stays below 100 MiB
// resident, of which some 25 MiB are the program itself.
const (
	memoryOfRun    = 68 << 20
	usualInflight  = 32 << 20
	usualWorkers   = 16
	memoryOfWorker = 256 << 10
)

// BoundMemory tells the garbage collector to keep the process small, by a limit
// that is soft: where the jobs need more they get it, for processor time. It
// does nothing where the caller's environment has set a limit (GOMEMLIMIT).
//
// Without it the collector lets the heap grow to twice of what is in use, and
// what is in use in a first night is most of what a run may take.
func BoundMemory(jobs ...*config.Job) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	var limit int64
	for _, job := range jobs {
		if job == nil {
			continue // an unknown name, which the run will tell
		}
		limit += memoryOfRun + max(0, job.MaxInflightBytes-usualInflight) +
			int64(max(0, job.Concurrency-usualWorkers))*memoryOfWorker
	}
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}
