package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "doctor [JOB]",
		Short: "Examine configuration, credentials, API and sink, and say what to do",
		Long: `Examines everything that a run needs, and prints one line for each check: ok, or
what to do. The configuration, the secrets (never shown), the token and its scopes,
the tenant, how the list of users counts its pages, each endpoint's answer about one
user beside what we expect of it, clocks, latency; and in the sink: listing,
conditional writes, pending uploads, deleting.

It asks for a dozen answers of the API, writes and removes one object in the sink,
and never asks a bank for a synchronisation. Lines name users by id only.

Without JOB, all jobs are examined.

` + exitCodesHelp(),
		Example: `  syncer doctor
  syncer doctor nightly --user 6f0c… --output json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("doctor takes one job at most, but got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.doctor(cmd.Context(), strings.Join(args, ""), user)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "the `id` of the user whose endpoints are looked at (default: one of the first page)")
	return cmd
}

// diagnosis is what --output json prints of one job.
type diagnosis struct {
	Job    string         `json:"job"`
	OK     bool           `json:"ok"`
	Checks []doctor.Check `json:"checks"`
}

func (a *app) doctor(ctx context.Context, job, user string) error {
	cfg, err := config.Load(a.config, a.getenv)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(cfg.Jobs))
	if job != "" {
		if cfg.Jobs[job] == nil {
			return usagef("no job is called %q: %s has %s", job, a.config, config.JobNames(cfg, job))
		}
		names = []string{job}
	}
	a.warn(ctx, cfg)
	var gravest error
	found := make([]diagnosis, 0, len(names))
	for _, name := range names {
		o := doctor.Options{Config: cfg, Job: name, User: user, Version: version, Logger: a.log}
		if a.output != formatJSON {
			o.Report = a.printCheck
		}
		checks, err := doctor.Run(ctx, o)
		found = append(found, diagnosis{Job: name, OK: err == nil, Checks: checks})
		if reason, ok := jobs.ReasonOf(err); err != nil {
			if before, _ := jobs.ReasonOf(gravest); gravest == nil || !ok || reason < before {
				gravest = err
			}
		}
	}
	if a.output == formatJSON {
		if err := a.print(found, func(io.Writer) error { return nil }); err != nil {
			return fmt.Errorf("print what was found: %w", err)
		}
	}
	return gravest
}

// printCheck prints a check as soon as it is done.
func (a *app) printCheck(c doctor.Check) {
	a.console.clear()
	line := fmt.Sprintf("%-4s  %s: %s", c.Status, c.What, human.Line(c.Saw, maxFinding))
	if c.Do != "" && c.Status != doctor.CheckOK {
		line += "\n      -> " + human.Line(c.Do, maxFinding)
	}
	_, _ = fmt.Fprintln(a.stdout, line) // the exit code says it too
}
