package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"

	"github.com/oklog/ulid/v2"
)

// Latest is what Find takes for the newest run there is.
const Latest = "latest"

// Stored is a run report as it lies in the bucket.
type Stored struct {
	Report *Report
	Body   []byte // as it was written, also what a newer version knows more of
}

// Opener opens the bucket that a job's reports lie in.
type Opener func(ctx context.Context, job string) (bucket.Store, error)

// NotFoundError says that there is no such run, and why.
type NotFoundError struct{ text string }

// Error is that text.
func (e *NotFoundError) Error() string { return e.text }

func notFound(format string, args ...any) error {
	return &NotFoundError{text: fmt.Sprintf(format, args...)}
}

// Find reads the report of a run, by its id or as [Latest], from the
// bucket. An empty job means any of the configuration: run ids are unique, and
// the newest run is that of all jobs. It writes nothing. A run that is not there
// is a *NotFoundError; other errors are those of open and of the bucket.
func Find(ctx context.Context, cfg *config.Config, job, run string, open Opener) (*Stored, error) {
	jobNamed := slices.Sorted(maps.Keys(cfg.Jobs))
	if job != "" {
		if cfg.Jobs[job] == nil {
			return nil, notFound("no job is called %q: jobs.yaml has %s", job, config.JobNames(cfg, job))
		}
		jobNamed = []string{job}
	}
	if run != Latest {
		id, err := ulid.ParseStrict(strings.ToUpper(run))
		if err != nil {
			return nil, notFound("%q is no run: name one by its id, 26 letters and digits, or write %s", run, Latest)
		}
		run = id.String()
	}
	var found *Stored
	for _, name := range jobNamed {
		stored, err := storedReport(ctx, name, run, open)
		if err != nil {
			return nil, err
		}
		if stored != nil && (found == nil || stored.Report.RunID > found.Report.RunID) {
			found = stored
		}
	}
	switch {
	case found == nil && run == Latest:
		return nil, notFound("there is no report of any run of %s: a run writes it when it ends", strings.Join(jobNamed, ", "))
	case found == nil:
		return nil, notFound("there is no report of run %s of %s: a run writes it when it ends, and one that was killed leaves none",
			run, strings.Join(jobNamed, ", "))
	}
	return found, nil
}

// storedReport is a job's report of a run, nil if there is none.
func storedReport(ctx context.Context, job, run string, open Opener) (*Stored, error) {
	store, err := open(ctx, job)
	if err != nil {
		return nil, err
	}
	bodies := sink.Reports(ctx, store, job, "")
	if run != Latest {
		bodies = func(yield func([]byte, error) bool) {
			body, err := sink.ReadReport(ctx, store, job, run)
			if !errors.Is(err, bucket.ErrNotExist) {
				yield(body, err)
			}
		}
	}
	for body, err := range bodies {
		if err != nil {
			return nil, err
		}
		stored := &Stored{Report: new(Report), Body: body}
		if err := json.Unmarshal(body, stored.Report); err != nil {
			return nil, fmt.Errorf("read the report of a run of %s: it was damaged, or written by a later version: %w", job, err)
		}
		return stored, nil
	}
	return nil, nil //nolint:nilnil // there is none
}
