package pace

import (
	"context"
	"time"

	"finoos-syncer/internal/wait"
)

// Limiter holds requests back: all of them while the gate is closed, and else to
// the rate. Clients that share one keep together below its ceiling, adapt to one
// limit, and pause together. Safe for concurrent use.
type Limiter struct {
	gate  gate
	turns *turns
}

// New makes a limiter that lets through ceiling requests a second at most, 0 for
// any number. It is one of shards, processes that share a limit without talking,
// and begins with its part of the ceiling; 0 means 1.
func New(ceiling float64, shards int) *Limiter {
	return &Limiter{turns: newTurns(ceiling, shards)}
}

// Wait returns when a request may leave, or with an error once ctx has ended.
// While all requests pause, giveUp is asked whether this one can wait for that
// long: its error ends the wait; nil waits as long as it takes.
func (l *Limiter) Wait(ctx context.Context, giveUp func(pause time.Duration) error) error {
	came := time.Now()
	for {
		tests, err := l.gate.wait(ctx, giveUp)
		if tests || err != nil {
			return err
		}
		if l.turns.ceiling() <= 0 {
			return nil
		}
		gone, err := l.queue(ctx, came)
		if gone || err != nil {
			return err
		}
	}
}

// queue waits for this request's turn, and reports whether it has come. The turn
// is given up where the gate has closed meanwhile: a request that cannot wait for
// a gate must not learn that only at the head of the queue.
func (l *Limiter) queue(ctx context.Context, came time.Time) (bool, error) {
	select {
	case l.turns.next <- struct{}{}:
		defer func() { <-l.turns.next }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	for l.gate.closedFor() == 0 {
		d := l.turns.until(time.Now())
		if d <= 0 {
			l.turns.take(came, time.Now())
			return true, nil
		}
		if err := wait.For(ctx, d); err != nil {
			return false, err
		}
	}
	return false, nil
}

// Answered takes in that a request for an operation, sent took ago, was served.
// It is not told of what was refused: a refusal may be about something else than
// the rate, such as the daily limit of a bank, and then says nothing here. lifted
// says that the answer has ended a pause of everybody, which it was to test.
func (l *Limiter) Answered(operation string, took time.Duration) (lifted bool) {
	now := time.Now()
	l.turns.answered(operation, now, took)
	if lifted = l.gate.answered(now.Add(-took)); lifted {
		l.turns.reopen(now)
	}
	return lifted
}

// Refused takes in that a request sent at sent was refused for its rate, and
// returns how long everybody pauses from now on. asked is what the server asks
// for, 0 if nothing; backoff is what the request itself waits in any case.
func (l *Limiter) Refused(sent time.Time, asked, backoff time.Duration) time.Duration {
	pause := l.turns.refused(sent, time.Now(), asked, backoff)
	l.gate.close(pause)
	return pause
}

// Pausing is how long everybody pauses still, 0 while nobody does.
func (l *Limiter) Pausing() time.Duration { return l.gate.closedFor() }

// Refusing reports whether requests are being refused these seconds.
func (l *Limiter) Refusing() bool { return l.gate.refusing() }

// Learned returns the rate that is allowed now and the limit that the server
// seems to have, in requests a second, 0 for none, and how often everybody has
// paused.
func (l *Limiter) Learned() (rate, limit float64, pauses int64) { return l.turns.known() }

// Begin starts at a limit that an earlier process has found, and reports whether it
// does: not where something was learned already, where the ceiling is no higher, or
// where there can be no such limit. It is a beginning, no belief: a refusal
// within ten seconds makes it be learned anew, and after as many it is tried.
func (l *Limiter) Begin(k Known) bool { return l.turns.begin(k) }

// Found returns the limit for a next process to begin with, and how it went; false
// where there is none that has proved itself.
func (l *Limiter) Found() (k Known, went []Sample, ok bool) { return l.turns.found() }

// Origin is where the limit comes from, "" where there is none.
func (l *Limiter) Origin() Origin { return l.turns.origin() }
