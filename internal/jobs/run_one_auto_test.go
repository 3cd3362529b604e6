package jobs

import (
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

// A first night shows one analysis for everybody: each service has long finished. What
// comes later shows whether one tells of the others at once.
func TestAutoAsksAllWhereAServiceComesANightAfterTheOthers(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(20)
	o.Readings = sandbox.Readings{Services: "late"}
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.run()
		for night := 2; night <= 6; night++ {
			b.Night()
			rep := b.run()
			if rep.Probe.Mode != config.ProbeEach || night == 2 && rep.Probe.Misled < 3 {
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
		for night, n := range []int{4, 4} {
			if one, _ := modes([]string{"a", "b"}[night], n); one > 0 {
				t.Errorf("night %d: %d shards ask one", night+1, one)
			}
		}
		for night, n := range []int{3, 5, 1} {
			if _, each := modes([]string{"c", "d", "e"}[night], n); each > 0 {
				t.Errorf("night %d: %d of %d shards ask all", night+3, each, n)
			}
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
