// Package lake makes lakes to measure with: it seeds the state that many nights
// would have left, quickly, and runs the product's own nights against a world.
package lake

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"finoos-syncer/bench/world"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// Job is the job that all measurements run.
const Job = "nightly"

// nowhere is not asked by anybody: a world stands in for the network.
const nowhere = "https://world.invalid"

// Lake is a folder that a job writes to.
type Lake struct {
	Dir string // does not have to exist; scratch files lie beside it
	API string // base URL; empty where a world is asked in process
	// Streams are those of the job; empty means all of them.
	Streams string
	Shard   cursors.Shard // that a night is of; the zero value is the only one there is
	// Now is the clock of the runs' data; nil is one that begins on the day of the world.
	Now func() time.Time
}

const allStreams = "users, bank_logins, accounts, transactions, categorization, contracts, account_history"

func (l Lake) api() string { return cmp.Or(l.API, nowhere) }

// config is a jobs.yaml with one job, to whose keys the given lines are added.
func (l Lake) config(lines ...string) (*config.Config, error) {
	text := fmt.Sprintf(`finoos: {base_url: %q, client_id: sandbox, client_secret: sandbox, requests_per_second: 10000}
sink: {url: %q, scratch_dir: %q}
jobs:
  %s:
    streams: [%s]
`, l.api(), "file://"+filepath.ToSlash(l.Dir), filepath.Dir(l.Dir), Job, cmp.Or(l.Streams, allStreams))
	if len(lines) > 0 {
		text += "    " + strings.Join(lines, "\n    ") + "\n"
	}
	c, err := config.Parse("jobs.yaml", []byte(text), nil)
	if err == nil {
		c.FinoOS.RequestsPerSecond = 1e6 // more than jobs.yaml takes: what the machine can do is asked for
	}
	return c, err
}

// Night runs a night against a world, or over the network where that is nil.
//
// steps, where given, says how long its steps took.
func (l Lake) Night(ctx context.Context, api http.RoundTripper, steps *Steps, lines ...string) (*report.Report, error) {
	c, err := l.config(lines...)
	if err != nil {
		return nil, err
	}
	jobs.BoundMemory(c.Jobs[Job]) // as the command line does
	o := jobs.RunOptions{Config: c, Job: Job, Shard: l.Shard, Transport: api, Holder: "bench", Version: "bench", Now: l.Now}
	if o.Now == nil {
		o.Now = clock()
	}
	if steps != nil {
		o.Logger = slog.New(steps)
	}
	return jobs.Run(ctx, o)
}

// clock begins on the day of the world and goes on with real time.
func clock() func() time.Time {
	began := time.Now()
	return func() time.Time { return world.Today.Add(time.Since(began)) }
}

// Open opens the object store of a lake.
func (l Lake) Open(ctx context.Context) (bucket.Store, error) {
	return bucket.Open(ctx, "file://"+filepath.ToSlash(l.Dir), bucket.Options{Pending: sink.PendingPrefix(Job)})
}
