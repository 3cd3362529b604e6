package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/seal"
)

// stateUpdate is one call of [Writer.UpdateState].
type stateUpdate struct {
	w     *Writer
	name  string
	merge func(old []byte) ([]byte, error)
	nonce string
}

// run tries until the object is written, or need not be. What became of a write
// whose answer was lost shows when the next round reads.
func (u *stateUpdate) run(ctx context.Context) error {
	failed, gaveWay := 0, 0
	for {
		done, err := u.try(ctx)
		switch {
		case done:
			return err
		case errors.Is(err, bucket.ErrPrecondition), errors.Is(err, bucket.ErrConflict):
			gaveWay++
		default:
			failed++
		}
		if failed >= u.w.o.patience.attempts || gaveWay >= stateRounds {
			if o, _, readErr := getState(ctx, u.w.store, u.key()); readErr == nil && o.Nonce == u.nonce {
				return nil
			}
			return err
		}
		if pauseErr := u.w.o.patience.pause(ctx, min(failed, 8)); pauseErr != nil {
			return errors.Join(pauseErr, err)
		}
	}
}

func (u *stateUpdate) key() string { return u.w.keys.state(u.name) }

// try reads, merges and writes once. done says that trying again is of no use:
// with an error, or because all is well.
func (u *stateUpdate) try(ctx context.Context) (done bool, err error) {
	old, info, err := getState(ctx, u.w.store, u.key())
	switch {
	case errors.Is(err, errNewerState):
		return true, err
	case errors.Is(err, ErrState):
		u.w.o.Logger.WarnContext(ctx, "state cannot be read, it is written anew", "name", u.name, "error", err)
	case err != nil:
		return errors.Is(err, bucket.ErrDenied), err
	case old.Nonce == u.nonce:
		return true, nil // written, the answer was lost
	}
	// After the read: what somebody else has written by then is in old, and what
	// comes later the condition tells.
	if final, err := u.w.holdsGround(ctx); err != nil {
		return final, err
	}
	body, err := u.encode(old.State)
	if body == nil || err != nil {
		return true, err
	}
	cond := bucket.Condition{IfMatch: info.ETag}
	if info.ETag == "" {
		cond = bucket.Condition{IfNoneMatch: true}
	}
	_, err = u.w.store.Put(ctx, u.key(), body, cond)
	return err == nil || errors.Is(err, bucket.ErrDenied) || errors.Is(err, bucket.ErrUnsupported), err
}

// encode is the object that is to stand; nil for the one that does.
func (u *stateUpdate) encode(old []byte) ([]byte, error) {
	state, err := u.merge(old)
	if state == nil || err != nil {
		return nil, err
	}
	u.w.gate.RLock()
	seq, sum := u.w.log.tail, u.w.log.sum
	u.w.gate.RUnlock()
	body, err := json.Marshal(stateObject{Version: stateVersion, RunID: u.w.o.RunID, Nonce: u.nonce, Seq: seq, Record: sum, State: state})
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	body = seal.Add(u.key(), body)
	if _, err := parseState(body); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	if len(body) > maxState {
		return nil, fmt.Errorf("encode state: %d bytes, at most %d can be read again", len(body), maxState)
	}
	return body, nil
}

// holdsGround fails where the run may not write any more. final says that this
// will not change.
func (w *Writer) holdsGround(ctx context.Context) (final bool, err error) {
	w.gate.RLock()
	err, l := w.usable(), *w.log // the log's tail stays where it is
	w.gate.RUnlock()
	if err != nil {
		return true, err
	}
	if err := w.lease.confirm(ctx); err != nil {
		return errors.Is(err, ErrOvertaken), err
	}
	err = l.follow(ctx, func(r *Record) error {
		if w.overtakes(r) {
			return w.overtakenBy(r)
		}
		return nil
	})
	if errors.Is(err, ErrOvertaken) || errors.Is(err, ErrSchema) {
		return true, w.fail(err)
	}
	return false, err
}
