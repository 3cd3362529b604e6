package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/jobs/reportpage"
)

func (a *app) reportCommand() *cobra.Command {
	var job, html string
	var users bool
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Show what a run did, as text or as a page",
		Long: `Shows the report that a run left in the bucket: RUN is its id, or latest for the
newest run there is. Without --job it is looked for among all jobs of jobs.yaml.

--html writes a page to look at: how fast the run was and what was refused, rows by
table, failures, outcomes of bank synchronisations, the slowest users, and how fresh
the data are. It is one file that needs no network and runs no script; like the
report it names users by their ids only.

Of those who failed, or have a bank login that only they can bring to work again, a few
are named, with the class of the failure, for how many nights in a row it has been there
and the next try; --users names all that the report has (up to 1,000 of each kind).

It writes nothing to the bucket, and asks the API for nothing.

` + exitCodesHelp(),
		Example: `  syncer report latest
  syncer report latest --job nightly --html run.html
  syncer report 01JDA3Z4M0V8Q2K7T5R1XW9BCE --output json`,
		Args: oneRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.report(cmd.Context(), args[0], job, html, users)
		},
	}
	cmd.Flags().StringVar(&job, "job", "", "look at runs of this `job` only")
	cmd.Flags().StringVar(&html, "html", "", "write a page to this `file` as well")
	cmd.Flags().BoolVar(&users, "users", false, "name all users who failed or are needed, not only a few")
	return cmd
}

func oneRun(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usagef("which run? Name its id, or %s: syncer report %s", report.Latest, report.Latest)
	case 1:
		return nil
	}
	return usagef("one run at a time, but got %q and %q", args[0], args[1])
}

// report finds a report, prints it, and makes a page of it where one is wanted.
func (a *app) report(ctx context.Context, run, job, html string, users bool) error {
	cfg, err := config.LoadToRead(a.config, a.getenv)
	if err != nil {
		return err
	}
	found, err := jobs.FindReport(ctx, cfg, job, run, a.log)
	if err != nil {
		return err
	}
	if html != "" {
		if err := writePage(html, found.Report); err != nil {
			return usagef("--html: %w", err)
		}
	}
	s := summary{report: found.Report, took: found.Report.Took(), users: users, past: true}
	if run == report.Latest {
		if s.newer, err = jobs.UnfinishedAfter(ctx, cfg, found.Report.Job, found.Report.RunID); err != nil {
			a.log.WarnContext(ctx, "whether a newer run has left no report cannot be seen", "error", err)
		}
	}
	err = a.print(json.RawMessage(found.Body), func(w io.Writer) error {
		if err := s.text(w); err != nil || html == "" {
			return err
		}
		_, err := fmt.Fprintf(w, "\n  the page is in %s\n", html)
		return err
	})
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// writePage writes a report's page to a file, all of it or none.
func writePage(path string, r *report.Report) error {
	var page bytes.Buffer
	if err := reportpage.Write(&page, r); err != nil {
		return err
	}
	return os.WriteFile(path, page.Bytes(), 0o600)
}
