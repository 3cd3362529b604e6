package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

func TestEveryReasonToStopHasTheCodeOfTheDesign(t *testing.T) {
	t.Parallel()
	stop := func(r jobs.Reason) error {
		return fmt.Errorf("run: %w", &jobs.StopError{Reason: r, Err: errors.New("x")})
	}
	after := func(s os.Signal) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(signalError{s})
		return ctx
	}
	for _, tc := range []struct {
		ctx  context.Context //nolint:containedctx // the case is the context
		err  error
		want int
	}{
		{t.Context(), nil, 0},
		{t.Context(), errors.New("x"), 1},
		{t.Context(), stop(jobs.ReasonUnexpected), 1},
		{t.Context(), usagef("x"), 8},
		{t.Context(), &config.Error{}, 8},
		{t.Context(), stop(jobs.ReasonConfig), 8},
		{t.Context(), stop(jobs.ReasonTooManyFailed), 3},
		{t.Context(), stop(jobs.ReasonCredentials), 4},
		{t.Context(), stop(jobs.ReasonSink), 5},
		{t.Context(), stop(jobs.ReasonAPI), 6},
		{t.Context(), stop(jobs.ReasonOvertaken), 7},
		{t.Context(), stop(jobs.ReasonPartial), 9},
		{after(os.Interrupt), stop(jobs.ReasonInterrupted), 130},
		{after(syscall.SIGTERM), stop(jobs.ReasonInterrupted), 143},
		{after(syscall.SIGTERM), context.Canceled, 143},
		// A run that comes to its end although it was told to stop is done, and one
		// that fails then has failed.
		{after(syscall.SIGTERM), nil, 0},
		{after(syscall.SIGTERM), stop(jobs.ReasonSink), 5},
	} {
		if got := exitCode(tc.ctx, tc.err); got != tc.want {
			t.Errorf("%v: got %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestOfSeveralReasonsTheGravestHasTheCode(t *testing.T) {
	t.Parallel()
	order := []jobs.Reason{
		jobs.ReasonUnexpected, jobs.ReasonConfig, jobs.ReasonCredentials, jobs.ReasonSink, jobs.ReasonOvertaken, jobs.ReasonAPI,
		jobs.ReasonInterrupted, jobs.ReasonPartial, jobs.ReasonTooManyFailed,
	}
	codes := []int{1, 8, 4, 5, 7, 6, 130, 9, 3}
	for i, a := range order {
		for j, b := range order {
			err := fmt.Errorf("run: %w", errors.Join(errors.New("x"), &jobs.StopError{Reason: a, Err: errors.New("a")}, &jobs.StopError{Reason: b, Err: errors.New("b")}))
			if got, want := exitCode(t.Context(), err), codes[min(i, j)]; got != want {
				t.Errorf("%d and %d: got %d, want %d", codes[i], codes[j], got, want)
			}
		}
	}
	for _, code := range codes {
		if code == exitCrash {
			t.Error("2 is Go's own")
		}
	}
}

func TestHelpAndTheOperatorsPageHaveTheSameExitCodes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Exit codes, and what to do\n")
	section, _, _ = strings.Cut(section, "\n#")
	var documented []string
	for line := range strings.Lines(strings.ReplaceAll(section, "`", "")) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && strings.ContainsAny(cells[1], "0123456789") {
			documented = append(documented, strings.TrimSpace(cells[1])+": "+strings.TrimSpace(cells[2]))
		}
	}
	var known []string
	for _, row := range exitCodes {
		known = append(known, codeList(row.codes)+": "+row.meaning)
	}
	if got, want := strings.Join(documented, "\n"), strings.Join(known, "\n"); got != want {
		t.Errorf("docs/operators.md says\n%s\nwant\n%s", got, want)
	}

	var out bytes.Buffer
	if code := newTestApp(&out, nil).execute(t.Context(), []string{"--help"}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if !strings.Contains(out.String(), exitCodesHelp()) {
		t.Errorf("--help does not list the exit codes:\n%s", &out)
	}
}
