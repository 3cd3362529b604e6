package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/table"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify JOB",
		Short: "Read back all that a job has committed, and compare it with its log",
		Long: `Reads back every file that the job has committed, and compares it with the commit
log: its size, checksum and rows, and for each table the numbers of upserts and
deletes and the exact sums of the money columns. It makes sure that the log has no
gap and was not longer once, that records, cursors, checkpoints and all small objects
are those that were written to their place, that what was taken back is gone, and
that nothing is visible in the tables' folders that no commit of any job names.

It writes nothing and takes no lease: a run may be at work. What that run has not
published yet is noted, and so is what a killed run has left for the next one to
clear away. Both are no damage.

It reads all files once, so it takes as long as loading them would. One line for
each problem says where it is, what it is, and what to do; the last line sums up.

The exit code is 0 where all is as it should be, 5 where the sink is damaged or could
not be read, and 8 where the lake is of another schema than this program's.

` + exitCodesHelp(),
		Example: `  syncer verify nightly
  syncer verify nightly --output json`,
		Args: oneJobFor("verify"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.verify(cmd.Context(), args[0])
		},
	}
}

// verify verifies one job and prints what was found.
func (a *app) verify(ctx context.Context, job string) error {
	cfg, err := config.LoadToRead(a.config, a.getenv)
	if err != nil {
		return err
	}
	if cfg.Jobs[job] == nil {
		return usagef("no job is called %q: %s has %s", job, a.config, config.JobNames(cfg, job))
	}
	found, err := a.verifySink(ctx, cfg.Sink, job)
	a.console.clear()
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("verify: %w", context.Canceled)
		}
		if errors.Is(err, sink.ErrSchema) {
			return &jobs.StopError{Reason: jobs.ReasonConfig, Err: err}
		}
		return &jobs.StopError{Reason: jobs.ReasonSink, Err: err}
	}
	if err := a.print(found, func(w io.Writer) error { return verifiedText(found).writeTo(w) }); err != nil {
		return fmt.Errorf("print what was found: %w", err)
	}
	if found.ProblemCount > 0 {
		return &jobs.StopError{Reason: jobs.ReasonSink, Err: errors.New("the sink is damaged: the lines above say where, and what to do")}
	}
	return nil
}

func (a *app) verifySink(ctx context.Context, c config.Sink, job string) (*sink.Verification, error) {
	store, err := jobs.OpenStore(ctx, c, job, a.log)
	if err != nil {
		return nil, err
	}
	return sink.Verify(ctx, sink.VerifyOptions{
		Store: store, Job: job, ScratchDir: c.ScratchDir,
		Progress: func(v *sink.Verification) {
			a.console.show(fmt.Sprintf("commit %s · %s rows · %d problems", count(int64(v.LastSeq)), count(verifiedTotal(v).Rows), v.ProblemCount)) // numbers of commits are small
		},
	})
}

func verifiedTotal(v *sink.Verification) (all sink.VerifiedTable) {
	for _, t := range v.Tables {
		all.Files += t.Files
		all.Bytes += t.Bytes
		all.Rows += t.Rows
		all.Deletes += t.Deletes
	}
	return all
}

// verifiedText is one line for each thing that was found, what was read, and a
// line that sums up.
func verifiedText(v *sink.Verification) *printout {
	p := new(printout)
	findings(p, "problem", v.Problems, v.ProblemCount)
	findings(p, "note", v.Notes, v.NoteCount)
	t := newTable("read back", "rows", "deletes", "files", "size")
	for _, tab := range table.Tables() {
		if c, ok := v.Tables[tab.Name]; ok {
			t.add(tab.Name, c.Rows, c.Deletes, c.Files, size(c.Bytes))
		}
	}
	if all := verifiedTotal(v); all.Files > 0 {
		t.add("all", all.Rows, all.Deletes, all.Files, size(all.Bytes))
		p.indent(t.lines())
	}
	outcome := "all is as the log says"
	switch {
	case v.Records == 0 && v.ProblemCount == 0:
		outcome = "nothing is committed there yet, so there was nothing to compare"
	case v.ProblemCount > 0:
		outcome = plural(v.ProblemCount, "problem")
	}
	p.printf("%s: %s (%s in %s", v.Job, outcome, plural(v.Records, "commit"), v.Store)
	if v.Voided > 0 {
		p.printf(", %s taken back", count(v.Voided))
	}
	if v.Unpublished > 0 {
		p.printf(", %s not published yet", count(v.Unpublished))
	}
	p.printf(")\n")
	return p
}

func findings(p *printout, kind string, found []sink.Finding, all int64) {
	for _, f := range found {
		p.printf("%s: %s: %s; %s\n", kind, human.Line(f.Where, maxFinding), human.Line(f.What, maxFinding), human.Line(f.Do, maxFinding))
	}
	if more := all - int64(len(found)); more > 0 {
		p.printf("and %s more\n", plural(more, kind))
	}
}

func plural(n int64, what string) string { return human.Plural(n, what) }
