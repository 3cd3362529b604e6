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
)

func main() {
	os.Exit(execute())
}

// execute is main without the exit, so that deferred calls are made.
func execute() int {
	ctx, stop := withSignals(context.Background())
	defer stop()
	a := &app{stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}
	return a.execute(ctx, os.Args[1:])
}
