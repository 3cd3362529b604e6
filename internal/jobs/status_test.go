package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
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
