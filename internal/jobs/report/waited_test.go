package report

import (
	"testing"

	"finoos-syncer/internal/trouble"
)

func TestWhatWasWaitedForIsToldTheLongestFirst(t *testing.T) {
	t.Parallel()
	r := &Report{Waited: map[trouble.Kind]trouble.Count{
		trouble.Pause: {Times: 2, Seconds: 30.2}, trouble.Network: {Times: 1, Seconds: 130, Tries: 8320}, "of_a_later_version": {Times: 1, Seconds: 5},
	}}
	want := "no answer, 2 min 10 s (8,320 failed); pause asked for, 30 s (2 times); of_a_later_version, 5.0 s"
	if got := r.WaitedText(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := new(Report).WaitedText(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestRowsThatWereNotKeptAreNotSaidToBeOfNobody(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]*NotKept{
		"45 rows": {Rows: 45}, "45 rows of 1 user": {Rows: 45, Users: 1}, "0 rows of 2 users": {Users: 2},
	} {
		if got := n.What(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
