package jobs

import (
	"context"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/bucket"
)

func TestARunThatCannotCommitSaysWhatWasNotKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commits int    // that succeed
		refused string // keys that the store takes no longer
		unsure  bool
		line    string
	}{
		"at all":        {0, "/cursors/", false, ""},
		"any more":      {1, "/cursors/", false, "checkpoint_every: 7s"},
		"for certain":   {0, "/log/", true, ""}, // a record that is refused may stand
		"in a backfill": {0, "/cursors/", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(9)
			o.Faults.Latency = 300 * time.Millisecond
			inBubble(t, o, func(b *bank) {
				opts := b.options(b.config("concurrency: 1", c.line))
				deaf, shut := context.WithCancel(b.t.Context())
				ctx, stop := context.WithCancel(b.t.Context())
				defer stop()
				opts.WrapStore = func(s bucket.Store) bucket.Store { return &deafStore{Store: s, deaf: deaf, to: c.refused} }
				opts.Committed = func(report.Commit) {
					shut()
					time.AfterFunc(2*time.Second, stop) // something is pulled, and the last commit comes
				}
				if c.commits == 0 {
					shut()
				}
				var rep *report.Report
				var err error
				if name == "in a backfill" {
					rep, err = Backfill(ctx, BackfillOptions{RunOptions: opts, Since: "2026-10-01"})
				} else {
					rep, err = Run(ctx, opts)
				}
				if reason, _ := ReasonOf(err); reason != ReasonSink || rep.Outcome != report.Stopped || rep.Commits != c.commits {
					b.t.Fatalf("%v: %s, %d commits", err, rep.Outcome, rep.Commits)
				}
				var pulled, kept int64
				for s, of := range rep.Streams {
					pulled += of.Rows + of.Deletes
					kept += rep.Tables[string(s)].Rows
				}
				lost := rep.NotKept
				if lost == nil || lost.Rows != pulled-kept || lost.Rows == 0 || lost.Unsure != c.unsure || lost.Users > rep.Users.Pulled || (lost.Users == rep.Users.Pulled) != (c.commits == 0) {
					b.t.Errorf("%+v of %d rows and %+v, %d kept", lost, pulled, rep.Users, kept)
				}
				if rep.Unreached != rep.Users.Listed-rep.Users.Done() {
					b.t.Errorf("%d unreached, %+v", rep.Unreached, rep.Users)
				}
			})
		})
	}
}

func TestWhereAllIsCommittedNothingIsNotKept(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(12)
	o.Nightly = sandbox.Odds{Analysed: 0.7, Gone: 0.2, Joined: 0.2, Login: 0.2}
	inBubble(t, o, func(b *bank) {
		for range 4 {
			rep := b.run("failures: {max_ratio: 1}", "max_gone: 1", "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 5s}")
			for s, of := range rep.Streams {
				if rows := rep.Tables[string(s)].Rows; rows != of.Rows+of.Deletes {
					b.t.Errorf("%s: %d rows were committed, and %d and %d deletes counted", s, rows, of.Rows, of.Deletes)
				}
			}
			if rep.NotKept != nil || rep.Unreached != 0 {
				b.t.Errorf("not kept: %+v, unreached: %d", rep.NotKept, rep.Unreached)
			}
			b.Night()
		}
	})
}

// deafStore takes some objects no longer once its context has ended.
type deafStore struct {
	bucket.Store
	to   string          // in their keys
	deaf context.Context //nolint:containedctx // since when it does
}

func (s *deafStore) Put(ctx context.Context, key string, body []byte, c bucket.Condition) (bucket.Info, error) {
	if s.deaf.Err() != nil && strings.Contains(key, s.to) {
		return bucket.Info{}, bucket.ErrDenied
	}
	return s.Store.Put(ctx, key, body, c)
}

func TestARunThatEndsBeforeItKnowsTheUsersSaysThatNobodyWasReached(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(40), func(b *bank) {
		ctx, cancel := context.WithCancel(b.t.Context())
		defer cancel()
		b.at(3, cancel) // pages of users come
		rep, err := b.stops(ctx, ReasonInterrupted, b.options(b.config()))
		if strings.Contains(err.Error(), "clean commit") || rep.Error != err.Error() {
			b.t.Errorf("%v, and the report says %q", err, rep.Error)
		}
		if rep.Outcome != report.Interrupted || !rep.AllUnreached || rep.Unreached != 0 || rep.CameThrough() {
			b.t.Errorf("%s, all unreached: %v, %d", rep.Outcome, rep.AllUnreached, rep.Unreached)
		}
		if r := b.status().LastRun; r == nil || !r.AllUnreached || r.Outcome != report.Interrupted {
			b.t.Errorf("status: %+v", r)
		}
	})
}
