package jobs

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/wait"
)

// A part that is down is knocked at: it is asked for one user every half a
// minute, at first more often, so that short outages cost short runs nothing.
const (
	knockSoon  = 2 * time.Second
	knockLater = 30 * time.Second
	soonFor    = 2 * time.Minute
	// askEvery bounds how often a user who was answered is asked again, to see
	// whether others still are.
	askEvery = 5 * time.Second
)

// due are the parts that are to be knocked at, each with a user for whom
// it has failed.
func (h *health) due(now time.Time) map[apiPart]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := map[apiPart]string{}
	for op, c := range h.of {
		wait := knockSoon
		if now.Sub(c.began) > soonFor {
			wait = knockLater
		}
		if c.isDown && now.Sub(c.knocked) >= wait {
			due[op] = c.next(now)
		}
	}
	return due
}

// knockNow is a user to knock with at once.
func (h *health) knockNow(op apiPart) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at(op).next(time.Now())
}

// stillPatient reports whether any of these parts has been down for less
// time than an API is waited for that answers nobody.
func (h *health) stillPatient(ops []apiPart) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range ops {
		if c := h.at(op); c.isDown && time.Since(c.began) < h.patience {
			return true
		}
	}
	return false
}

// waitWhileDown waits for something that is down, as long as an API is waited for
// that answers nobody, and reports whether it is up.
func (n *nightly) waitWhileDown(ctx context.Context, op apiPart) bool {
	for n.health.isDown(op) {
		if n.deadlinePassed() || !n.health.stillPatient([]apiPart{op}) || wait.For(ctx, lookEvery) != nil {
			return false
		}
	}
	return true
}

// next is a user to knock with: those for whom it failed in turns, and one who
// was answered, since a few may be bad. h.mu is held.
func (c *condition) next(now time.Time) string {
	c.knocked = now
	c.knocks++
	good := cmp.Or(c.good, c.spare)
	if good != "" && c.knocks%2 == 0 || len(c.row) == 0 { // it has answered meanwhile
		return good
	}
	return c.row[c.knocks%len(c.row)]
}

// keepKnocking knocks until ctx ends, and ends the run once an API that answers
// nobody has been waited for long enough.
func (n *nightly) keepKnocking(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.knockAll(ctx, n.health.due(time.Now()))
		if err := n.apiIsDown(ctx); err != nil {
			cancel(err)
			return
		}
	}
}

// apiIsDown is the end of a run whose API has answered nobody for as long as it
// is waited for.
func (n *nightly) apiIsDown(ctx context.Context) error {
	last, all := n.health.nobodyAnswers()
	if all && finoos.ClassOf(last.cause) == finoos.Auth {
		if err := n.flow.tokenRefused(ctx, last.cause); err != nil {
			return err
		}
	}
	if !all || time.Since(last.since) < n.health.patience {
		return nil
	}
	return &StopError{Reason: ReasonAPI, Err: fmt.Errorf(
		"the API is down: no correlation of any service was to be had for %s (retry.max_elapsed), of whatever user; the last: %w",
		time.Since(last.since).Round(time.Second), last.cause)}
}

func (n *nightly) knockAll(ctx context.Context, due map[apiPart]string) {
	var knocks sync.WaitGroup
	for op, user := range due {
		knocks.Go(func() {
			if n.knock(ctx, op, user) {
				n.flow.queue.wake()
			}
		})
	}
	knocks.Wait()
}

// knock asks a part for one user, and reports whether it has answered.
func (n *nightly) knock(ctx context.Context, op apiPart, user string) bool {
	err := n.guarded(ctx, "knock", func() error { return n.askPart(finoos.WithAttempt(ctx, 0), op, user) })
	if ctx.Err() != nil {
		return false
	}
	if err != nil && (op.service == "" && op != ownPath || finoos.ClassOf(err) != finoos.NotFound) { // a 404 on a correlation is an answer
		n.health.failed(ctx, op, user, err, true)
		return false
	}
	n.health.answered(ctx, op, user)
	return true
}

// askPart makes one request, and looks whether the answer can be read.
func (n *nightly) askPart(ctx context.Context, op apiPart, user string) error {
	if op.service != "" {
		_, err := n.client.Correlation(ctx, user, op.service)
		return err
	}
	switch op.stream {
	case config.StreamUsers:
		_, err := n.client.User(ctx, user)
		return err
	case config.StreamBankLogins:
		return readThrough(n.client.Logins(ctx, user))
	case config.StreamAccounts:
		return readThrough(n.client.Accounts(ctx, user))
	case config.StreamTransactions:
		return readThrough(n.client.Transactions(ctx, user, finoos.TransactionQuery{}))
	case config.StreamCategorization:
		return readThrough(n.client.Categorization(ctx, user, ""))
	case config.StreamContracts:
		return readThrough(n.client.Contracts(ctx, user))
	case config.StreamAccountHistory:
		return readThrough(n.client.AccountHistory(ctx, user))
	default:
		return nil
	}
}

func readThrough[T any](list *finoos.List[T], err error) error {
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }() // frees memory; nothing is lost by an error
	return list.Each(func(*T) error { return nil })
}

// othersAnswered reports whether a part has answered somebody else since an
// instant. Where nobody has asked meanwhile, who was answered before is asked.
func (n *nightly) othersAnswered(ctx context.Context, op apiPart, at time.Time, user string) bool {
	if n.health.answeredSince(op, at) {
		return true
	}
	good := n.health.goodToAsk(op, user, time.Now())
	return good != "" && n.knock(ctx, op, good)
}

// goodToAsk is a user who was answered, none where somebody was asked just now.
func (h *health) goodToAsk(op apiPart, butNot string, now time.Time) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.at(op)
	good := cmp.Or(c.good, c.spare)
	if good == butNot || now.Sub(c.asked) < askEvery {
		return ""
	}
	c.asked = now
	return good
}

// witness is somebody with records who could tell a user's trouble from that of a
// part which has answered nobody in this run; "" where it has, or nobody is known.
func (h *health) witness(op apiPart, butNot string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.at(op); c.alive.IsZero() && c.rich != butNot {
		return c.rich
	}
	return ""
}
