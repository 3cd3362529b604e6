package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
)

// panicError is a panic in the work on one user, which is that user's failure.
type panicError struct{ what string }

func (e *panicError) Error() string { return e.what }

// survive goes on with a user after a panic in what comes before its streams: it
// has failed, and its streams are pulled.
func (n *nightly) survive(u *user, err error) error {
	if _, crashed := errors.AsType[*panicError](err); !crashed {
		return err
	}
	u.settle, u.failed = nil, true
	n.tally.pulled(&pull.Result{
		User: u.ID, Stream: config.StreamSyncSessions, Outcome: pull.Failed, Class: finoos.Internal, Err: err, Began: time.Now(),
	})
	return nil
}

// writePanic is a panic in the writer, which is nobody's: what it holds may be half
// of something, and must not be committed.
type writePanic struct{ of any }

// unguarded runs what writes, of whose panics the process dies.
func unguarded(f func() error) error {
	defer func() {
		if v := recover(); v != nil {
			panic(writePanic{v})
		}
	}()
	return f()
}

// guarded runs the work on one stream of a user. A panic in it becomes an error:
// what it was made of stays out of it, since that may be data of the user.
func (s *session) guarded(ctx context.Context, what string, f func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if _, fatal := v.(writePanic); fatal {
			panic(v)
		}
		e := &panicError{fmt.Sprintf("panic (%T); the log has its stack", v)}
		if fault, ok := v.(runtime.Error); ok {
			e.what = "panic: " + fault.Error() + "; the log has its stack" // of places and numbers
		}
		s.log.ErrorContext(ctx, "panic in the work on a user: it fails, the run goes on", "stream", what, "panic", e.what, "stack", string(debug.Stack()))
		err = e
	}()
	return f()
}
