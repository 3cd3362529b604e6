package finoos

import "context"

type attemptKey struct{}

// WithAttempt returns a context under which each read is attempted once: whoever
// calls decides when to try again, and holds nothing meanwhile. before is how many
// attempts there were. Sync sessions, tokens and the list of users are not
// affected.
func WithAttempt(ctx context.Context, before int) context.Context {
	return context.WithValue(ctx, attemptKey{}, before)
}

// limitAttempts lets a call know of [WithAttempt].
func (c *Client) limitAttempts(ctx context.Context, call *apiCall) {
	before, ok := ctx.Value(attemptKey{}).(int)
	if !ok {
		return
	}
	call.once = true
	if before > 0 {
		c.counters.retries.Add(1)
	}
}
