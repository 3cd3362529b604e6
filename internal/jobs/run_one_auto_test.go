package jobs

import (
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

// A first night shows one analysis for everybody: each service has long finished. The
// first users of the second show whether one tells of the others.
func TestAutoMissesNothingWhereAServiceComesANightAfterTheOthers(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(20)
	o.Readings = sandbox.Readings{Services: "late"}
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.run()
		for night := 2; night <= 6; night++ {
			b.Night()
			rep := b.run()
			if night == 2 && rep.Probe.Misled < 3 || night > 2 && rep.Probe.Mode != config.ProbeEach {
				t.Errorf("night %d: %+v", night, rep.Probe)
			}
			if s := rep.Streams[config.StreamAccounts]; s.NotAsked > 0 || s.Pulled == 0 {
				t.Errorf("night %d: %+v", night, s)
			}
		}
	})
}

func TestShardsDecideTogetherHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(40), func(b *bank) {
		t := b.t
		modes := func(group string, n int) (one, each int) {
			all := []int{0, 1, 2, 3, 4}
			for _, rep := range b.shards(group, n, all[:n]...) {
				if rep.Probe.Mode == config.ProbeOne {
					one++
				} else {
					each++
				}
			}
			b.Night()
			return one, each
		}
		if one, _ := modes("a", 4); one > 0 {
			t.Errorf("the first night: %d shards ask one", one)
		}
		for night, n := range []int{3, 5, 1} {
			if _, each := modes([]string{"b", "c", "d"}[night], n); each > 0 {
				t.Errorf("night %d: %d of %d shards ask all", night+2, each, n)
			}
		}
	})
}

// Of a thousand users of whom contracts have come to nothing new, the first are looked
// at, and then everybody is.
func TestARunInWhichTheFirstAreMisledAsksTheOthersOfAllToo(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(600)
	o.Nightly.Analysed = 0.3
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.light()
		stands, streams := b.frozen("contracts"), "streams: [accounts, contracts]"
		b.run(streams)
		*stands = true
		b.Night()
		rep := b.run(streams)
		if p := rep.Probe; p.Mode != config.ProbeOne || !p.Proving || p.Audited < 500 || p.Misled < 100 || rep.Streams[config.StreamAccounts].NotAsked > 0 {
			t.Errorf("%+v, accounts %+v", rep.Probe, rep.Streams[config.StreamAccounts])
		}
	})
}

func TestWhereOneIsProvenToTellNobodyIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(300)
	o.Nightly.Analysed = 0.3
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.light()
		streams := "streams: [accounts, contracts]"
		b.run(streams)
		b.Night()
		if p := b.run(streams).Probe; !p.Proving || p.Audited < 190 || p.AskedOne == 0 {
			t.Errorf("the second night: %+v", p)
		}
		b.Night()
		if p := b.run(streams).Probe; p.Proving || p.Mode != config.ProbeOne || p.AskedOne < 200 {
			t.Errorf("the third night: %+v", p)
		}
	})
}

func TestRunsForSomeUsersAndInFullAskEverything(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		b.run(oneService)
		for name, change := range map[string]func(*RunOptions){
			"some users": func(o *RunOptions) { o.Users = []string{b.UserID(2)} },
			"in full":    func(o *RunOptions) { o.Full = true },
		} {
			b.Night()
			asked := b.watchCorrelations()
			o := b.options(b.config(oneService))
			change(&o)
			rep, err := b.try(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if got := asked(2); got != "account-history banking categorization contracts" {
				t.Errorf("%s: asked of %q", name, got)
			}
			for s, c := range rep.Streams {
				if c.NotAsked > 0 {
					t.Errorf("%s: %s was not asked of %d", name, s, c.NotAsked)
				}
			}
		}
	})
}
