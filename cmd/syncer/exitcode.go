package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

// The exit codes. Schedulers decide by them what to do next, so they are as
// fixed as a file format.
const (
	exitOK            = 0
	exitUnexpected    = 1
	exitCrash         = 2 // what Go itself ends with: never chosen here
	exitTooManyFailed = 3
	exitCredentials   = 4
	exitSink          = 5
	exitAPI           = 6
	exitOvertaken     = 7
	exitUsage         = 8
	exitPartial       = 9
	exitInterrupted   = 130
	exitTerminated    = 143
)

// exitCodes is what --help and docs/operators.md say about them; a test keeps all
// three equal.
var exitCodes = []struct {
	codes   []int
	meaning string
}{
	{[]int{exitOK}, "all done"},
	{[]int{exitUnexpected}, "unexpected error"},
	{[]int{exitCrash}, "a crash, with Go's own code"},
	{[]int{exitTooManyFailed}, "done, but more users failed than failures.max_ratio; or a backfill has users left"},
	{[]int{exitCredentials}, "credentials or scopes refused"},
	{[]int{exitSink}, "sink refused, or damaged (verify)"},
	{[]int{exitAPI}, "API down (everything fails); or most users of a backfill answer 404"},
	{[]int{exitOvertaken}, "another run is at work, or has overtaken this one"},
	{[]int{exitUsage}, "usage or configuration"},
	{[]int{exitPartial}, "all within reach is done, but something is implausible, or a service stayed down"},
	{[]int{exitInterrupted, exitTerminated}, "stopped by SIGINT, SIGTERM after a clean commit"},
}

// usageError is a command line that cannot be run. command is the one whose
// --help says more.
type usageError struct {
	err     error
	command string
}

// Error says what is wrong.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// exitCode is the only place that turns an error into an exit code.
func exitCode(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return exitUsage
	}
	reason, ok := jobs.ReasonOf(err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return interruptedCode(ctx)
		}
		return exitUnexpected
	}
	switch reason {
	case jobs.ReasonConfig:
		return exitUsage
	case jobs.ReasonPartial:
		return exitPartial
	case jobs.ReasonTooManyFailed:
		return exitTooManyFailed
	case jobs.ReasonCredentials:
		return exitCredentials
	case jobs.ReasonSink:
		return exitSink
	case jobs.ReasonAPI:
		return exitAPI
	case jobs.ReasonOvertaken:
		return exitOvertaken
	case jobs.ReasonInterrupted:
		return interruptedCode(ctx)
	case jobs.ReasonUnexpected:
		return exitUnexpected
	}
	return exitUnexpected
}

// interruptedCode asks the root context which signal it was.
func interruptedCode(ctx context.Context) int {
	if s, ok := errors.AsType[signalError](context.Cause(ctx)); ok {
		return signalCode(s.signal)
	}
	return exitInterrupted
}

// exitCodesHelp is the table as --help prints it.
func exitCodesHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, row := range exitCodes {
		fmt.Fprintf(&b, "  %-8s  %s\n", codeList(row.codes), row.meaning)
	}
	return b.String()
}

func codeList(codes []int) string {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = strconv.Itoa(c)
	}
	return strings.Join(texts, ", ")
}
