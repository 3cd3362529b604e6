package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// signalError is the cause with which the root context is cancelled when a signal
// arrives.
type signalError struct {
	signal os.Signal
}

// Error names the signal.
func (s signalError) Error() string { return "stopped by signal: " + s.signal.String() }

// withSignals returns a context that the first SIGINT or SIGTERM cancels, so
// that a run commits what it has. A second one ends the process at once: what
// is not committed then is cleared away by the next run. words are said at each.
func withSignals(parent context.Context, words *lastWords) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			words.first() // before what it ends has its say
			cancel(signalError{s})
		case <-ctx.Done():
			return
		}
		s := <-signals
		words.second()
		os.Exit(signalCode(s))
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// signalCode is the exit code of a process that a signal has ended.
func signalCode(s os.Signal) int {
	if s == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}

// answerSignal says something to whoever has sent a signal.
func (a *app) answerSignal(text string, attrs ...slog.Attr) {
	if a.logFormat == formatJSON {
		args := make([]any, len(attrs))
		for i, attr := range attrs {
			args[i] = attr
		}
		a.log.Warn(text, args...) //nolint:sloglint // in whole sentences, as to people
		return
	}
	a.console.clear()
	_, _ = fmt.Fprintf(a.console, "syncer: %s\n", text) // it may be gone
}
