package pace

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// steps are refusals (a wait in seconds) and answers to others ("+") of one path.
func TestWhatIsRefusedAgainWhileOthersAreAnsweredIsRefusedAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wait  time.Duration
		steps string // r: refused, o: an answer to another path, a: to this one
		want  string // of each refusal: y or n
	}{
		"a long wait, again":               {time.Minute, "roooor" + "ooooor", "nny"},
		"a short wait takes one more":      {time.Second, "rooooorooooor", "nny"},
		"no wait told":                     {0, "rooooorooooorr", "nnyy"},
		"nobody else is answered":          {time.Minute, "rrrrr", "nnnnn"},
		"it was answered in between":       {time.Minute, "roooooaooooor", "nn"},
		"once alone, so is every later on": {time.Minute, "rooooorrr", "nyyy"},
	} {
		var r Refusals
		var got string
		for _, step := range test.steps {
			switch step {
			case 'o':
				r.Answered("other", false)
			case 'a':
				r.Answered("this", false)
			case 'r':
				got += map[bool]string{true: "y", false: "n"}[r.Personal("this", test.wait)]
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestOnceSomeAreKnownToBeRefusedAloneTheNextIsBelievedButNotTwo(t *testing.T) {
	t.Parallel()
	var r Refusals
	answers := func() {
		for range othersAnswered {
			r.Answered("other", false)
		}
	}
	answers()
	if r.Personal("one", time.Minute) {
		t.Error("nobody was known to be refused alone")
	}
	r.Answered("other", true) // a pause of everybody was for nothing
	answers()
	if r.Personal("short", time.Second) || r.Personal("none", 0) {
		t.Error("a short wait was believed")
	}
	answers()
	for i, want := range []bool{true, false, false} {
		if got := r.Personal(fmt.Sprint("right after ", i), time.Minute); got != want {
			t.Errorf("refusal %d right after the other: %v", i, got)
		}
	}
}

func TestPathsAreForgottenBeforeTheyCostMemory(t *testing.T) {
	t.Parallel()
	var r Refusals
	for i := range 3 * pathsKept {
		r.Personal(strconv.Itoa(i), time.Minute)
	}
	if len(r.paths) > pathsKept {
		t.Errorf("%d paths", len(r.paths))
	}
}
