package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/trust"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE…]",
		Short: "Check jobs.yaml, without secrets: for CI",
		Long: `Checks jobs.yaml, or the files that are named: every key, every value, and what no
key can tell alone. All that is wrong is told at once, one line each, as compilers do:
file:line:column: key: what is wrong, and what was probably meant.

Nobody is asked, and nothing is needed: variables (${NAME}) need not be set, and files
that secrets are in need not be there. What could not be looked at for that is told;
where they are there, they are looked at. Secrets that stand in the file itself are a
warning. Whether credentials and the bucket are right, syncer doctor says.

The exit code is 0 where nothing is wrong, and 8 otherwise.

` + exitCodesHelp(),
		Example: `  syncer check
  syncer check deploy/*.yaml --output json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) == 0 {
				files = []string{a.config}
			}
			return a.check(files)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
}

// checkedFile is what --output json prints of one file.
type checkedFile struct {
	File     string           `json:"file"`
	OK       bool             `json:"ok"`
	Jobs     []string         `json:"jobs"`
	Problems []config.Problem `json:"problems"`
	Warnings []config.Problem `json:"warnings"`
	// NotChecked are values that were not known.
	NotChecked []config.Unset `json:"not_checked"`
}

// check looks at each file and prints what was found.
func (a *app) check(files []string) error {
	all := make([]checkedFile, 0, len(files))
	wrong := int64(0)
	for _, file := range files {
		f := a.checkFile(file)
		wrong += int64(len(f.Problems))
		all = append(all, f)
	}
	if err := a.print(all, func(w io.Writer) error { return checkedText(all).writeTo(w) }); err != nil {
		return fmt.Errorf("print what was found: %w", err)
	}
	if wrong > 0 {
		return jobs.Stopf(jobs.ReasonConfig, "%s in %s", human.Plural(wrong, "mistake"), strings.Join(files, ", "))
	}
	return nil
}

func (a *app) checkFile(file string) checkedFile {
	found := config.Check(file, a.getenv)
	f := checkedFile{
		File: file, Jobs: []string{}, Problems: append([]config.Problem{}, found.Problems...),
		Warnings: append([]config.Problem{}, found.Config.Notes.Plain...), NotChecked: append([]config.Unset{}, found.Config.Notes.Unset...),
	}
	for name, job := range found.Config.Jobs {
		f.Jobs = append(f.Jobs, name)
		f.addresses(name, job.Sync.UserIPs)
	}
	slices.Sort(f.Jobs)
	f.authority("finoos.ca_file", found.Config.FinoOS.CAFile)
	f.authority("sink.ca_file", found.Config.Sink.CAFile)
	f.OK = len(f.Problems) == 0
	return f
}

// addresses looks at a file of users' addresses, where it is there.
func (f *checkedFile) addresses(job, file string) {
	if file == "" {
		return
	}
	key := "jobs." + job + ".sync.user_ips"
	_, err := banksync.ReadAddresses(file, nil)
	wrong, byLine := errors.AsType[*banksync.AddressesError](err)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		f.NotChecked = append(f.NotChecked, config.Unset{File: f.File, Key: key})
	case !byLine:
		f.Problems = append(f.Problems, config.Problem{File: f.File, Key: key, Message: strings.TrimPrefix(err.Error(), "sync.user_ips: ")})
	default:
		for _, m := range wrong.Mistakes {
			f.Problems = append(f.Problems, config.Problem{File: file, Line: m.Line, Column: 1, Message: m.What})
		}
		if wrong.More > 0 {
			f.Problems = append(f.Problems, config.Problem{File: file, Message: fmt.Sprintf("and %d lines more are wrong", wrong.More)})
		}
	}
}

// authority looks at a file of certificates, where it is there.
func (f *checkedFile) authority(key, file string) {
	_, err := trust.Pool(file)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		f.NotChecked = append(f.NotChecked, config.Unset{File: f.File, Key: key})
	default:
		f.Problems = append(f.Problems, config.Problem{File: f.File, Key: key, Message: err.Error()})
	}
}

// checkedText is one line for each thing that was found, and one that sums a file up.
func checkedText(all []checkedFile) *printout {
	p := new(printout)
	for _, f := range all {
		for _, problem := range f.Problems {
			p.printf("%s\n", human.Line(problem.String(), maxFinding))
		}
		for _, w := range f.Warnings {
			p.printf("warning: %s\n", human.Line(w.String(), maxFinding))
		}
		if len(f.NotChecked) > 0 {
			t := newTable("not known here", "since")
			for _, u := range f.NotChecked {
				t.add(u.Key, u.Why())
			}
			p.indent(t.lines())
		}
		if f.OK {
			p.printf("%s: nothing is wrong with %s\n", human.Line(f.File, maxFinding), plural(int64(len(f.Jobs)), "job"))
		}
	}
	return p
}
