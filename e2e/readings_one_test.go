package e2e

import (
	"cmp"
	"fmt"
	"path/filepath"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
)

// TestThirtyNightsOfOneServiceAreTheTruthTwoWeeksLater runs a month of a job that asks one
// service, of users of whom a fifth changes each night, and two weeks in which nothing
// does: then every row is the truth.
func TestThirtyNightsOfOneServiceAreTheTruthTwoWeeksLater(t *testing.T) { //nolint:tparallel // the lakes are compared once all are there
	t.Parallel()
	settings := []string{"", "correlation_ids=per_service,services=hours", "services=stuck_some", "services=retagged"}
	dir := t.TempDir()
	readers := readMonths(t, dir, settings)
	if t.Failed() {
		return
	}
	for i, verdicts := range judge(t, dir, readers) {
		last := verdicts[len(verdicts)-1]
		if last.exit != 0 || len(last.gaps) > 0 {
			t.Errorf("%q: exit code %d, %d gaps two weeks later, such as %v", settings[i], last.exit, len(last.gaps), last.gaps[:min(1, len(last.gaps))])
		}
		t.Logf("%q: %d gaps after %d nights, none two weeks later", settings[i], len(verdicts[0].gaps), month)
	}
}

const month = 30

// readMonths reads so many nights under each of some settings, side by side.
func readMonths(t *testing.T, dir string, settings []string) []*reader {
	t.Helper()
	const users = 30
	readers := make([]*reader, len(settings))
	t.Run("nights", func(t *testing.T) {
		for i, setting := range settings {
			t.Run(cmp.Or(setting, "as given"), func(t *testing.T) {
				t.Parallel()
				readings, err := sandbox.ParseReadings(setting)
				if err != nil {
					t.Fatal(err)
				}
				r := newReaderOf(t, filepath.Join(dir, fmt.Sprint("lake", i)), readings, users, 0.19)
				r.job = []string{"probe: one"}
				for range month - 1 {
					r.since = append(r.since, r.run(t).report.RunID)
					r.Night()
				}
				r.night(t)
				r.quietNights(t, twoWeeks)
				readers[i] = r
			})
		}
	})
	return readers
}
