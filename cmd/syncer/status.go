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
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

func (a *app) statusCommand() *cobra.Command {
	var watch time.Duration
	var users bool
	cmd := &cobra.Command{
		Use:   "status [JOB]",
		Short: "Say how jobs stand, from the bucket alone",
		Long: `Says how a job stands: who is at work, when the schedule is due next, the last
commits, what the last run did and how fast, how old what the lake has of each stream
is (the age of the analysis that it comes from: of half of the users, of 95 %, of the
oldest), of how many users it was last read in part, which a full pull will make up for
(full_refresh_every), and which users fail, sit out in quarantine, or have a bank login
that only they can bring to work again: a few of each, or with --users all of them (of a
job 10,000 of each kind at most). It also tells of a run that began and did not end.

It asks the bucket alone, takes no lease and writes nothing: a run may be at work.
Without JOB, all jobs are told. With --output json there is one list of them.

` + exitCodesHelp(),
		Example: `  syncer status
  syncer status nightly --watch 10s
  syncer status nightly --users
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
			return a.status(cmd.Context(), strings.Join(args, ""), watch, users)
		},
	}
	cmd.Flags().DurationVar(&watch, "watch", 0, "say it again after each such `time`, until stopped")
	cmd.Flags().BoolVar(&users, "users", false, "name all users who fail or are needed, not only a few")
	return cmd
}

func (a *app) status(ctx context.Context, job string, watch time.Duration, users bool) error {
	cfg, err := config.LoadToRead(a.config, a.getenv)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(cfg.Jobs))
	if job != "" {
		names = []string{job}
	}
	named := shownUsers
	if users {
		named = jobs.MostNamed
	}
	for {
		all := make([]*jobs.Status, 0, len(names))
		for _, name := range names {
			s, err := jobs.ReadStatus(ctx, jobs.StatusOptions{Config: cfg, Job: name, Named: named})
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
		p.item("at work", "%s: %s, since %s", workText(w), w.Holder, moment(w.Since, s.At))
	}
	for _, w := range s.Unfinished {
		p.item("no report", "%s", unfinishedText(w, s.At))
	}
	if s.Next != nil {
		p.item("next", "%s (in %s)", s.Next.Format("2006-01-02 15:04 MST"), human.Duration(s.Next.Sub(s.At)))
	}
	lastRunText(p, s)
	if len(s.Commits) == 0 {
		p.printf("  nothing was committed yet\n")
		return
	}
	if s.LastSuccess != nil {
		p.item("complete", "all users were last reached %s", moment(*s.LastSuccess, s.At))
	} else {
		p.item("complete", "not yet: no run has reached all users")
	}
	if s.Limit != nil {
		p.item("limit", "the next run begins at %.4g requests a second, which the API allowed %s", s.Limit.PerSecond, moment(s.Limit.LearnedAt, s.At))
	}
	usersStatusText(p, s)
	p.item("probe", "%s", s.Probe.Text())
	p.printf("\n")
	t := newTable("stream", "users", "age p50", "p95", "oldest", "part", "failing", "paused")
	for _, name := range config.Streams() {
		if st := s.Streams[name]; st != nil {
			t.add(string(name), st.Users, age(st.P50), age(st.P95), age(st.Oldest), st.Partial, st.Failing, st.Quarantined)
		}
	}
	p.indent(t.lines())
	p.printf("\n")
	t = newTable("commit", "at", "files", "rows", "size", "")
	for _, c := range s.Commits {
		note := c.Kind
		if !c.Published {
			note += ", unpublished"
		}
		at := fmt.Sprintf("%s (%s ago)", day(c.CommittedAt), age(max(1, int64(s.At.Sub(c.CommittedAt).Seconds()))))
		t.add(int64(c.Seq), at, int64(c.Files), c.Rows, size(c.Bytes), note) // numbers of commits are small
	}
	p.indent(t.lines())
}

func workText(w sink.Worker) string {
	if w.Backfill != "" {
		return "backfill " + w.Backfill
	}
	return fmt.Sprintf("a run of shard %d/%d", w.Shard, max(w.Shards, 1))
}

// unfinishedText tells of a run that neither is at work nor has left a report. Of one
// whose lease is gone nothing is known but what it has committed.
func unfinishedText(w sink.Worker, now time.Time) string {
	what, holder := "a run", ""
	if w.Holder != "" {
		what, holder = workText(w), ", "+w.Holder
	}
	return fmt.Sprintf("of %s (%s%s): it began %s, its last sign is of %s, and it is not at work. It was killed, or could not write one; "+
		"what it had committed stands, the next run brings the rest", what, w.RunID, holder, moment(w.Since, now), moment(w.LastSign, now))
}

// usersStatusText counts the users, and names those who fail and those who are needed.
func usersStatusText(p *printout, s *jobs.Status) {
	p.item("users", "%s", knownUsers(s.Users))
	where := "syncer status " + s.Job + " --users, or the table pulls"
	if fail := int64(len(s.Failing.Users)) + s.Failing.More; fail > 0 {
		p.item("failing", "%s, the longest first:", plural(fail, "user"))
		p.failing(s.Failing, where)
	}
	if s.Needed.Count > 0 {
		p.item("needed", "%s", neededText(s.Needed))
		p.needed(s.Needed, where)
	}
	if s.Nameless != "" {
		p.item("", "%s", s.Nameless)
	}
}

func lastRunText(p *printout, s *jobs.Status) {
	r := s.LastRun
	if r == nil {
		return
	}
	text := fmt.Sprintf("%s, %s, took %s", r.Outcome, moment(r.Finished, s.At), human.Duration(r.Finished.Sub(r.Started)))
	switch {
	case r.Named > 0:
		text += fmt.Sprintf("; for %s only, who had been named", plural(int64(r.Named), "user"))
	case r.OnlyFailed:
		text += "; only for users who had failed"
	}
	if r.Shards > 1 {
		text += fmt.Sprintf("; %d of %d shards have reported", r.Reported, r.Shards)
	}
	p.item("last run", "%s", text)
	if r.Error != "" {
		p.item("", "%s", joined(r.Error))
	}
	p.item("", "users: %s", lastUsersText(r))
	if r.AllUnreached {
		p.item("", "nobody was reached%s: it ended before it was known who is there", ofAShard(r))
	}
	if r.NotKept != nil {
		p.item("", "not kept: %s", notKeptText(r.NotKept))
	}
	p.item("", "%s requests (%.1f a second), %s refused; %.1f users and %.0f rows a second",
		count(r.Requests), r.RequestsPerSecond, count(r.Refused), r.UsersPerSecond, r.RowsPerSecond)
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		p.item("", "down: %s", downText(name, r.Services[name]))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Issues)) {
		p.issue("", kind, r.Issues[kind])
	}
	if len(r.SyncSessions) > 0 {
		p.item("", "bank synchronisations: %s", counted(r.SyncSessions))
	}
}

func ofAShard(r *report.Group) string {
	if r.Shards > 1 {
		return " by a shard"
	}
	return ""
}

// lastUsersText counts the users of the last run by what became of them.
func lastUsersText(r *report.Group) string {
	u := r.Users
	parts := []string{fmt.Sprintf("%s pulled, %s unchanged, %s without analysis, %s failed, %s quarantined, %s gone",
		count(u.Pulled), count(u.Unchanged), count(u.NoAnalysis), count(u.Failed), count(u.Quarantined), count(u.Gone))}
	for _, c := range []struct {
		n    int64
		what string
	}{
		{u.Missing, "missing"}, {u.NotBooked, "without a service of the job"}, {u.PassedOver, "passed over"}, {r.Unreached, "not reached"},
	} {
		if c.n > 0 {
			parts = append(parts, count(c.n)+" "+c.what)
		}
	}
	return strings.Join(parts, ", ")
}

func knownUsers(u jobs.StatusUsers) string {
	text := count(u.Known) + " known"
	if u.Failing > 0 {
		text += ", " + count(u.Failing) + " failing"
	}
	if u.Quarantined > 0 {
		text += ", " + count(u.Quarantined) + " in quarantine"
	}
	if u.Missing > 0 {
		text += ", " + count(u.Missing) + " missing"
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

// age is how long something is past, as exactly as one wants to know it at a glance.
func age(seconds int64) string {
	const hour, day = 3600, 24 * 3600
	switch {
	case seconds == 0:
		return "-"
	case seconds < 60:
		return "< 1 min"
	case seconds < hour:
		return fmt.Sprintf("%d min", seconds/60)
	case seconds < day:
		return fmt.Sprintf("%.1f h", float64(seconds)/hour)
	case seconds < 100*day:
		return fmt.Sprintf("%d d %d h", seconds/day, seconds%day/hour)
	}
	return count(seconds/day) + " d"
}
