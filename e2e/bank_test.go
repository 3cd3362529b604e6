package e2e

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/bucket"
)

// bank is a simulated bank behind a port of this machine.
type bank struct {
	*sandbox.Sandbox
	url string
}

// newBank starts one. Its seed is fixed, so that a failure comes again.
func newBank(t *testing.T, o sandbox.Options) *bank {
	t.Helper()
	if o.Seed == 0 {
		o.Seed = 20261119
	}
	if o.Users == 0 && o.Data == "" {
		o.Users = 40
	}
	o.CacheUsers = 200 // nobody is invented twice
	sb, err := sandbox.New(o)
	if err != nil {
		t.Fatalf("new sandbox: %v", err)
	}
	server := httptest.NewServer(sb)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if n := sb.UnknownRoutes(); n > 0 {
			t.Errorf("%d requests went to paths that the API does not have", n)
		}
	})
	return &bank{Sandbox: sb, url: server.URL}
}

// users are the ids of everyone who was there on the first day.
func (b *bank) users(n int) []string {
	ids := make([]string, 0, n)
	for i := range n {
		ids = append(ids, b.UserID(i))
	}
	return ids
}

// settings are what a test says about its jobs.yaml; the zero value is a job
// that pulls every stream and never asks for a bank synchronisation.
type settings struct {
	finoos, sink, job []string

	store func(bucket.Store) bucket.Store // put around the store, where set
	later time.Duration                   // than the bank's day, on which nothing happens
}

// jobsYAML is the configuration of one job, nightly, for this bank and a sink.
func (b *bank) jobsYAML(sinkURL string, s settings) string {
	var y strings.Builder
	section := func(name, indent string, lines, more []string) {
		fmt.Fprintf(&y, "%s%s:\n", indent, name)
		for _, l := range append(lines, more...) {
			fmt.Fprintf(&y, "%s  %s\n", indent, l)
		}
	}
	section("finoos", "", []string{
		"base_url: " + b.url, "client_id: sandbox", "client_secret: sandbox",
		"requests_per_second: 10000",
	}, s.finoos)
	section("sink", "", []string{"url: " + sinkURL}, s.sink)
	y.WriteString("jobs:\n")
	section("nightly", "  ", []string{`schedule: "30 2 * * *"`}, s.job)
	return y.String()
}

// night runs the job once in this process, by the bank's own clock, and fails
// the test unless it ends well.
func (b *bank) night(t *testing.T, dir string, s settings) *report.Report {
	t.Helper()
	report, err := b.tryNight(t, dir, s)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return report
}

func (b *bank) tryNight(t *testing.T, dir string, s settings) (*report.Report, error) {
	t.Helper()
	cfg, err := config.Parse("jobs.yaml", []byte(b.jobsYAML(folderURL(dir), s)),
		func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatalf("parse configuration: %v", err)
	}
	begun := time.Now()
	return jobs.Run(t.Context(), jobs.RunOptions{
		Config: cfg, Job: "nightly", Version: "test", Holder: t.Name(),
		// The bank's day, moving on as the run does: extraction times of one
		// night differ, and each night's are after those of the night before.
		Now:       func() time.Time { return b.Now().Add(s.later + time.Since(begun)) },
		WrapStore: s.store,
		Logger:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

func folderURL(dir string) string { return "file://" + filepath.ToSlash(dir) }

// misbehave replaces the bank's faults from the next request on.
func (b *bank) misbehave(t *testing.T, f sandbox.Faults) {
	t.Helper()
	if err := b.SetFaults(f); err != nil {
		t.Fatalf("set faults: %v", err)
	}
}
