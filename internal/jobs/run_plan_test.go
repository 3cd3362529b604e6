package jobs

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// plan plans a run with these options. It must change nothing, and ask for
// nothing but a token and the list of users.
func (b *bank) plan(o RunOptions, offline bool) (*Plan, error) {
	b.t.Helper()
	before := b.tree()
	b.ResetRequests()
	p, err := MakePlan(b.t.Context(), o, offline)
	if diff := cmp.Diff(before, b.tree()); diff != "" {
		b.t.Errorf("the plan has changed the lake:\n%s", diff)
	}
	for op, n := range b.Counts() {
		if n > 0 && (offline || op != "auth" && op != "users") {
			b.t.Errorf("the plan has asked for %s %d times", op, n)
		}
	}
	return p, err
}

// tree is every file of the lake with its size and time.
func (b *bank) tree() map[string]string {
	b.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		found[path] = info.ModTime().String() + info.Mode().String()
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// foretells plans a run, runs it, and wants both to be within a tenth.
func (b *bank) foretells(night string, o RunOptions, offline bool) *Plan {
	b.t.Helper()
	p, err := b.plan(o, offline)
	if err != nil {
		b.t.Fatalf("%s: %v", night, err)
	}
	rep, err := b.try(b.t.Context(), o)
	if err != nil {
		b.t.Fatalf("%s: %v", night, err)
	}
	if off := math.Abs(float64(p.Requests-rep.Requests)) / float64(rep.Requests); off > 0.1 {
		b.t.Errorf("%s: %d requests planned, %d made: %.0f %% off; %v but %v",
			night, p.Requests, rep.Requests, 100*off, p.RequestsByOperation, rep.RequestsByOperation)
	}
	if p.Users.Listed != rep.Users.Listed && !offline {
		b.t.Errorf("%s: %+v, but %+v", night, p.Users, rep.Users)
	}
	return p
}

func TestAPlanIsWithinATenthOfTheRun(t *testing.T) {
	t.Parallel()
	t.Run("of nights on which some change", func(t *testing.T) {
		t.Parallel()
		// How many change is chance; few streams keep that below a tenth with few users.
		inBubble(t, sandbox.Options{Users: 36, Seed: 2}, func(b *bank) {
			for i, night := range []string{"first night", "second night", "third night, offline"} {
				p := b.foretells(night, b.options(b.config(lenient, "streams: [users, bank_logins, accounts, contracts]")), i == 2)
				if p.FirstRun != (i == 0) {
					b.t.Errorf("%s: %+v", night, p)
				}
				b.Night()
			}
		})
	})
	t.Run("of quiet nights", func(t *testing.T) {
		t.Parallel()
		inBubble(t, banktest.Still(6), func(b *bank) {
			o := func(lines ...string) RunOptions { return b.options(b.config(lines...)) }
			if p := b.foretells("first night, all streams", o(), false); !p.FirstRun || p.Users.New != 6 {
				b.t.Errorf("%+v", p)
			}
			b.Night()
			b.run()
			b.Night()
			b.foretells("quiet night", o(), false)
			b.Night()
			b.foretells("banking is probed", o("probe: banking"), false)
			shard := o()
			shard.Shard = cursors.Shard{Index: 1, Count: 2}
			b.foretells("a shard, offline", shard, true)
			some := o()
			some.Users = []string{b.UserID(3), b.UserID(5)}
			b.foretells("two users", some, true)
		})
	})
	t.Run("of nights with sync sessions", func(t *testing.T) {
		t.Parallel()
		inBubble(t, banktest.Steady(3), func(b *bank) {
			o := func() RunOptions {
				return b.options(b.config(syncing, "streams: [bank_logins, accounts, contracts]"))
			}
			for night := range 2 {
				if rep, err := b.try(b.t.Context(), o()); err != nil || rep.SyncSessions["synced"] == 0 {
					b.t.Fatalf("night %d: %v, %v", night, err, rep.SyncSessions)
				}
				b.Night()
			}
			if p := b.foretells("with sessions", o(), false); p.SyncSessions == 0 || len(p.Notes) == 0 {
				b.t.Errorf("%+v", p)
			}
		})
	})
}

func TestAPlanKnowsQuarantineAndFailedUsers(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		quick := []string{quick, "streams: [accounts, contracts]"}
		b.misbehave(faultOf(1, "contracts", sandbox.Rejected))
		b.nightsAsked(2, "contracts", quick...)
		p := b.foretells("quarantine", b.options(b.config(quick...)), false)
		if s := p.Streams[config.StreamContracts]; p.Users.Quarantined != 1 || s.Quarantined != 1 || s.Known != 3 {
			t.Errorf("%+v, %+v", p.Users, s)
		}
		o := b.options(b.config(quick...))
		o.OnlyFailed = true
		if p := b.foretells("only failed", o, false); p.Users.Listed != 1 || p.Streams[config.StreamContracts].First != 1 {
			t.Errorf("%+v", p)
		}
	})
}

func TestAPlanSaysClearlyWhatItCannotKnow(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		refused := func(o RunOptions, offline bool, want string) {
			t.Helper()
			_, err := b.plan(o, offline)
			var stop *StopError
			if !errors.As(err, &stop) || stop.Reason != ReasonConfig || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want a mistake that says %q", err, want)
			}
		}
		lines := "streams: [contracts]"
		o := b.options(b.config(lines))
		refused(o, true, "committed nothing yet")
		p, err := b.plan(o, false)
		if err != nil || !p.FirstRun || p.Users.New != 4 || !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "in full") }) {
			t.Errorf("%v, %+v", err, p)
		}
		b.run(lines)
		o.Users = []string{"nobody"}
		refused(o, false, `"nobody": neither`)
		refused(o, true, `"nobody": the lake`)
		o.Users = nil
		o.Config.FinoOS.Tenant = "other"
		refused(o, true, "source")
		o.Job = "hourly"
		refused(o, true, "no job is called")
	})
}

func TestMinutesAreThoseOfTheLearnedRate(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		t := b.t
		lines := "streams: [contracts]"
		b.run(lines)
		o := b.options(b.config(lines))
		p, err := b.plan(o, true)
		if err != nil || p.Learned || p.Rate != 10000 {
			t.Errorf("%v, %+v", err, p)
		}
		// A later version of the report tells the rate that was learned.
		id := "01ZZZZZZZZZZZZZZZZZZZZZZZZ"
		body := `{"run_id":"` + id + `","job":"nightly","shards":1,"outcome":"done","rate":0.5,"users":{"listed":4,"unchanged":4}}`
		if err := putReport(b, id, body); err != nil {
			t.Fatal(err)
		}
		if p, err = b.plan(o, true); err != nil || !p.Learned || p.Rate != 0.5 || math.Abs(p.Minutes-float64(p.Requests)/30) > 0.01 {
			t.Errorf("%v, %+v", err, p)
		}
	})
}

func putReport(b *bank, id, body string) error {
	w, err := sink.Open(b.t.Context(), sink.Options{
		Store: b.store(), Job: "nightly", RunID: id, Compression: "none", Source: sink.Source{BaseURL: "http://bank.test"},
		ScratchDir: b.t.TempDir(), Now: func() time.Time { return time.Now() },
	})
	if err != nil {
		return err
	}
	return errors.Join(w.WriteReport(b.t.Context(), []byte(body)), w.Close(b.t.Context()))
}
