package main

import (
	"context"
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
// is not committed then is cleared away by the next run.
func withSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			cancel(signalError{s})
		case <-ctx.Done():
			return
		}
		os.Exit(signalCode(<-signals))
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
