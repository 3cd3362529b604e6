package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

func (a *app) planCommand() *cobra.Command {
	var f runFlags
	var offline bool
	cmd := &cobra.Command{
		Use:   "plan JOB",
		Short: "Say what a run of a job would do now, and change nothing",
		Long: `Says what a run of the job would do now: how many users it would work on, what it
would ask the API for, and how long that takes at the rate that earlier runs have
learned. How much will have changed is taken from the reports of the last runs; a run
that follows another within hours finds less.

It changes nothing: no lease, no write to the bucket, not even a self-test. Of the
API it asks for the list of users alone; with --offline for nothing at all: then the
users are those that the job knows, credentials need not be there, and notes say what
cannot be told.

What a run would do with --shard, --users, --only-failed or --full is planned with
the same flags.

` + exitCodesHelp(),
		Example: `  syncer plan nightly
  syncer plan nightly --offline --output json
  syncer plan nightly --shard 0/4`,
		Args: oneJobFor("plan"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.plan(cmd.Context(), args[0], f, offline)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&offline, "offline", false, "ask the API for nothing")
	return cmd
}

// plan makes a plan and prints it.
func (a *app) plan(ctx context.Context, job string, f runFlags, offline bool) error {
	load := configLoader(config.Load)
	if offline {
		load = config.LoadToRead
	}
	o, err := a.runOptions(ctx, job, f, load)
	if err != nil {
		return err
	}
	if !offline {
		a.warn(ctx, o.Config)
	}
	plan, err := jobs.MakePlan(ctx, o, offline)
	a.console.clear()
	if err != nil {
		return err
	}
	if err := a.print(plan, func(w io.Writer) error { return planText(plan).writeTo(w) }); err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	return nil
}

// planText says first what matters most: how many requests, and how long.
func planText(plan *jobs.Plan) *printout {
	p := new(printout)
	shard := ""
	if plan.Shards > 1 {
		shard = fmt.Sprintf(", shard %d/%d", plan.Shard, plan.Shards)
	}
	from := "finoos.requests_per_second"
	if plan.Learned {
		from = "learned by an earlier run"
	}
	p.printf("%s%s: about %s in %s, at %.4g a second (%s)\n", plan.Job, shard, plural(plan.Requests, "request"), minutes(plan.Minutes), plan.Rate, from)
	p.printf("  users     %s\n", plannedUsers(plan.Users))
	p.item("probe", "%s", plan.Probe.Text())
	if plan.SyncSessions > 0 {
		p.printf("  sessions  about %s due\n", plural(plan.SyncSessions, "bank synchronisation"))
	}
	p.printf("\n")
	p.indent(besideOrBelow(plannedStreams(plan).lines(), askedTable(plan.RequestsByOperation).lines()))
	if len(plan.Notes) > 0 {
		p.printf("\n")
	}
	for _, note := range plan.Notes {
		p.printf("  note: %s\n", note)
	}
	return p
}

func minutes(n float64) string {
	switch {
	case n < 1:
		return "less than a minute"
	case n < 120:
		return fmt.Sprintf("%.0f minutes", n)
	default:
		return fmt.Sprintf("%.1f hours", n/60)
	}
}

func plannedUsers(u jobs.PlannedUsers) string {
	parts := []string{count(u.Listed)}
	for _, c := range []struct {
		n    int64
		what string
	}{{u.New, "new"}, {u.Missing, "known but not listed"}, {u.Quarantined, "with a stream in quarantine"}} {
		if c.n > 0 {
			parts = append(parts, count(c.n)+" "+c.what)
		}
	}
	return strings.Join(parts, ", ")
}

// plannedStreams lists the streams that depend on an analysis.
func plannedStreams(plan *jobs.Plan) *textTable {
	t := newTable("stream", "pulls", "of users", "changed")
	for _, s := range config.Streams() {
		sp, ok := plan.Streams[s]
		if !ok || s == config.StreamUsers || s == config.StreamBankLogins {
			continue
		}
		changed := "all"
		if sp.Known > 0 {
			changed = fmt.Sprintf("%.1f %%", 100*sp.Changed)
		}
		t.add(s, sp.Pulls, sp.First+sp.Refreshed+sp.Known, changed)
	}
	return t
}
