package pull

import (
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

func TestTheIssuesOfAPullAreItsCountsOrNull(t *testing.T) {
	t.Parallel()
	res := &Result{User: "u", Stream: config.StreamTransactions, Outcome: Pulled}
	if got := res.Row().Issues; got != "" {
		t.Errorf("of none: %s", got)
	}
	res.Issues = Issues{Inexact: 2, NoAccount: 1}
	if got, want := res.Row().Issues, `{"inexact":2,"no_account":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	res.Forget()
	if got := res.Row().Issues; got != "" {
		t.Errorf("of what was taken back: %s", got)
	}
}

// What it remembers was made by another rule: compared with that, nothing would
// be the same, or by chance something that is not.
func TestACursorOfAnotherHashVersionIsReadInFull(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	r := &Reader{Job: &config.Job{FullRefreshEvery: aWeek}, Now: func() time.Time { return now }}
	c := cursors.Cursor{UserID: "u", FullAt: now, HashVersion: finoos.HashVersion, Whole: true}
	if r.MustBeFull(c) {
		t.Error("one of this version must be full")
	}
	for _, version := range []int{0, finoos.HashVersion - 1, finoos.HashVersion + 1} {
		c.HashVersion = version
		if !r.MustBeFull(c) || !r.WantsFull(c) {
			t.Errorf("one of version %d need not be full", version)
		}
	}
}

// A replica may show the id of an analysis and answer with what was there before it.
func TestWhatIsReadWithinAnHourOfAnAnalysisIsNotTakenForWhole(t *testing.T) {
	t.Parallel()
	for began, want := range map[time.Duration]bool{
		0: false, 59 * time.Minute: false, time.Hour: true, 5 * time.Hour: true, -30 * time.Minute: false, -2 * time.Hour: true,
	} {
		res := &Result{User: "u", Stream: config.StreamContracts, Outcome: Pulled, Correlation: finoos.Correlation{ID: "a", At: thatNight.Add(-began)}, unfiltered: true, Whole: true}
		c, moved := res.Cursor(cursors.Cursor{UserID: "u"}, thatNight)
		if !moved || c.Whole != want || !c.FullAt.Equal(thatNight) {
			t.Errorf("%s after it began: whole %v, in full at %s", began, c.Whole, c.FullAt)
		}
	}
	res := &Result{User: "u", Stream: config.StreamContracts, Outcome: Pulled, Correlation: finoos.Correlation{ID: "a"}, unfiltered: true}
	if c, _ := res.Cursor(cursors.Cursor{UserID: "u"}, thatNight); !c.Whole {
		t.Error("one that does not tell when it began is never whole")
	}
}
