package finoos

import (
	stdflag "flag"
	"math"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
)

var longRun = stdflag.Bool("long", false, "watch shards for hours of virtual time (minutes of real time)")

// How soon shares are equal is bounded by what a shard can see: only its own
// refusals, and those are kept below half a percent. The quick test asks for
// what minutes can show; -long for a tenth, which four shards reach in two hours; sixteen nearly do in one.
func TestSharesAreFair(t *testing.T) {
	t.Parallel()
	type run struct {
		limit            float64
		shards, from, to int
		least, most      float64 // share of the mean
	}
	runs := []run{{50, 1, 30, 60, 1, 1}, {100, 4, 60, 360, 0.5, 1.6}, {100, 16, 60, 120, 0.15, 5}}
	if underRace {
		runs = runs[:1]
	}
	if *longRun {
		runs = []run{{200, 4, 600, 7200, 0.9, 1.1}, {500, 16, 600, 3600, 0.8, 1.2}}
	}
	for _, tt := range runs {
		t.Run(strconv.Itoa(tt.shards), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newQuota(tt.limit, 1, tt.shards)
				observe(t, q, tt.shards, 1000, 48, tt.to)
				used, refused, _ := q.judge(tt.from, tt.to, tt.limit)
				_, each := between(q.served, tt.from, tt.to)
				mean := used * tt.limit / 100 * float64(tt.to-tt.from) / float64(tt.shards)
				least, most := float64(slices.Min(each))/mean, float64(slices.Max(each))/mean
				t.Logf("used %.1f %%, refused %.2f %%, shares from %.2f to %.2f", used, refused, least, most)
				if math.Min(least-tt.least, tt.most-most) < -1e-9 || used < leastUsed {
					t.Errorf("used %.1f %%, shares from %.2f to %.2f of the mean", used, least, most)
				}
			})
		})
	}
}
