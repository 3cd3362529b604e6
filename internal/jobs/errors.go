package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// Reason says why a run ended early or badly. The command line turns it into
// an exit code (docs/design.md, "Command line").
type Reason int

// The reasons a run can stop for, the gravest first: where several hold, the
// first of them is the run's.
const (
	// ReasonUnexpected is everything that has no reason of its own.
	ReasonUnexpected Reason = iota
	// ReasonConfig is a configuration or usage that cannot be run.
	ReasonConfig
	// ReasonCredentials means the API refused the credentials or a scope.
	ReasonCredentials
	// ReasonSink means the object store refused.
	ReasonSink
	// ReasonOvertaken means that another run is at work, or has overtaken
	// this one.
	ReasonOvertaken
	// ReasonAPI means the API is down for everyone, or what it says is
	// implausible (max_gone).
	ReasonAPI
	// ReasonInterrupted means that the caller's context was cancelled: the
	// run committed what it had and stopped.
	ReasonInterrupted
	// ReasonPartial is a finished run: everything within reach was pulled and
	// committed, but something was implausible or a service stayed down.
	ReasonPartial
	// ReasonTooManyFailed is a finished run in which more users failed than
	// failures.max_ratio allows, or a backfill that has left anything undone.
	ReasonTooManyFailed
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

// Stopf makes a *StopError of a text, as fmt.Errorf does.
func Stopf(reason Reason, format string, args ...any) error {
	return &StopError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// errInterrupted is the cause that a run's own context carries once the
// caller's was cancelled.
var errInterrupted = errors.New("interrupted: the run stopped after a clean commit, the next one goes on from here")

// errNothingYet is said instead where there was nothing to commit.
var errNothingYet = errors.New("interrupted: the run stopped before anything new was complete, the next one goes on from here")

// stopReason gives an error that ends a run its reason. It is the only place
// that decides this.
func stopReason(err error) error {
	var stop *StopError
	var held *sink.HeldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &stop):
		return ofGravest(err)
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return &StopError{Reason: ReasonInterrupted, Err: errInterrupted}
	case errors.As(err, &held), errors.Is(err, sink.ErrOvertaken):
		return &StopError{Reason: ReasonOvertaken, Err: err}
	case errors.Is(err, sink.ErrSource), errors.Is(err, sink.ErrSchema):
		return &StopError{Reason: ReasonConfig, Err: err}
	case errors.Is(err, sink.ErrLyingStore), sink.IsDamage(err), errors.Is(err, bucket.ErrDenied), errors.Is(err, bucket.ErrUnsupported):
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

// advised adds to what a run ends with what to do about a connection that fails, and
// which command tells more: whoever reads it has nothing else before them.
func advised(err error) error {
	reason, _ := ReasonOf(err)
	e, ofAPI := errors.AsType[*finoos.Error](err)
	ofSink := reason == ReasonSink && !sink.IsDamage(err)
	ofAPI = ofAPI && (reason == ReasonAPI || reason == ReasonCredentials)
	if !ofSink && !ofAPI {
		return err
	}
	do := ""
	if ofAPI {
		if do = finoos.CauseOf(e).Do; do != "" {
			do += "; "
		}
	}
	return &StopError{Reason: reason, Err: fmt.Errorf("%w; %ssyncer doctor tells more", err, do)}
}

// ofGravest gives an error that joins several *StopErrors the gravest of their
// reasons.
func ofGravest(err error) error {
	if _, is := err.(*StopError); is { //nolint:errorlint // it is the outermost that has a reason already
		return err
	}
	reason, _ := ReasonOf(err)
	return &StopError{Reason: reason, Err: err}
}

// ReasonOf is why a run ended: the reason of the outermost *StopError of err, of
// several that are joined the gravest. It is false where there is none.
func ReasonOf(err error) (reason Reason, ok bool) {
	switch e := err.(type) { //nolint:errorlint // it unwraps by itself
	case *StopError:
		return e.Reason, true
	case interface{ Unwrap() error }:
		return ReasonOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, joined := range e.Unwrap() {
			if r, is := ReasonOf(joined); is && (!ok || r < reason) {
				reason, ok = r, true
			}
		}
	}
	return reason, ok
}

// IsWhole says that a run that ended with err came to its end, whatever it had
// to say about that: it was no failure, or one of some users or of a part.
func IsWhole(err error) bool {
	reason, ok := ReasonOf(err)
	return err == nil || ok && reason >= ReasonPartial
}

// consequence is what a failed request means for the run that has made it.
type consequence int

const (
	carryOn     consequence = iota // it has not failed
	endRun                         // it would fail for every user, or is nothing that a user could help
	askWhose                       // a token is refused: everybody's, or is it this user alone?
	lookForUser                    // a 404: is the user there at all?
	tryAgain                       // it may be over in a few minutes
	failUser                       // it stays so for tonight
)

// consequenceOf decides what a failed request means, and tells its class; no
// other place reads classes to decide that. (A 404 on a correlation is an answer,
// and a window of bookings that is too large is asked for in halves: neither has
// failed.) An error of no class, such as that of a scratch file, ends the run. So
// does one of a context that has ended: who calls looks for that first.
func consequenceOf(err error) (consequence, finoos.Class) {
	class := finoos.ClassOf(err)
	switch class {
	case "":
		if err == nil {
			return carryOn, class
		}
		if crash := (*panicError)(nil); errors.As(err, &crash) {
			return failUser, finoos.Internal
		}
		return endRun, class
	case finoos.Auth:
		if api, ok := errors.AsType[*finoos.Error](err); ok && !api.OfToken() {
			return askWhose, class
		}
		return endRun, class
	case finoos.NotFound:
		return lookForUser, class
	case finoos.Network, finoos.Timeout, finoos.Server, finoos.RateLimited, finoos.NotReady:
		return tryAgain, class
	default:
		return failUser, class
	}
}

// MissingScopes are the scopes that streams need and that a token does not name;
// none where it names none at all.
func MissingScopes(granted []string, streams []config.Stream) []string {
	if len(granted) == 0 {
		return nil
	}
	return slices.DeleteFunc(scopesOf(streams), func(scope string) bool { return slices.Contains(granted, scope) })
}
