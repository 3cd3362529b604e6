// Command syncer brings what finoOS knows of the users of a bank-data team into
// Parquet files that a warehouse loads as they are.
//
// This package is wiring: it reads flags, the environment and jobs.yaml, calls
// internal/jobs, and turns what comes back into text and an exit code. It alone
// knows of the process around it: environment, signals, terminal, exit.
package main

import (
	"context"
	"os"
	_ "time/tzdata" // schedules name time zones, and images built from scratch have none

	"github.com/spf13/cobra"
)

func main() {
	cobra.EnableCommandSorting = false // a group's commands have an order of their own
	os.Exit(execute(&app{stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}, os.Args[1:]))
}

// execute is main without the exit, so that deferred calls are made, and without
// a panic. One in another goroutine ends the process all the same: with Go's own
// exit code.
func execute(a *app, args []string) (code int) {
	ctx, stop := withSignals(context.Background(), &a.words)
	defer stop()
	defer func() {
		if value := recover(); value != nil {
			panicked(a.stderr, value)
			code = exitUnexpected
		}
	}()
	return a.execute(ctx, args)
}
