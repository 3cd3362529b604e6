package jobs

import (
	"context"
	"errors"
	"log/slog"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// OpenStore opens the object store that the tables and the state of a job lie in.
// log may be nil. Errors are *StopError.
func OpenStore(ctx context.Context, s config.Sink, job string, log *slog.Logger) (bucket.Store, error) {
	store, err := bucket.Open(ctx, s.URL, bucket.Options{
		Pending: sink.PendingPrefix(job), SSE: s.SSE, KMSKeyID: s.KMSKeyID, ExpectedBucketOwner: s.ExpectedBucketOwner,
		Logger: log,
	})
	if err != nil {
		return nil, &StopError{Reason: ReasonSink, Err: err}
	}
	return store, nil
}

// ClientConfig is what every client of this API is made with; who makes one adds what
// is its own.
func ClientConfig(c *config.Config, version string, log *slog.Logger) finoos.Config {
	f := c.FinoOS
	return finoos.Config{
		BaseURL: f.BaseURL, ClientID: f.ClientID, ClientSecret: f.ClientSecret, Tenant: f.Tenant,
		RequestsPerSecond: f.RequestsPerSecond, Timeout: f.Timeout, RetryMaxElapsed: f.RetryMaxElapsed,
		MaxResponse: f.MaxResponse, FirstPage: f.FirstPage, Paths: f.Paths,
		ScratchDir: c.Sink.ScratchDir, Logger: log, UserAgent: "syncer/" + version,
	}
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
