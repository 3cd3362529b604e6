package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// lastWords bounds what a run still does once it has been told to stop: one
// commit, the report, giving back the lease. It fits into the 30 s that
// Kubernetes leaves between SIGTERM and SIGKILL.
const lastWords = 20 * time.Second

// RunOptions says what Run does.
type RunOptions struct {
	// Config and Job name the job to run; both are needed.
	Config *config.Config
	Job    string
	// Shard of the users that this run owns; the zero value means all of them.
	Shard cursors.Shard
	// RunGroup is the name that the shards and restarts of one scheduled time
	// share; empty means the run's own id.
	RunGroup string
	// Users restricts the run to these user ids. They are asked for one by one,
	// and nobody else is looked at.
	Users []string
	// OnlyFailed restricts the run to users with a stream that failed last time.
	OnlyFailed bool
	// AcceptGone takes the list of users as it is for the truth: however few it
	// names, whoever it lacks and the API does not know is gone. It is for runs that
	// read the list for all users.
	AcceptGone bool
	// Full reads every stream in full, whatever its correlation says.
	Full bool
	// Transport replaces the network, nil means none of it is replaced.
	Transport http.RoundTripper
	// Pacing is shared by the runs of one process; nil means that this run has a
	// pace of its own.
	Pacing *finoos.Pacing
	// Disk is shared like Pacing: room for answers, see [Scratch].
	Disk finoos.Disk
	// Now is the clock of the data: extraction times, ages, dates. Waiting is
	// always done in real time. Nil means time.Now.
	Now func() time.Time
	// Holder says who runs this, for the lease: host and process.
	Holder  string
	Version string
	Logger  *slog.Logger
	// Progress, where set, is called about once a second and at the end, never by
	// two goroutines at once.
	Progress func(report.Progress)
	// Committed, where set, is called after each commit.
	Committed func(report.Commit)
	// WrapStore, where set, is put around the opened store: tests inject faults
	// with it.
	WrapStore func(bucket.Store) bucket.Store
}

// Run executes a job once. Cancelling ctx ends it cleanly: no new user is
// begun, those at work are dropped, and what is complete is committed.
//
// The report is non-nil whenever the run got as far as to have an id. Errors
// are *StopError, except for what nobody foresaw.
func Run(ctx context.Context, o RunOptions) (*report.Report, error) {
	n, err := newNightly(o)
	if err != nil {
		return nil, err
	}
	defer n.close()
	defer n.observe(ctx)()
	return n.conclude(ctx, n.steps(ctx), n.remember)
}

// steps is the flow of docs/design.md, "The flow of one run", in its order.
func (n *nightly) steps(ctx context.Context) error {
	return n.take(ctx, []runStep{
		{"try the scratch folder", n.tryScratch},
		{"read the users' addresses", n.readAddresses}, // where there is a file of them
		{"check credentials", n.checkCredentials},
		{"lease and recover", n.open},
		{"see where earlier runs stopped", n.findPlaces},
		{"list users", n.listUsers},
		{"look for users long missing", n.findLongMissing}, // only where deadlines have kept them from it
		{"pull users", n.pullUsers},                        // sync sessions, probe, pull, rows, write, and a commit now and then
		{"look for missing users", n.findMissing},
		{"look for missing users", n.findMissing},
		{"pull users who were not listed", n.pullUnlisted},
		{"say what is left to say", n.sayRest},
		{"judge who is gone", n.judgeGone},
	})
}

// nightly is a run as it is meant for the night: it brings what has changed.
type nightly struct {
	*session
	flow     *flow
	list     *listing
	missing  missingUsers
	unlisted userList  // known users who were not listed, and answer
	circle   *feed     // that of the listed users, nil until they are pulled
	second   bool      // the users at work were not listed
	asked    bool      // those who were not listed were asked for,
	askedAll bool      // all of them
	weighed  *lastList // what is to be remembered of the list, nil where there is none

	shelf     scratch.Shelf // of users who settle
	passed    heldUsers     // over, since what they need is down
	coming    *comeback     // of them; the dispatcher's
	lastTried bool          // what is down at the end; the dispatcher's
	doubts    doubts
	unsaid    heldUsers // see sayRest
	booked    grants
	trials    trials // whether one request is enough for several streams
	newDoubts newDoubts
	lost, had atomic.Int64 // users whose analyses are lost, and who had any

	// recovered are cursors of sync sessions that runs which have ended had noted.
	recovered     map[string]cursors.Cursor
	saidNoAddress atomic.Bool
	saidNoRoom    atomic.Bool
	saidRemasked  atomic.Bool
}

func newNightly(o RunOptions) (*nightly, error) {
	s, err := newSession(o)
	if err != nil {
		return nil, err
	}
	n := &nightly{session: s, list: newListing(s), unlisted: userList{dir: o.Config.Sink.ScratchDir}}
	n.missing.held.dir = o.Config.Sink.ScratchDir
	n.passed.dir, n.unsaid.dir, n.shelf.Dir = o.Config.Sink.ScratchDir, o.Config.Sink.ScratchDir, o.Config.Sink.ScratchDir
	n.flow = newFlow(s, &n.list.held, n)
	return n, nil
}

// close gives back what is held on disk.
func (n *nightly) close() {
	n.list.close()
	for _, l := range []*userList{&n.unlisted, &n.missing.held} {
		_ = l.close() // frees disk; nothing is lost by an error
	}
	if n.coming != nil {
		n.coming.close()
	}
	n.passed.close()
	n.unsaid.close()
	n.shelf.Close()
}

// checkCredentials asks for a token before anything is written. A scope that the
// token does not name is a warning: only answers count.
func (n *nightly) checkCredentials(ctx context.Context) error {
	granted, err := n.client.Scopes(ctx)
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	if missing := MissingScopes(granted, n.streams); len(missing) > 0 {
		n.log.WarnContext(ctx, "the token does not name all scopes that the streams need; if the API refuses them, have them granted", "missing", missing)
	}
	return nil
}

// open takes the lease, and recovers what a killed run left.
func (n *nightly) open(ctx context.Context) error {
	if err := n.openSink(ctx, sink.KindRun, ""); err != nil {
		return err
	}
	return n.recoverAttempts(ctx)
}

// pullUsers works on the listed users of the shard.
func (n *nightly) pullUsers(ctx context.Context) error {
	n.beginTrials()
	n.flow.stops = n.places
	err := n.pullRound(ctx)
	n.circle = n.flow.feed
	return err
}

// pullUnlisted works on those who answered though they were not listed.
func (n *nightly) pullUnlisted(ctx context.Context) error {
	if found, err := n.unlisted.count(); err != nil || found == 0 {
		return err
	}
	n.second = true
	n.flow.held, n.flow.stops = &n.unlisted, nil
	return n.pullRound(ctx)
}

func (n *nightly) pullRound(ctx context.Context) error {
	n.lastTried = false
	return n.flow.run(ctx, flowHooks{more: n.nextPassedOver, held: n.holdsBack, atRest: n.atRest, atDeadline: n.giveUp, beside: n.keepKnocking})
}

// holdsBack says that no further user is begun: no service answers anybody.
func (n *nightly) holdsBack() bool {
	_, all := n.health.nobodyAnswers()
	return all
}
