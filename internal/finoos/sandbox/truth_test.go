package sandbox

import "testing"

func TestAReaderReachesTheTruthNightByNight(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		c := setup(t, Options{Users: 8, Seed: seed, PageSize: 5, CategorizationPageSize: 400, Nightly: Odds{Analysed: 0.5, Gone: 0.03, Joined: 0.05, Login: 0.05}})
		r := newReader(c)
		for night := range 5 {
			r.pull()
			r.compare()
			if t.Failed() {
				t.Fatalf("seed %d, night %d", seed, night)
			}
			c.s.Night()
		}
	}
}

func TestALakeMayBeginLater(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 4, Seed: 8, PageSize: 10, CategorizationPageSize: 4000, Nightly: Odds{Analysed: 1, Gone: -1, Login: -1}})
	days := func() (n int) {
		for range c.s.Truth("account_history") {
			n++
		}
		return n
	}
	for range 3 {
		c.s.Night()
	}
	before := days()
	c.s.Baseline()
	if after := days(); after >= before {
		t.Errorf("%d days of history before the lake began anew, %d after", before, after)
	}
	r := newReader(c)
	for range 2 {
		r.pull()
		r.compare()
		c.s.Night()
	}
}

func TestTruthKnowsItsTables(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 1, Seed: 8})
	defer func() {
		if recover() == nil {
			t.Error("the truth of an unknown table is silent")
		}
	}()
	c.s.Truth("contract")
}
