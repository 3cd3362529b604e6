package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// status reads the job's status by the bank's clock.
func (b *bank) status(lines ...string) *Status {
	b.t.Helper()
	s, err := ReadStatus(b.t.Context(), StatusOptions{Config: b.config(lines...), Job: "nightly", Now: b.Now})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func TestStatusIsToldFromTheBucketAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		lines := []string{"failures: {max_ratio: 1, quarantine_after: 2}", `schedule: "30 2 * * *"`, "timezone: Europe/Berlin"}
		if s := b.status(lines...); len(s.Commits) != 0 || s.LastRun != nil || s.Users.Known != 0 || s.Next == nil {
			b.t.Errorf("before the first run: %+v", s)
		}
		faults := faultOf(2, "contracts", sandbox.Malformed)
		faults.Latency = 50 * time.Millisecond
		b.misbehave(faults)
		b.run(lines...)
		b.ResetRequests()
		s := b.status(lines...)
		if asked := len(b.Requests()); asked != 0 {
			b.t.Errorf("%d requests", asked)
		}
		want := StatusUsers{Known: 6, Failing: 1, NeedsUserBy: map[string]int64{}}
		if diff := cmp.Diff(want, s.Users); diff != "" {
			b.t.Errorf("users: -want +got:\n%s", diff)
		}
		if r := s.LastRun; r == nil || r.Users.Failed != 1 || r.Users.Pulled != 5 || r.Rows == 0 || r.Requests == 0 || r.RequestsPerSecond <= 0 || r.Outcome != "done_with_failures" {
			b.t.Errorf("last run: %+v", s.LastRun)
		}
		if len(s.Commits) != 1 || !s.Commits[0].Published || s.Commits[0].Rows != s.LastRun.Rows || s.Commits[0].Kind != "run" {
			b.t.Errorf("commits: %+v", s.Commits)
		}
		young := s.Streams[config.StreamContracts]
		if young.Users != 6 || young.Failing != 1 || young.P50 <= 0 || young.P50 > young.P95 || young.P95 > young.Oldest {
			b.t.Errorf("contracts: %+v", young)
		}
		if next := s.Next.Format("15:04 MST"); next != "02:30 CET" || !s.Next.After(s.At) {
			b.t.Errorf("next: %s", next)
		}

		b.Night() // nobody is analysed anew: what there is grows a day older
		b.run(lines...)
		s = b.status(lines...)
		if s.Users.Quarantined != 1 || s.Users.Failing != 0 || s.Streams[config.StreamContracts].Quarantined != 1 {
			b.t.Errorf("after the second failed night: %+v", s.Users)
		}
		if old := s.Streams[config.StreamContracts].Oldest - young.Oldest; old < 80_000 || old > 90_000 {
			b.t.Errorf("a day later, contracts are %v older", time.Duration(old)*time.Second)
		}
	})
}

func TestStatusCountsLoginsThatNeedTheirUser(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(4)
	o.Sync.Credentials = 1
	inBubble(t, o, func(b *bank) {
		b.run("sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 5s}")
		s := b.status()
		if s.Users.NeedsUser == 0 || s.Users.NeedsUserBy["credentials_required"] < s.Users.NeedsUser {
			b.t.Errorf("%+v", s.Users)
		}
		if s.LastRun.SyncSessions["credentials_required"] == 0 {
			b.t.Errorf("sync sessions of the last run: %v", s.LastRun.SyncSessions)
		}
	})
}

func TestStatusNamesWhoIsAtWork(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(1), func(b *bank) {
		body := `{"run_id":"r1","holder":"host-1, process 7","kind":"run","shard":1,"shards":4,"acquired_at":"2026-11-22T02:30:00Z"}`
		if _, err := b.store().Put(b.t.Context(), "_syncer/nightly/leases/1.json", []byte(body), bucket.Condition{}); err != nil {
			b.t.Fatal(err)
		}
		if s := b.status(); len(s.AtWork) != 1 || s.AtWork[0].Holder != "host-1, process 7" || s.AtWork[0].Shards != 4 {
			b.t.Errorf("at work: %+v", s.AtWork)
		}
	})
}

func TestStatusOfAJobPointedElsewhereIsAConfigurationError(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(1), func(b *bank) {
		b.run()
		cfg := b.config()
		cfg.FinoOS.Tenant = "another"
		_, err := ReadStatus(b.t.Context(), StatusOptions{Config: cfg, Job: "nightly"})
		var stop *StopError
		if !errors.As(err, &stop) || stop.Reason != ReasonConfig {
			b.t.Errorf("got %v", err)
		}
	})
}

// Records of the first schema do not say which they are of.
func TestALakeOfAnotherSchemaIsAConfigurationErrorInEveryCommand(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		b.run()
		o := b.backfillOptions("2026-10-01", few)
		o.Name = "history"
		b.fill(o)
		for _, r := range b.log() {
			key := fmt.Sprintf("_syncer/nightly/log/%020d.json", r.Seq)
			body, _, err := b.store().Get(b.t.Context(), key)
			if err == nil {
				_, err = b.store().Put(b.t.Context(), key, bytes.Replace(body, fmt.Appendf(nil, `"schema":%d,`, sink.Schema), nil, 1), bucket.Condition{})
			}
			if err != nil {
				b.t.Fatal(err)
			}
		}
		before := b.tree()
		run := b.options(b.config(few))
		another := o
		another.Name = "another"
		for name, try := range map[string]func() error{
			"run":               func() error { _, err := Run(b.t.Context(), run); return err },
			"backfill":          func() error { _, err := Backfill(b.t.Context(), another); return err },
			"finished backfill": func() error { _, err := Backfill(b.t.Context(), o); return err },
			"plan":              func() error { _, err := MakePlan(b.t.Context(), run, false); return err },
			"status": func() error {
				_, err := ReadStatus(b.t.Context(), StatusOptions{Config: run.Config, Job: "nightly"})
				return err
			},
		} {
			if reason, ok := ReasonOf(try()); !ok || reason != ReasonConfig {
				b.t.Errorf("%s: reason %v, %v, want a configuration error", name, reason, ok)
			}
			if err := try(); err == nil || !strings.Contains(err.Error(), "is of schema 1") || !strings.Contains(err.Error(), "sink.url") {
				b.t.Errorf("%s: %v, want what it is and what to do", name, err)
			}
		}
		if diff := cmp.Diff(before, b.tree()); diff != "" {
			b.t.Errorf("the lake has changed:\n%s", diff)
		}
	})
}

func TestStatusNamesWhoFailsForHowLongAndWhenTheyAreTriedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(8), func(b *bank) {
		lines := []string{"failures: {max_ratio: 1, quarantine_after: 2, retry_at_end: false}", `schedule: "30 2 * * *"`, "timezone: Europe/Berlin"}
		faults := sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{
			"2": {"contracts": {Kind: sandbox.Malformed}, "account_history": {Kind: sandbox.Malformed}},
		}}
		b.misbehave(faults)
		b.run(lines...)
		b.Night()
		faults.Users["5"] = map[string]sandbox.UserFault{"contracts": {Kind: sandbox.Rejected}}
		b.misbehave(faults)
		full := b.options(b.config(lines...))
		full.Full = true // nobody has anything new
		rep, err := b.try(b.t.Context(), full)
		if err != nil {
			b.t.Fatal(err)
		}

		named := func(n int) *Status {
			s, err := ReadStatus(b.t.Context(), StatusOptions{Config: b.config(lines...), Job: "nightly", Named: n, Now: b.Now})
			if err != nil {
				b.t.Fatal(err)
			}
			return s
		}
		s := named(10)
		tonight, later := s.Next.UTC(), s.Failing.Users[0].Streams[0].NextTry
		if !later.Equal(tonight.AddDate(0, 0, 1)) {
			b.t.Errorf("who is in quarantine comes again at %s, and the next night is %s", later, tonight)
		}
		want := report.Failing{Users: []report.FailingUser{
			{UserID: b.UserID(2), Streams: []report.FailingStream{
				{Stream: config.StreamAccountHistory, Class: finoos.Malformed, Nights: 2, NextTry: later, Quarantined: true},
				{Stream: config.StreamContracts, Class: finoos.Malformed, Nights: 2, NextTry: later, Quarantined: true},
			}},
			{UserID: b.UserID(5), Streams: []report.FailingStream{{Stream: config.StreamContracts, Class: finoos.Invalid, Nights: 1, NextTry: tonight}}},
		}}
		if diff := cmp.Diff(want, s.Failing); diff != "" {
			b.t.Errorf("-want +got:\n%s", diff)
		}
		if s := named(1); len(s.Failing.Users) != 1 || s.Failing.More != 1 || s.Failing.Users[0].UserID != b.UserID(2) {
			b.t.Errorf("of one that is named: %+v", s.Failing)
		}
		if s := named(0); len(s.Failing.Users) != 0 || s.Failing.More != 2 || s.Users.Failing != 1 || s.Users.Quarantined != 1 {
			b.t.Errorf("where nobody is named: %+v, %+v", s.Failing, s.Users)
		}
		for _, f := range rep.Failures {
			if nights := map[string]int{b.UserID(2): 2, b.UserID(5): 1}[f.UserID]; f.Nights != nights || f.NextTry.IsZero() != (nights == 1) {
				b.t.Errorf("in the report: %+v, want %d nights", f, nights)
			}
		}
	})
}

func TestNamesAreThoseOfTheTablesWhereUsersAreMasked(t *testing.T) {
	t.Parallel()
	o := banktest.Still(5)
	o.Sync.SCA = 1
	inBubble(t, o, func(b *bank) {
		lines := []string{
			"failures: {max_ratio: 1}", "mask: {all: {user_id: hmac}}", "mask_key: 0123456789abcdef",
			"sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 5s}",
		}
		b.misbehave(faultOf(2, "contracts", sandbox.Malformed))
		rep := b.run(lines...)
		cfg := b.config(lines...)
		s, err := ReadStatus(b.t.Context(), StatusOptions{Config: cfg, Job: "nightly", Named: 10, Now: b.Now})
		if err != nil {
			b.t.Fatal(err)
		}
		var failed string
		sessions := map[string]bool{}
		for _, row := range b.rows("pulls") {
			if row["outcome"] == "failed" {
				failed = row["user_id"]
			}
		}
		for _, row := range b.rows("sync_sessions") {
			sessions[row["user_id"]] = true
		}
		if len(s.Failing.Users) != 1 || s.Failing.Users[0].UserID != failed || len(rep.Failures) != 1 || rep.Failures[0].UserID != failed {
			b.t.Errorf("failing: %+v and %+v, want %s", s.Failing, rep.Failures, failed)
		}
		if len(s.Needed.Users) != 5 || len(rep.Needed.Users) != 5 {
			b.t.Errorf("needed: %+v and %+v", s.Needed, rep.Needed)
		}
		for _, u := range append(s.Needed.Users, rep.Needed.Users...) {
			if !sessions[u.UserID] {
				b.t.Errorf("%s stands nowhere in sync_sessions", u.UserID)
			}
		}
		text, err := json.Marshal(rep)
		for i := range 5 {
			if err != nil || bytes.Contains(text, []byte(b.UserID(i))) {
				b.t.Errorf("the report names user %d in clear (%v)", i, err)
			}
		}
		cfg.Jobs["nightly"].MaskKey = ""
		s, err = ReadStatus(b.t.Context(), StatusOptions{Config: cfg, Job: "nightly", Named: 10, Now: b.Now})
		if err != nil || len(s.Failing.Users) > 0 || s.Failing.More != 1 || !strings.Contains(s.Nameless, "mask_key") {
			b.t.Errorf("without the key: %v, %+v, %q", err, s.Failing, s.Nameless)
		}
	})
}

func TestALoginThatWorksAgainNeedsItsUserNoMore(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(4)
	o.Sync.Credentials = 1
	inBubble(t, o, func(b *bank) {
		line := "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 5s, needs_user_retry: 24h}"
		rep := b.run(line)
		if n := rep.Needed; n.Count == 0 || n.Count != int64(len(n.Users)) || n.Logins["credentials_required"] < n.Count {
			b.t.Fatalf("%+v", n)
		}
		// What the bank said holds for a day. A run without sessions reaches everybody
		// after that, and leaves what is remembered as it was.
		b.Night()
		b.Night()
		b.Night()
		if s := b.status(); s.Needed.Count != rep.Needed.Count {
			b.t.Errorf("before the next run: %+v", s.Needed)
		}
		b.run()
		if s := b.status(); s.Needed.Count != 0 || s.Users.NeedsUser != 0 {
			b.t.Errorf("nobody was asked again, and still %+v", s.Needed)
		}
	})
}

func TestStatusTellsOfARunThatBeganAndDidNotEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		o := b.options(b.config("checkpoint_every: 1s"))
		faults := sandbox.Faults{Latency: 400 * time.Millisecond}
		b.misbehave(faults)
		ctx, kill := context.WithCancel(b.t.Context())
		o.WrapStore = func(s bucket.Store) bucket.Store { return &deadStore{Store: s, dead: ctx} }
		o.Committed = func(report.Commit) { kill() }
		_, _ = Run(ctx, o) // what it would do at its end, a killed process does not
		s := b.status()
		if len(s.AtWork) != 1 || len(s.Unfinished) != 0 {
			b.t.Fatalf("while its lease holds: at work %+v, unfinished %+v", s.AtWork, s.Unfinished)
		}
		lost := s.AtWork[0].RunID
		lease := filepath.Join(b.dir, "_syncer/nightly/leases/0.json")
		if err := os.Chtimes(lease, time.Time{}, b.aged(lease, time.Hour)); err != nil {
			b.t.Fatal(err)
		}
		s = b.status()
		if len(s.Unfinished) != 1 || s.Unfinished[0].RunID != lost || s.Unfinished[0].LastSign.IsZero() || s.Unfinished[0].Holder == "" || s.LastRun != nil {
			b.t.Fatalf("afterwards: %+v, last run %+v", s.Unfinished, s.LastRun)
		}
		for after, want := range map[string]int{"": 1, lost: 0} {
			if left, err := UnfinishedAfter(b.t.Context(), o.Config, "nightly", after); err != nil || len(left) != want {
				b.t.Errorf("after %q: %+v, %v", after, left, err)
			}
		}
		// Its commits tell of it, too, where somebody has removed the lease.
		if err := b.store().Delete(b.t.Context(), "_syncer/nightly/leases/0.json"); err != nil {
			b.t.Fatal(err)
		}
		if s = b.status(); len(s.Unfinished) != 1 || s.Unfinished[0].RunID != lost {
			b.t.Errorf("without a lease: %+v", s.Unfinished)
		}
		b.misbehave(sandbox.Faults{})
		time.Sleep(2 * time.Hour) // the next night
		b.run()
		if s = b.status(); len(s.Unfinished) != 0 || s.LastRun.Outcome != report.Done {
			b.t.Errorf("after the next run: %+v, %+v", s.Unfinished, s.LastRun)
		}
	})
}

// aged is when a file was written, so much earlier.
func (b *bank) aged(path string, by time.Duration) time.Time {
	b.t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.t.Fatal(err)
	}
	return info.ModTime().Add(-by)
}

// deadStore refuses everything once its context has ended, as the network does of a
// process that is dead.
type deadStore struct {
	bucket.Store
	dead context.Context //nolint:containedctx // it is the process's life
}

func (s *deadStore) Put(ctx context.Context, key string, body []byte, c bucket.Condition) (bucket.Info, error) {
	if s.dead.Err() != nil {
		return bucket.Info{}, bucket.ErrDenied
	}
	return s.Store.Put(ctx, key, body, c)
}

func (s *deadStore) Delete(ctx context.Context, key string) error {
	if s.dead.Err() != nil {
		return bucket.ErrDenied
	}
	return s.Store.Delete(ctx, key)
}
