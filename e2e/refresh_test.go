package e2e

import (
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
)

// TestAQuietLakeEqualsTheTruthWithinAPeriod lets nights pass that leave the lake
// behind the truth, by what diffs and windows do not tell, and then nothing happen
// any more: a period later the lake is the truth, and from then on nothing is read.
func TestAQuietLakeEqualsTheTruthWithinAPeriod(t *testing.T) {
	t.Parallel()
	moving := sandbox.Options{Users: 3, Nightly: sandbox.Odds{Analysed: 1, Gone: -1, Joined: -1}}
	with := func(change func(o *sandbox.Options)) sandbox.Options {
		o := moving
		change(&o)
		return o
	}
	for name, o := range map[string]sandbox.Options{
		"tags that were removed":      with(func(o *sandbox.Options) { o.Readings.RemovedTags = "removed" }),
		"diffs that replace":          with(func(o *sandbox.Options) { o.Readings.RemovedTags, o.Readings.Diff = "removed", "replaces" }),
		"diffs that name all tags":    with(func(o *sandbox.Options) { o.Readings.RemovedTags, o.Readings.Diff = "removed", "whole" }),
		"diffs that are none":         with(func(o *sandbox.Options) { o.Readings.RemovedTags, o.Readings.Diff = "removed", "ignored" }),
		"windows by value date":       with(func(o *sandbox.Options) { o.Readings.SinceCompares = "value_date" }),
		"corrections of long ago":     with(func(o *sandbox.Options) { o.OldCorrections = 3 }),
		"bookings that were reserved": with(func(o *sandbox.Options) { o.Readings.Pending = "undated" }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, dir := newBank(t, o), t.TempDir()
			b.night(t, dir, seldom)
			for range 3 {
				b.Night()
				b.night(t, dir, seldom)
			}
			behind := 0
			l := openLake(t, dir)
			for _, tb := range tables {
				if !tb.history && differences(tb, collect(b.Truth(tb.name)), l.current(t, tb)) != "" {
					behind++
				}
			}
			l.close()
			// What is reserved, and windows by value date, may be looked after at once.
			if behind == 0 && o.Readings.Pending+o.Readings.SinceCompares == "" {
				t.Error("the lake is the truth before any refresh: nothing is shown")
			}
			var refreshed [8]int64
			for night := range refreshed {
				rep := b.night(t, dir, settings{later: time.Duration(night+1) * 24 * time.Hour, job: []string{"full_refresh_every: 168h"}})
				for _, s := range rep.Streams {
					refreshed[night] += s.Refreshed
					if s.Pulled != s.Refreshed {
						t.Errorf("night %d: %+v", night, s)
					}
				}
			}
			if refreshed[7] != 0 {
				t.Errorf("refreshes went on after the period: %v", refreshed)
			}
			rows := checkLake(t, dir, b)
			t.Logf("%d tables were behind; refreshes night for night: %v; %d rows equal the truth", behind, refreshed, rows)
		})
	}
}
