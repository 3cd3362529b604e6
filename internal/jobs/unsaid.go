package jobs

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// unsaid is what is said of a stream of a user at the end of the run, when it is
// known how others fare.
type unsaid int

const (
	nothingUnsaid unsaid = iota
	lostAnalysis         // it had an analysis, and now there is none
	notBooked            // the API refuses the service
)

const (
	// lostShare of the users who had an analysis may have lost it in one run, and
	// lostLeast in any case: more look like a service that has lost its data.
	lostShare = 0.05
	lostLeast = 3
	// lostAfter is how much later another run must find the same.
	lostAfter = 12 * time.Hour
)

// lose holds that a stream of a user has no analysis any more.
func (n *nightly) lose(u *user, res *pull.Result) error {
	if !u.lost {
		u.lost = true
		n.lost.Add(1)
	}
	u.noAnalysis = true
	n.tally.pulled(res, cursors.Cursor{})
	return n.unsaid.add(heldUser{id: u.ID, parts: []heldPart{{stream: res.Stream, what: lostAnalysis}}})
}

// hadAnalysis says whether any stream of a user was pulled from one.
func (u *user) hadAnalysis() bool {
	for _, c := range u.Cursors {
		if c.CorrelationID != "" {
			return true
		}
	}
	return false
}

// saying is what is decided of all that is unsaid.
type saying struct {
	believeLost bool
	unbooked    map[config.Stream]int64 // users of whom nothing is said, since nobody has the service
	asked       map[finoos.Service]bool // of somebody who had it, and was not asked
	marked      int64                   // users whose analyses are lost, which is not believed yet
}

// sayRest says what was held until it is known how others fare, and what is down.
func (n *nightly) sayRest(ctx context.Context) error {
	if err := n.reserveTrouble(ctx); err != nil {
		return err
	}
	if err := n.nothingGranted(1); err != nil {
		return err
	}
	lost, had := n.lost.Load(), n.had.Load()
	say := saying{believeLost: lost <= max(int64(lostShare*float64(had)), lostLeast), unbooked: map[config.Stream]int64{}, asked: map[finoos.Service]bool{}}
	back := &comeback{of: n.session, batch: n.unsaid.take()}
	defer back.close()
	for ctx.Err() == nil {
		u, parts, err := back.next(ctx)
		if err != nil {
			return err
		}
		if u == nil {
			break
		}
		if err := n.say(ctx, u, parts, &say); err != nil {
			return err
		}
	}
	for stream, users := range say.unbooked {
		n.log.WarnContext(ctx, "nobody gets this service, so that nothing is written of those who are refused: have the scope granted, or take the stream out of the job",
			"stream", stream, "scope", config.ScopeOf(stream), "users", users)
	}
	if say.marked > 0 {
		n.reserve("%d of %d users who had an analysis have none any more: that is written if a run at least %s later finds the same; "+
			"see whether the services are well", lost, had, lostAfter)
	}
	return ctx.Err()
}

// say says what is unsaid of one user.
func (n *nightly) say(ctx context.Context, u *user, parts []heldPart, say *saying) error {
	mark, marked := u.Cursors[config.StreamLost]
	if marked && (mark.Erased || mark.ExtractedAt.IsZero() || isAhead(mark.ExtractedAt, n.o.Now())) { // zero: what an older void has left
		delete(u.Cursors, config.StreamLost)
		marked = false
	}
	believe := say.believeLost || marked && n.o.Now().Sub(mark.ExtractedAt) >= lostAfter
	doubted := false
	for _, p := range parts {
		res := n.reader.Begin(&u.User, p.stream, table.Diff)
		res.Previous = u.Cursor(p.stream).CorrelationID
		switch service, _ := config.ServiceOf(p.stream); {
		case p.what == lostAnalysis && believe:
			res.Outcome = pull.NoAnalysis
		case p.what == lostAnalysis:
			doubted = true
			continue
		case !n.booked.isGranted(service) && !n.vouchedFor(ctx, service, say):
			say.unbooked[p.stream]++
			continue
		default:
			res.Outcome = pull.NotBooked
			if p.note != "" {
				res.Note = []byte(p.note)
			}
		}
		if err := n.write(ctx, u, res); err != nil {
			return err
		}
	}
	if !doubted {
		return nil
	}
	say.marked++
	if marked {
		return nil
	}
	return n.markLost(ctx, u, false)
}

// vouchedFor says whether a service which nobody was asked of, since all who had it are
// quiet, answers one of these.
func (n *nightly) vouchedFor(ctx context.Context, service finoos.Service, say *saying) bool {
	op := apiPart{service: service}
	spare := n.health.spareOf(op)
	if spare == "" || say.asked[service] {
		return false
	}
	say.asked[service] = true
	if !n.knock(ctx, op, spare) {
		return false
	}
	n.booked.note(service, spare, pull.Unchanged, false)
	return true
}

// markLost remembers that a user's analyses are lost, or ends that.
func (n *nightly) markLost(ctx context.Context, u *user, ended bool) error {
	c := cursors.Cursor{UserID: u.ID, Stream: string(config.StreamLost), ExtractedAt: u.ExtractedAt(config.StreamLost, n.o.Now()), Ended: ended}
	if err := n.w.Add(ctx, sink.Batch{Cursors: []cursors.Cursor{c}}); err != nil {
		return n.sinkError(ctx, fmt.Errorf("write a mark: %w", err))
	}
	if u.Cursors[config.StreamLost] = c; ended {
		delete(u.Cursors, config.StreamLost)
	}
	return nil
}

// countAnalyses counts a user who had an analysis, once.
func (n *nightly) countAnalyses(u *user) {
	if !u.again && u.hadAnalysis() {
		n.had.Add(1)
	}
}
