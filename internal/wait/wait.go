// Package wait has the one wait that ends with a context. A timer beside a select
// is needed only where something else can happen first.
package wait

import (
	"context"
	"time"
)

// For waits for d and returns nil, or for the end of ctx and returns its cause.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
