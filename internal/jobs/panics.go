package jobs

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// panicError is a panic in the work on one user, which is that user's failure.
type panicError struct{ what string }

func (e *panicError) Error() string { return e.what }

// guarded runs the work on one stream of a user. A panic in it becomes an error:
// what it was made of stays out of it, since that may be data of the user.
func (s *session) guarded(ctx context.Context, what string, f func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
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
