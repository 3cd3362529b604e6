package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/table"
	"finoos-syncer/internal/sink/warehouse"
)

// complete says what a shell may complete: jobs by the names that stand in jobs.yaml,
// flags by the words that they take.
func (a *app) complete(root *cobra.Command) {
	words := func(words ...string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
	}
	var streams, tables []string
	for _, s := range config.Streams() {
		streams = append(streams, string(s))
	}
	for _, t := range table.Tables() {
		tables = append(tables, t.Name)
	}
	flags := map[string]cobra.CompletionFunc{
		"output": words(formatText, formatJSON), "log-format": words(formatText, formatJSON), "log-level": words("debug", "info", "warn", "error"),
		"config":  cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		"dialect": words(warehouse.Dialects()...), "streams": words(streams...), "tables": words(tables...),
		"job": a.jobNames,
	}
	for _, c := range append(root.Commands(), root) {
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
				_ = c.RegisterFlagCompletionFunc(name, flags[name]) // the flag is there
			}
		}
		switch c.Name() {
		case "run", "plan", "verify", "backfill", "status", "doctor":
			c.ValidArgsFunction = a.jobNames
		case "report":
			c.ValidArgsFunction = words(report.Latest)
		}
		for _, below := range c.Commands() {
			if c.Name() == "backfill" {
				below.ValidArgsFunction = a.jobNames
			}
		}
	}
}

// jobNames are those of jobs.yaml, whatever else is wrong with it. The first argument is
// a job, and no other.
func (a *app) jobNames(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && c.Name() != "report" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(config.Check(a.config, a.getenv).Config.Jobs)), cobra.ShellCompDirectiveNoFileComp
}
