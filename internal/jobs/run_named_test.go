package jobs

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

func TestNobodyWaitsForOwnPathsBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(60), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(60)...)
		b.run(few)
		for u := range 28 {
			at.hidden[b.UserID(u)] = true
		}
		at.shut = ownPaths(http.StatusServiceUnavailable) //nolint:bodyclose // it makes answers, and reads none
		b.Night()
		began := time.Now()
		rep, err := b.try(t.Context(), b.options(b.config(few, "deadline: 30s")))
		if took := time.Since(began); took > 40*time.Second || rep.Users.Gone != 0 || rep.Users.Failed != 0 {
			t.Errorf("%s, %v: %+v", took, err, rep.Users)
		}
		at.shut = nil
		b.Night()
		if rep := b.run(few); rep.Users.Pulled+rep.Users.Unchanged != 60 {
			t.Errorf("the night after: %+v", rep.Users)
		}
	})
}

// ownPaths answers the own path of every user with a status.
func ownPaths(status int) func(path string) *http.Response {
	return func(path string) *http.Response {
		if strings.HasPrefix(path, "/users/") && strings.Count(path, "/") == 2 {
			return answerOf(nil, status, `{}`)
		}
		return nil
	}
}

func TestOwnPathsThatAllFailCostOneNightInPart(t *testing.T) {
	t.Parallel()
	for _, hidden := range []int{2, 5, 25} {
		for _, status := range []int{403, 500, 503} {
			if raceEnabled && (hidden != 5 || status == 403) {
				continue
			}
			inBubble(t, banktest.Still(60), func(b *bank) {
				t, at := b.t, newTown(b)
				at.are(upTo(60)...)
				b.run(few, lenient)
				for u := range hidden {
					at.hidden[b.UserID(u)] = true
				}
				at.shut = ownPaths(status) //nolint:bodyclose // it makes answers, and reads none
				b.Night()
				rep, err := b.try(t.Context(), b.options(b.config(few, lenient)))
				if rep.Users.Gone != 0 || rep.Users.Pulled+rep.Users.Unchanged != int64(60-hidden) || hidden >= 3 && rep.Users.PassedOver != int64(hidden) || b.marks() != 0 {
					t.Errorf("%d hidden, %d: %v: %+v", hidden, status, err, rep.Users)
				}
				at.shut = nil
				b.Night()
				if rep := b.run(few); rep.Users.Pulled+rep.Users.Unchanged != 60 || rep.Outcome != "done" {
					t.Errorf("%d hidden, %d: the night after: %+v", hidden, status, rep.Users)
				}
				for id, cs := range b.cursors() {
					if cs[config.StreamUsers].Failures != 0 {
						t.Errorf("%s has failed still", id)
					}
				}
			})
		}
	}
}
