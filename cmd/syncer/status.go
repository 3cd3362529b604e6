package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

func (a *app) statusCommand() *cobra.Command {
	var watch time.Duration
	cmd := &cobra.Command{
		Use:   "status [JOB]",
		Short: "Say how jobs stand, from the bucket alone",
		Long: `Says how a job stands: who is at work, when the schedule is due next, the last
commits, what the last run did and how fast, how old what the lake has of each stream
is (the age of the analysis that it comes from: of half of the users, of 95 %, of the
oldest), of how many users it was last read in part, which a full pull will make up for
(full_refresh_every), and which users fail, sit out in quarantine, or have a bank login
that only they can bring to work again.

It asks the bucket alone, takes no lease and writes nothing: a run may be at work.
Without JOB, all jobs are told. With --output json there is one list of them.

` + exitCodesHelp(),
		Example: `  syncer status
  syncer status nightly --watch 10s
  syncer status nightly --output json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("status takes one job at most, but got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if watch != 0 && watch < time.Second {
				return usagef("--watch %v: at least a second", watch)
			}
			return a.status(cmd.Context(), strings.Join(args, ""), watch)
		},
	}
	cmd.Flags().DurationVar(&watch, "watch", 0, "say it again after each such `time`, until stopped")
	return cmd
}

func (a *app) status(ctx context.Context, job string, watch time.Duration) error {
	cfg, err := config.LoadToRead(a.config, a.getenv)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(cfg.Jobs))
	if job != "" {
		names = []string{job}
	}
	for {
		all := make([]*jobs.Status, 0, len(names))
		for _, name := range names {
			s, err := jobs.ReadStatus(ctx, jobs.StatusOptions{Config: cfg, Job: name})
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		if watch > 0 {
			a.clearScreen()
		}
		if err := a.print(all, func(w io.Writer) error { return statusText(all).writeTo(w) }); err != nil {
			return fmt.Errorf("print the status: %w", err)
		}
		if watch == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil // that is how watching ends
		case <-time.After(watch):
		}
	}
}

// clearScreen begins a new page where there is a terminal.
func (a *app) clearScreen() {
	if f, ok := a.screen.(*os.File); ok && a.output != formatJSON && term.IsTerminal(int(f.Fd())) {
		_, _ = io.WriteString(f, "\x1b[H\x1b[2J") // a terminal that is gone is no reason to stop
	}
}

func statusText(all []*jobs.Status) *printout {
	p := new(printout)
	for i, s := range all {
		if i > 0 {
			p.printf("\n")
		}
		jobStatusText(p, s)
	}
	return p
}

func jobStatusText(p *printout, s *jobs.Status) {
	p.printf("%s\n", s.Job)
	for _, w := range s.AtWork {
		what := fmt.Sprintf("a run of shard %d/%d", w.Shard, max(w.Shards, 1))
		if w.Backfill != "" {
			what = "backfill " + w.Backfill
		}
		p.printf("  at work   %s: %s, since %s\n", what, w.Holder, moment(w.Since, s.At))
	}
	if s.Next != nil {
		p.printf("  next      %s (in %s)\n", s.Next.Format("2006-01-02 15:04 MST"), human.Duration(s.Next.Sub(s.At)))
	}
	if len(s.Commits) == 0 {
		p.printf("  nothing was committed yet\n")
		return
	}
	lastRunText(p, s)
	p.printf("  users     %s\n", knownUsers(s.Users))
	p.printf("\n")
	t := newTable("stream", "users", "age p50", "p95", "oldest", "partial", "failing", "quarantined")
	for _, name := range config.Streams() {
		if st := s.Streams[name]; st != nil {
			t.add(string(name), st.Users, seconds(st.P50), seconds(st.P95), seconds(st.Oldest), st.Partial, st.Failing, st.Quarantined)
		}
	}
	p.indent(t.lines())
	p.printf("\n")
	t = newTable("commit", "at", "files", "rows", "size", "")
	for _, c := range s.Commits {
		note := c.Kind
		if !c.Published {
			note += ", not published yet"
		}
		t.add(int64(c.Seq), moment(c.CommittedAt, s.At), int64(c.Files), c.Rows, size(c.Bytes), note) // numbers of commits are small
	}
	p.indent(t.lines())
}

func lastRunText(p *printout, s *jobs.Status) {
	r := s.LastRun
	if r == nil {
		return
	}
	p.printf("  last run  %s, %s, took %s", r.Outcome, moment(r.Finished, s.At), human.Duration(r.Finished.Sub(r.Started)))
	if r.Shards > 1 {
		p.printf(", %d reports of %d shards", r.Reports, r.Shards)
	}
	p.printf("\n")
	if r.Error != "" {
		p.printf("            %s\n", r.Error)
	}
	u := r.Users
	p.printf("            users: %s pulled, %s unchanged, %s without analysis, %s failed, %s quarantined, %s gone", count(u.Pulled), count(u.Unchanged), count(u.NoAnalysis), count(u.Failed), count(u.Quarantined), count(u.Gone))
	if u.Missing > 0 {
		p.printf(", %s missing", count(u.Missing))
	}
	if u.NotBooked > 0 {
		p.printf(", %s without a service of the job", count(u.NotBooked))
	}
	if u.PassedOver > 0 {
		p.printf(", %s passed over", count(u.PassedOver))
	}
	if r.Unreached > 0 {
		p.printf(", %s not reached", count(r.Unreached))
	}
	p.printf("\n            %s requests (%.1f a second), %s refused; %.1f users and %.0f rows a second\n",
		count(r.Requests), r.RequestsPerSecond, count(r.Refused), r.UsersPerSecond, r.RowsPerSecond)
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		s := r.Services[name]
		p.printf("            %s is down since %s, %s users passed over: %s\n", name, s.DownSince.Format("15:04 MST"), count(s.PassedOver), s.Error)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Issues)) {
		p.printf("            %s: %s\n", kind, issueText(kind, r.Issues[kind]))
	}
	if len(r.SyncSessions) > 0 {
		p.printf("            bank synchronisations: %s\n", counted(r.SyncSessions))
	}
}

func knownUsers(u jobs.StatusUsers) string {
	text := count(u.Known) + " known"
	if u.Failing > 0 {
		text += ", " + count(u.Failing) + " failing"
	}
	if u.Quarantined > 0 {
		text += ", " + count(u.Quarantined) + " in quarantine"
	}
	if u.NeedsUser > 0 {
		text += fmt.Sprintf(", %s need their user (%s)", count(u.NeedsUser), counted(u.NeedsUserBy))
	}
	return text
}

// counted lists counts by name.
func counted(by map[string]int64) string {
	parts := make([]string, 0, len(by))
	for _, name := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, count(by[name])+" "+name)
	}
	return strings.Join(parts, ", ")
}

// moment is a time and how long it is past.
func moment(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format("2006-01-02 15:04 MST"), human.Duration(now.Sub(t)))
}

func seconds(n int64) string {
	if n == 0 {
		return "-"
	}
	return human.Seconds(float64(n))
}
