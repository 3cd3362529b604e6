package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// backfillFlags are the flags of `syncer backfill`.
type backfillFlags struct {
	since, until, users, name string
	streams                   []string
	rate                      float64
}

func (a *app) backfillCommand() *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill JOB --since DAY",
		Short: "Bring history on demand: all rows of a range of days",
		Long: `Reads a range of days again, whatever has changed, and brings the lake to what the
API says of it now: corrections included that a nightly run does not see, since it
looks back some weeks only. Transactions and account_history come by their date,
categorization of the transactions in the range, contracts whole. Both days are
included.

Nightly runs may go on beside it: it takes a share of the rate, moves no cursor, and
hides nothing that is newer. What it wrote to is read in full by the next nightly
run that finds a change there; who does not change costs not one request more.

It may be stopped or killed at any time. The same command goes on where it was, with
the users and days that are left; when all is done, it says so and does nothing. A
range, streams and users make the name of a backfill, unless --name does.

` + exitCodesHelp(),
		Example: `  syncer backfill nightly --since 2024-01-01
  syncer backfill nightly --since 2025-01-01 --until 2025-03-31 --streams transactions --users ids.txt
  syncer backfill list nightly`,
		Args: oneJobFor("backfill"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("rate") && f.rate <= 0 {
				return usagef("--rate %g: give a number of requests per second above 0", f.rate)
			}
			return a.backfill(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "the first `day`, as 2024-01-31; needed")
	flags.StringVar(&f.until, "until", "", "the last `day`; today unless given, or what the backfill began with")
	flags.StringVar(&f.users, "users", "", "only these users: a `file` of ids, or ids separated by commas")
	flags.StringSliceVar(&f.streams, "streams", nil, "only these of transactions, categorization, contracts, account_history")
	flags.Float64Var(&f.rate, "rate", 0, "at most so many `requests` per second; a quarter of requests_per_second unless given")
	flags.StringVar(&f.name, "name", "", "a `name` of your own for the backfill")
	cmd.AddCommand(a.backfillListCommand())
	return cmd
}

func (a *app) backfillListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list JOB",
		Short:   "Show the backfills of a job, and how far each is",
		Long:    "Shows the backfills of a job, and how far each is, from the sink alone.\n\n" + exitCodesHelp(),
		Example: `  syncer backfill list nightly`,
		Args:    oneJobFor("backfill list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.LoadToRead(a.config, a.getenv)
			if err != nil {
				return err
			}
			all, err := jobs.Backfills(cmd.Context(), cfg, args[0], a.log)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) error { return backfillsText(args[0], all).writeTo(w) })
		},
	}
}

// backfill runs a backfill and prints what it did.
func (a *app) backfill(ctx context.Context, job string, f backfillFlags) error {
	users, err := userIDs(f.users)
	if err != nil {
		return err
	}
	cfg, err := config.Load(a.config, a.getenv)
	if err != nil {
		return err
	}
	p := newProgress(a.console, a.log, time.Now)
	o := jobs.BackfillOptions{
		RunOptions: jobs.RunOptions{
			Config: cfg, Job: job, Users: users, Holder: holder(), Version: thisBuild().Version, Logger: a.log,
			Progress:  func(s report.Progress) { a.words.note(job, s); p.report(ctx, s) },
			Committed: func(report.Commit) { a.words.committed(job) },
		},
		Name: f.name, Since: f.since, Until: f.until, Rate: f.rate,
	}
	for _, s := range f.streams {
		o.Streams = append(o.Streams, config.Stream(strings.TrimSpace(s)))
	}
	if o.WrapStore, err = a.arm(cfg, job); err != nil {
		return err
	}
	a.warn(ctx, cfg)
	jobs.BoundMemory(cfg.Jobs[job])
	began := time.Now()
	report, err := jobs.Backfill(ctx, o)
	a.words.done(job)
	a.console.clear()
	if report == nil {
		return err
	}
	if a.output != formatJSON && err != nil && report.Users.Listed == 0 && report.Commits == 0 {
		return err // it did nothing: the error says it all
	}
	text := func(w io.Writer) error { return backfilledText(w, report, time.Since(began)) }
	if printErr := a.print(report, text); err == nil && printErr != nil {
		err = fmt.Errorf("print the report: %w", printErr)
	}
	return err
}

// backfilledText is the summary of a run, under what became of the backfill.
func backfilledText(w io.Writer, report *report.Report, took time.Duration) error {
	b, p := report.Backfill, printout{}
	if b != nil {
		p.printf("backfill %s, %s to %s: ", b.Name, b.Since, b.Until)
		switch {
		case b.Finished != nil && b.Finished.RunID != report.RunID:
			p.printf("finished on %s, nothing to do; for another one give --until, or a --name\n", b.Finished.At.Format(time.DateTime))
			return p.writeTo(w)
		case b.Finished != nil:
			p.printf("finished\n")
		default:
			p.printf("not finished; the same command goes on with it\n")
		}
		if b.Undated > 0 {
			p.printf("  %s without a date left out: a backfill up to today brings them\n", human.Plural(b.Undated, "transaction"))
		}
		if err := p.writeTo(w); err != nil {
			return err
		}
	}
	return summary{report: report, took: took}.text(w)
}

// backfillsText is a table of backfills; done are the streams of users.
func backfillsText(job string, all []sink.BackfillSummary) *printout {
	p := new(printout)
	if len(all) == 0 {
		p.printf("%s: no backfills\n", job)
		return p
	}
	t := newTable("backfill", "range", "users", "done", "begun", "failed", "state")
	for i := range all {
		s := &all[i]
		state := "unfinished"
		if s.Finished != nil {
			state = "finished " + s.Finished.At.Format(time.DateTime)
		}
		t.add(s.Name, s.Since+" to "+s.Until, s.Found, progressText(s, s.Done), progressText(s, s.Begun), progressText(s, s.Failed), state)
	}
	p.indent(t.lines())
	return p
}

// progressText counts the streams of users, as a part of all there are.
func progressText(s *sink.BackfillSummary, n map[string]int64) string {
	var sum int64
	for _, stream := range slices.Sorted(slices.Values(s.Streams)) {
		sum += n[stream]
	}
	whole := s.Found * int64(len(s.Streams))
	if whole == 0 || sum == 0 {
		return count(sum)
	}
	return fmt.Sprintf("%s (%d %%)", count(sum), min(100, 100*sum/whole))
}
