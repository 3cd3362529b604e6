package e2e

import (
	"fmt"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs"
)

var usersOnly = settings{job: []string{"streams: [users]"}}

func TestEveryUserComesOnceHoweverTheListIsPaged(t *testing.T) {
	t.Parallel()
	ends := []sandbox.End{sandbox.EndEmpty, sandbox.End204, sandbox.End404, sandbox.EndRepeat}
	shifts := []sandbox.Shift{sandbox.ShiftNone, sandbox.ShiftInsert, sandbox.ShiftShuffle}
	for _, first := range []int{sandbox.PageZero, 1} {
		for _, noContext := range []bool{false, true} {
			for i, end := range ends {
				// Each shift meets each end, each first page, each form of context.
				for _, shift := range []sandbox.Shift{shifts[i%3], shifts[(i+max(first, 0)+1)%3]} {
					o := sandbox.Options{
						Users: 30, PageSize: 7, FirstPage: first,
						Faults: sandbox.Faults{NoContext: noContext, End: end, Shift: shift},
					}
					t.Run(fmt.Sprintf("from %d, context %t, end %s, shift %q", max(first, 0), !noContext, end, shift), func(t *testing.T) {
						t.Parallel()
						everyUserOnce(t, newBank(t, o), o)
					})
				}
			}
		}
	}
}

// everyUserOnce runs twice: the second run meets every user again and must
// neither repeat nor lose one.
func everyUserOnce(t *testing.T, b *bank, o sandbox.Options) {
	t.Helper()
	dir := t.TempDir()
	tb := tableNamed("users")
	for range 2 {
		_, err := b.tryNight(t, dir, usersOnly)
		// Without a total nobody can tell users who come twice from those who
		// push others off the list.
		unsure := o.Faults.NoContext && o.Faults.Shift == sandbox.ShiftInsert
		if reason, ended := jobs.ReasonOf(err); ended != unsure || unsure && reason != jobs.ReasonPartial {
			t.Fatalf("run: %v", err)
		}
	}
	l := openLake(t, dir)
	defer l.close()
	want := collect(b.Truth("users"))
	if compare(t, tb, want, l.current(t, tb)) < 30 {
		t.Fatalf("only %d users in the truth", len(want))
	}
	if rows := l.count(t, "SELECT count(*) FROM users"); rows != int64(len(want)) {
		t.Errorf("%d rows for %d users who have not changed", rows, len(want))
	}
}

// A list from which users vanish while it is read skips others, and nobody can
// see it: whoever is known and was skipped must not be taken for gone.
func TestAUserSkippedByAShrinkingListIsNotTakenForGone(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{Users: 60, PageSize: 7})
	dir := t.TempDir()
	b.night(t, dir, usersOnly)
	b.misbehave(t, sandbox.Faults{Shift: sandbox.ShiftRemove})
	b.night(t, dir, usersOnly)
	tb := tableNamed("users")
	compare(t, tb, collect(b.Truth("users")), openLake(t, dir).current(t, tb))
}
