package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// demoNights is how many nights the demo lets pass: the first reads everything,
// the others show what a quiet night costs.
const demoNights = 3

// demoJob is the name of the demo's job, and of its state in the lake.
const demoJob = "demo"

// demoFlags are the flags of `syncer demo`.
type demoFlags struct {
	dir   string
	users int
	seed  uint64
	force bool
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See three simulated nights land in ./lake; needs nothing",
		Long: `Starts a simulated finoOS inside this process, runs three nights against it into a
folder, and prints after each what the API was asked for, what had changed and what
was written. No account and no network are needed.

A lake that an earlier demo left is replaced; any other folder must be empty.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.demo(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "dir", "lake", "the `folder` to write to")
	flags.IntVar(&f.users, "users", 40, "how many users the simulated bank has")
	flags.Uint64Var(&f.seed, "seed", 1, "what everything random is made from")
	flags.BoolVar(&f.force, "force", false, "write to --dir although it holds other files (they are left alone)")
	return cmd
}

// night is what one night of the demo did.
type night struct {
	Number int            `json:"night"`
	Day    string         `json:"day"`
	Report *report.Report `json:"report"`
	// FullExport is what reading everything would have cost that night.
	FullExport fullExport `json:"full_export"`
	took       time.Duration
}

// demo runs the nights and prints each when it is over.
func (a *app) demo(ctx context.Context, f demoFlags) error {
	if f.users < 1 {
		return usagef("--users is at least 1")
	}
	bank, err := sandbox.New(sandbox.Options{Users: f.users, Seed: f.seed, NoHistory: true})
	if err != nil {
		return fmt.Errorf("open the sandbox: %w", err)
	}
	trouble, err := makeTrouble(bank, f.users)
	if err != nil {
		return err
	}
	cfg, text, err := demoConfig(f.dir)
	if err != nil {
		return err
	}
	if err := prepareDemoLake(ctx, f.dir, f.force, text); err != nil {
		return err
	}
	if err := a.demoText(func(p *printout) { demoIntroduction(p, f, trouble) }); err != nil {
		return err
	}
	nights := make([]night, 0, demoNights)
	for n := 1; n <= demoNights; n++ {
		if n > 1 {
			bank.Night()
		}
		tonight, err := a.demoNight(ctx, cfg, bank, f.dir, n)
		if err != nil {
			return err
		}
		tonight.FullExport = estimateFullExport(append(nights, tonight))
		nights = append(nights, tonight)
		if err := a.demoText(tonight.text); err != nil {
			return err
		}
	}
	if a.output == formatJSON {
		return a.print(nights, nil)
	}
	lake, err := filepath.Abs(f.dir)
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	return a.demoText(func(p *printout) { demoEnd(p, commandName(), lake) })
}

// demoTrouble is who fails in the demo, and whose bank wants its user; empty for nobody.
type demoTrouble struct{ fails, needed string }

// makeTrouble lets one user's contracts be unreadable, and the first bank that is to be
// asked for fresh data ask for its user, as some are in any real bank.
func makeTrouble(bank *sandbox.Sandbox, users int) (demoTrouble, error) {
	var t demoTrouble
	for login := range bank.Truth("bank_logins") {
		last, told := login["last_synchronization"].(time.Time)
		if login["active"] != true && login["status"] == "OK" && told && bank.Now().Sub(last) > demoStale {
			t.needed, _ = login["user_id"].(string)
			break
		}
	}
	faults := sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{}}
	if t.needed != "" {
		faults.Users[t.needed] = map[string]sandbox.UserFault{"synchronize": {Kind: sandbox.SCARequired}}
	}
	for i := 0; i < users && users > 1 && t.fails == ""; i++ {
		if id := bank.UserID(i); id != t.needed {
			t.fails = id
			faults.Users[id] = map[string]sandbox.UserFault{"contracts": {Kind: sandbox.Malformed}}
		}
	}
	if err := bank.SetFaults(faults); err != nil {
		return t, fmt.Errorf("open the sandbox: %w", err)
	}
	return t, nil
}

// demoNight runs the job once, by the sandbox's clock, and leaves a page of it
// beside its report.
func (a *app) demoNight(ctx context.Context, cfg *config.Config, bank *sandbox.Sandbox, dir string, number int) (night, error) {
	began := time.Now()
	show := newProgress(a.console, a.log, time.Now)
	report, err := jobs.Run(ctx, jobs.RunOptions{
		Config: cfg, Job: demoJob, Transport: bank.Transport(), Now: bank.Now,
		Holder: holder(), Version: thisBuild().Version, Logger: a.demoLog(),
		Progress: func(s report.Progress) { show.report(ctx, s) },
	})
	a.console.clear()
	// Some users fail in any real bank, and a few in the simulated one: among so
	// few, one of them is more than any ratio allows.
	if !jobs.IsWhole(err) {
		return night{}, fmt.Errorf("night %d: %w", number, err)
	}
	if err := writePage(filepath.Join(dir, "_syncer", demoJob, "runs", report.RunID+".html"), report); err != nil {
		return night{}, fmt.Errorf("night %d: %w", number, err)
	}
	return night{Number: number, Day: bank.Now().Format(time.DateOnly), Report: report, took: time.Since(began)}, nil
}

// demoStale is the age at which a login's data are stale, which is the default of
// sync.stale_after.
const demoStale = 20 * time.Hour

// demoConfig is the demo's jobs.yaml, with the text that is left in the lake: so the
// commands that look into it need nothing else. The simulated bank analyses at once, so
// there is nothing to settle for longer than the least that can be said.
func demoConfig(dir string) (*config.Config, string, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", fmt.Errorf("--dir: %w", err)
	}
	lake := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	text := fmt.Sprintf(`# The jobs.yaml of the demo that has written this lake: status, report, verify and sql
# look into it. Nobody answers under this base_url any more, so nothing can be run.
finoos:
  base_url: http://sandbox.invalid
  client_id: sandbox
  client_secret: sandbox
  requests_per_second: 10000
sink:
  url: %q
jobs:
  %s:
    probe: banking
    sync: {when: stale, user_ip: 203.0.113.7, settle_timeout: 1s}
`, lake.String(), demoJob)
	cfg, err := config.Parse("demo", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, "", usagef("--dir %s cannot be used: %w", dir, err)
	}
	return cfg, text, nil
}
