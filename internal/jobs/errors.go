package jobs

import (
	"context"
	"errors"
	"fmt"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// Reason says why a run ended early or badly. The command line turns it into
// an exit code (docs/design.md, "Command line").
type Reason int

// The reasons a run can stop for.
const (
	// ReasonUnexpected is everything that has no reason of its own.
	ReasonUnexpected Reason = iota
	// ReasonConfig is a configuration or usage that cannot be run.
	ReasonConfig
	// ReasonTooManyFailed is a finished run in which more users failed than
	// failures.max_ratio allows, or a backfill that has left anything undone.
	ReasonTooManyFailed
	// ReasonCredentials means the API refused the credentials or a scope.
	ReasonCredentials
	// ReasonSink means the object store refused.
	ReasonSink
	// ReasonAPI means the API is down for everyone, or what it says is
	// implausible (max_gone).
	ReasonAPI
	// ReasonOvertaken means that another run is at work, or has overtaken
	// this one.
	ReasonOvertaken
	// ReasonInterrupted means that the caller's context was cancelled: the
	// run committed what it had and stopped.
	ReasonInterrupted
)

// StopError ends a run. Err says what, where, and what to do about it.
type StopError struct {
	Reason Reason
	Err    error
}

// Error returns the text of the wrapped error.
func (e *StopError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *StopError) Unwrap() error { return e.Err }

func stopf(reason Reason, format string, args ...any) error {
	return &StopError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// errInterrupted is the cause that a run's own context carries once the
// caller's was cancelled.
var errInterrupted = errors.New("interrupted: the run stopped after a clean commit, the next one goes on from here")

// stopReason gives an error that ends a run its reason. It is the only place
// that decides this.
func stopReason(err error) error {
	var stop *StopError
	var held *sink.HeldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stop):
		return err
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return &StopError{Reason: ReasonInterrupted, Err: errInterrupted}
	case errors.As(err, &held), errors.Is(err, sink.ErrOvertaken):
		return &StopError{Reason: ReasonOvertaken, Err: err}
	case errors.Is(err, sink.ErrSource):
		return &StopError{Reason: ReasonConfig, Err: err}
	case errors.Is(err, sink.ErrLyingStore), errors.Is(err, bucket.ErrDenied), errors.Is(err, bucket.ErrUnsupported):
		return &StopError{Reason: ReasonSink, Err: err}
	}
	switch finoos.ClassOf(err) {
	case finoos.Auth, finoos.Forbidden:
		return &StopError{Reason: ReasonCredentials, Err: err}
	case "":
		return &StopError{Reason: ReasonUnexpected, Err: err}
	default:
		return &StopError{Reason: ReasonAPI, Err: err}
	}
}

// endsRun says whether a failed request means the same for every user, so
// that going on would only fail them one by one.
func endsRun(class finoos.Class) bool { return class == finoos.Auth }

// mayPass says whether a failure of this class may be over in a few minutes,
// so that one more try at the end of the run is worth its requests.
func mayPass(class finoos.Class) bool {
	switch class {
	case finoos.Network, finoos.Timeout, finoos.Server, finoos.RateLimited:
		return true
	default:
		return false
	}
}
