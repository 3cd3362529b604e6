package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"finoos-syncer/internal/wait"
)

const (
	// conflictAttempts and the pauses between them bound how long a write gives way
	// to others that are under way: some 15 seconds.
	conflictAttempts = 10
	conflictFirst    = 50 * time.Millisecond
	conflictLongest  = 4 * time.Second
)

// Write puts an object, and again for as long as the store says that another write
// was under way ([ErrConflict]): that decides nothing. What it returns is what the
// last request was answered, so that ErrPrecondition may mean an object of the
// caller's own, as with [Objects].Put.
func Write(ctx context.Context, store Objects, key string, body []byte, cond Condition) (Info, error) {
	for attempt := 0; ; attempt++ {
		info, err := store.Put(ctx, key, body, cond)
		if !errors.Is(err, ErrConflict) || attempt+1 == conflictAttempts {
			return info, err
		}
		d := min(conflictFirst<<attempt, conflictLongest)
		if pauseErr := wait.For(ctx, d/2+rand.N(d/2+1)); pauseErr != nil {
			return info, errors.Join(pauseErr, err)
		}
	}
}

// WriteNew puts an object where none stands, at a key that is the caller's alone:
// where an answer was lost, or an earlier request did succeed, it finds its own bytes
// there. ErrPrecondition says that others stand there.
func WriteNew(ctx context.Context, store Objects, key string, body []byte) (Info, error) {
	info, err := Write(ctx, store, key, body, Condition{IfNoneMatch: true})
	if err == nil || errors.Is(err, ErrDenied) || errors.Is(err, ErrUnsupported) {
		return info, err
	}
	standing, info, readErr := store.Get(ctx, key)
	switch {
	case readErr == nil && bytes.Equal(standing, body):
		return info, nil
	case readErr == nil:
		return Info{}, fmt.Errorf("put %s: %w: another object stands there", key, ErrPrecondition)
	case errors.Is(err, ErrPrecondition):
		return Info{}, fmt.Errorf("put %s: refused, and what stands there cannot be read: %w", key, readErr)
	}
	return Info{}, err
}
