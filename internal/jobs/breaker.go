package jobs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
)

// breaker tells an API that is down from users that are bad: requests that
// fail for no reason of the user's, one after the other without a success.
// Where those who fail have failed before (or may have, since they were left
// over), or are few, that alone proves nothing: then something that is nobody's is asked for.
type breaker struct {
	limit int // failures in a row

	mu    sync.Mutex
	inRow int
	users map[string]struct{} // that failed since the last success, and had not failed before
}

// verdict is what a failure means for the run.
type verdict int

const (
	believe verdict = iota // the API is there
	askAround
	apiIsDown
)

func (b *breaker) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inRow = 0
	clear(b.users)
}

func (b *breaker) failure(user string, failedBefore bool) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inRow++
	if !failedBefore {
		if b.users == nil {
			b.users = map[string]struct{}{}
		}
		b.users[user] = struct{}{}
	}
	switch {
	case b.inRow < b.limit:
		return believe
	case len(b.users) >= b.limit/2:
		return apiIsDown
	}
	b.inRow = 0
	return askAround
}

// weigh counts a request that failed for no reason of the user's. Its error
// ends the run: the API fails for everyone.
func (f *flow) weigh(ctx context.Context, u *user, cause error) error {
	switch f.breaker.failure(u.ID, u.lastTry || u.early || u.failedBefore()) {
	case believe:
		return nil
	case askAround:
		if answers, err := f.apiAnswers(ctx); answers || err != nil {
			return err
		}
	case apiIsDown:
	}
	return &StopError{Reason: ReasonAPI, Err: fmt.Errorf("the API failed at least %d times in a row, for different users; the last: %w", f.breaker.limit, cause)}
}

// whose remembers when the list was asked after a token was refused.
type whose struct {
	turn  chan struct{} // holds one: who asks, and who waits for that can be stopped
	asked time.Time
	err   error // what the list said then
}

// whoseEvery bounds how often the list is asked for that.
const whoseEvery = time.Minute

// tokenRefused decides whether a token was refused for everybody, which is an
// error, or for one user alone: it asks for something that is nobody's.
func (f *flow) tokenRefused(ctx context.Context, cause error) error {
	select {
	case f.whose.turn <- struct{}{}:
		defer func() { <-f.whose.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.whose.asked.IsZero() || time.Since(f.whose.asked) >= whoseEvery {
		_, err := f.apiAnswers(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.whose.asked, f.whose.err = time.Now(), err
	}
	if finoos.ClassOf(f.whose.err) == finoos.Auth {
		return cause
	}
	return nil
}

// apiAnswers asks for the first page of users.
func (f *flow) apiAnswers(ctx context.Context) (bool, error) {
	for _, err := range f.client.Users(ctx) {
		if err == nil {
			break
		}
		if what, _ := consequenceOf(err); ctx.Err() != nil || what == endRun || what == askWhose {
			return false, fmt.Errorf("see whether the API is there: %w", err)
		}
		return false, nil
	}
	return true, nil
}
