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
