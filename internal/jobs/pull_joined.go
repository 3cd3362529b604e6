package jobs

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// Accounts, transactions and tags that are due in full may come by one request, where
// the services that they are of show one analysis before it, and where the run's first
// users have shown that it holds what the three endpoints hold (docs/design.md, "A first
// pull in one body").
//
//	due in full, one analysis ──> trial ──> separate
//	                                ├─> both: the endpoints count, the one answer is compared
//	                                └─> joined: if it can be read, and is no larger than any compared
//
// Each stream is a pull of its own all the same: its rows and its cursor are one batch,
// and nothing depends on the others' being in the same commit.

// trials are those of a run: of users who are pulled for the first time, and of those
// who are read as a whole again. Old bookings may have other tags in one answer than in
// another, new ones not. All are nil before users are pulled.
type trials struct{ first, again *joined.Trial }

// of is the trial for a user of whom streams are due.
func (t *trials) of(u *user, due []config.Stream) *joined.Trial {
	if slices.ContainsFunc(due, func(s config.Stream) bool { return !u.Cursor(s).PulledAt.IsZero() }) {
		return t.again
	}
	return t.first
}

// beginTrials decides whether the run tries it at all.
func (n *nightly) beginTrials() {
	first := joined.Options{Mode: n.job.First, Day: n.started.UTC().Format(time.DateOnly)}
	again := first
	if n.job.First == config.FirstAuto || !n.doubted.Lost.IsZero() {
		first.Doubted, again.Doubted = n.doubted.Recent(n.o.Now())
	}
	if n.job.First == config.FirstAuto {
		// What differs there puts in doubt what first pulls have read, and all of it is
		// read again: that costs more than full pulls save.
		again.Why = "full pulls of known users are read from the endpoints, unless first is joined"
		if !n.overAll() {
			first.Why = "it does not pay for few users"
		}
	}
	switch {
	case n.w.Opened() == 0: // nobody is known
		first.Pulls = n.list.here
	case n.o.Full:
		again.Pulls = n.list.here
	}
	n.trials = trials{first: joined.NewTrial(first), again: joined.NewTrial(again)}
}

// read reads a stream that has changed.
func (n *nightly) read(ctx context.Context, u *user, res *pull.Result) error {
	if !u.joinable && slices.Contains(joined.Streams(), res.Stream) {
		u.joinable = true
		n.join(ctx, u, res.Stream)
	}
	err := n.reader.Read(ctx, &u.User, res)
	if err == nil && u.Joined != nil && res.Stream == u.Joined.Streams[len(u.Joined.Streams)-1] {
		n.judgeJoined(ctx, u)
	}
	return err
}

// join asks for the one answer, where it may stand for the streams that are due from
// one on, or is to be compared with them. Whatever comes of it, they can be read from
// their endpoints.
func (n *nightly) join(ctx context.Context, u *user, from config.Stream) {
	due := n.dueWhole(ctx, u, from)
	u.trial = n.trials.of(u, due)
	plan := u.trial.Ask(u.ID, due)
	if len(plan.Streams) == 0 {
		return
	}
	body, err := n.client.Joined(ctx, u.ID)
	var fields []string
	if err == nil {
		if fields, err = joined.Look(body, plan.View); err != nil {
			_ = body.Close() // frees memory; nothing is lost by an error
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			u.trial.Unusable(err, plan.Both)
			n.log.DebugContext(ctx, "several streams are not read by one request", "user_id", u.ID, "error", err)
		}
		return
	}
	u.Joined = &pull.Joined{Body: body, View: plan.View, Streams: plan.Streams, Began: n.started}
	if plan.Both || !u.trial.Suits(body.Size(), fields, plan.Streams) {
		u.Joined.Compare = u.trial.Compare(body, plan.Streams)
		return
	}
	u.trial.Used()
}

// dueWhole are the streams of a user, from one on, of which all that the API has is to be
// read, where banking and categorization have shown one analysis: else older bookings
// would be taken for those of a newer one. Who comes again is read from the endpoints.
func (n *nightly) dueWhole(ctx context.Context, u *user, from config.Stream) []config.Stream {
	if n.job.First == config.FirstSeparate || len(u.tries) > 0 || u.again || u.lastTry || !slices.Contains(u.streams, config.StreamCategorization) ||
		u.Cursor(config.StreamCategorization).ErrorClass == pull.MarkNotBooked || n.health.isDown(apiPart{service: finoos.CategorizationService}) {
		return nil
	}
	all := joined.Streams()
	due := slices.DeleteFunc(all[slices.Index(all, from):], func(s config.Stream) bool { return !n.mayBeWhole(u, s) })
	if len(due) < 2 {
		return nil // nobody is asked for nothing
	}
	banking, err := n.probe(ctx, u, finoos.Banking)
	if err != nil || banking.ID == "" {
		return nil
	}
	tags, err := n.probe(ctx, u, finoos.CategorizationService)
	if err != nil || tags.ID != banking.ID || u.probes[finoos.Banking].inferred || u.probes[finoos.CategorizationService].inferred {
		return nil
	}
	return slices.DeleteFunc(due, func(s config.Stream) bool {
		c := u.Cursor(s)
		return c.CorrelationID == banking.ID && !n.o.Full && !n.refreshDue(c)
	})
}

// mayBeWhole says that all of a stream is read if it is, and that its endpoint answers.
func (n *nightly) mayBeWhole(u *user, s config.Stream) bool {
	c := u.Cursor(s)
	switch {
	case !slices.Contains(u.streams, s), c.ErrorClass == pull.MarkNotBooked, n.health.isDown(dataOf(s)), n.doubted.InDoubt(c):
		return false
	case s == config.StreamAccounts, s == config.StreamCategorization && n.job.Categorization == config.CategorizationFull:
		return true // always read as a whole
	}
	return n.reader.WantsFull(c)
}

// judgeJoined compares what the endpoints have told with the one answer. What differs
// after an analysis has moved tells nothing: one of the two may be newer.
func (n *nightly) judgeJoined(ctx context.Context, u *user) {
	c := u.Joined.Compare
	if c == nil || !c.IsComplete() {
		return
	}
	v, err := c.Judge()
	if err != nil || len(v.Differs) > 0 && n.hasMoved(ctx, u) {
		return
	}
	u.Joined.Compare = nil // it is judged
	doubtful, inDoubt := u.trial.Compared(v)
	if len(doubtful) == 0 {
		return
	}
	n.newDoubts.add(u.trial == n.trials.again, doubtful, v.Differs)
	if err := n.rememberDoubts(ctx); err != nil {
		n.log.WarnContext(ctx, "not remembered yet", "error", err)
	}
	var names []string
	for _, s := range doubtful {
		names = append(names, string(s)+" ("+strings.Join(v.Differs[s], ", ")+")")
	}
	n.log.WarnContext(ctx, "accounts, transactions and tags by one request are not what their endpoints tell: these streams are read from them",
		"user_id", u.ID, "differs", strings.Join(names, "; "), "in_doubt", inDoubt)
	if inDoubt > 0 {
		n.reserve("what was read by one request may be wrong, since it is not what the endpoints tell: the next run reads those users again")
	}
}

// hasMoved says whether a service of a user may show another analysis than before it was
// read.
func (n *nightly) hasMoved(ctx context.Context, u *user) bool {
	for _, service := range []finoos.Service{finoos.Banking, finoos.CategorizationService} {
		c, err := n.client.Correlation(ctx, u.ID, service)
		if err != nil || c.ID != u.probes[service].correlation.ID {
			return true
		}
	}
	return false
}

// endJoined gives the one answer back, compared or not.
func (n *nightly) endJoined(u *user) {
	if u == nil {
		return
	}
	if u.Joined != nil && u.Joined.Compare != nil {
		u.trial.Compared(joined.Verdict{})
	}
	u.CloseJoined()
}

// newDoubts are those of the run that are not remembered yet. It guards itself.
type newDoubts struct {
	mu   sync.Mutex
	list []newDoubt
}

type newDoubt struct {
	again   bool
	streams []config.Stream
	differs map[config.Stream][]string
}

func (d *newDoubts) add(again bool, streams []config.Stream, differs map[config.Stream][]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, newDoubt{again, streams, differs})
}

// recallDoubts finds out what was read by one request and may be wrong.
func (s *session) recallDoubts(ctx context.Context) {
	body, err := sink.ReadState(ctx, s.store, s.o.Job, stateFirst)
	if err == nil {
		s.doubted, err = joined.Recall(body)
	}
	if err != nil {
		s.doubted, s.doubtsLost = joined.Unknown(s.o.Now()), true
		s.log.WarnContext(ctx, "it is not known whether what was read by one request is in doubt: it is read again from the endpoints", "error", err)
	}
}

// rememberDoubts tells the next runs, as soon as there is something to tell: a run that
// is killed must not have known it alone.
func (n *nightly) rememberDoubts(ctx context.Context) error {
	d := &n.newDoubts
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.list) == 0 && !n.doubtsLost {
		return nil
	}
	err := n.w.UpdateState(ctx, stateFirst, func(old []byte) ([]byte, error) {
		memory, err := joined.Recall(old)
		if err != nil {
			memory = joined.Unknown(n.o.Now())
		}
		for _, doubt := range d.list {
			memory.Add(doubt.again, doubt.streams, doubt.differs, n.started, n.o.Now())
		}
		return json.Marshal(memory)
	})
	if err == nil {
		d.list, n.doubtsLost = nil, false
	}
	return err
}

// tellFirst puts into the report how users were read, and says what went another way
// than hoped.
func (n *nightly) tellFirst(ctx context.Context, rep *report.Report) {
	if n.trials.first == nil {
		return
	}
	rep.First, rep.FullAgain = n.trials.first.Report(), n.trials.again.Report()
	for _, f := range []*report.First{rep.First, rep.FullAgain} {
		if f != nil && len(f.FellBack) > 0 {
			n.log.WarnContext(ctx, "some users could not be read by one request, and were read from the endpoints", "why", f.FellBack, "joined", f.Joined)
		}
	}
}
