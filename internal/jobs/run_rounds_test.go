package jobs

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

func TestAListedUserWhoComesBackInTheSecondRoundIsNotGone(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(30), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(30)...)
		b.run(few)
		b.Night()
		at.hidden[b.UserID(29)] = true
		lost, askedHidden := b.UserID(3), false
		at.shut = func(path string) *http.Response {
			user, rest, _ := strings.Cut(strings.TrimPrefix(path, "/users/"), "/")
			switch {
			case path == "/users/"+b.UserID(29):
				askedHidden = true
			case user == lost:
				if !strings.HasPrefix(path, "/users/") || !askedHidden && rest != "" {
					return answerOf(nil, http.StatusServiceUnavailable, `{}`)
				}
				return answerOf(nil, http.StatusNotFound, `{}`)
			case strings.HasSuffix(path, "/contracts/correlation") && !askedHidden:
				return answerOf(nil, http.StatusServiceUnavailable, `{}`)
			}
			return nil
		}
		rep, err := b.try(t.Context(), b.options(b.config("streams: [users, accounts, contracts]")))
		if rep.Users.Gone != 0 || rep.Users.Missing != 1 || rep.Users.Done() != 30 || b.marks() != 1 {
			t.Errorf("%v: %+v, %d marks", err, rep.Users, b.marks())
		}
	})
}

func TestAUserPassedOverAtItsInstantOfTheWeekIsAskedInTheNextRun(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(40), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(40)...)
		lines := []string{"streams: [users, accounts, contracts]", "probe: banking"}
		b.run(lines...)
		asked := map[string]bool{}
		down := true
		at.shut = func(path string) *http.Response {
			if !strings.HasSuffix(path, "/contracts/correlation") {
				return nil
			}
			if down {
				return answerOf(nil, http.StatusServiceUnavailable, `{}`)
			}
			asked[path] = true
			return nil
		}
		for range 7 {
			b.Night()
			_, _ = b.try(t.Context(), b.options(b.config(lines...)))
		}
		down = false
		b.Night()
		b.run(lines...)
		if len(asked) < 35 {
			t.Errorf("%d of 40 users were asked after a week without contracts", len(asked))
		}
	})
}

func TestADeadlineAmongThoseWhoComeBackIsNoRunThatIsDone(t *testing.T) {
	t.Parallel()
	o := banktest.Still(40)
	o.Faults.Latency = 1100 * time.Millisecond
	inBubble(t, o, func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(40)...)
		began := time.Now()
		at.shut = func(path string) *http.Response {
			if strings.HasSuffix(path, "/contracts/correlation") && time.Since(began) < 75*time.Second {
				return answerOf(nil, http.StatusServiceUnavailable, `{}`)
			}
			return nil
		}
		rep, err := b.try(t.Context(), b.options(b.config("streams: [users, accounts, contracts]", "concurrency: 1", "deadline: 110s")))
		pulled := int64(0)
		for _, cs := range b.cursors() {
			if !cs[config.StreamContracts].PulledAt.IsZero() || cs[config.StreamContracts].ErrorClass != "" {
				pulled++
			}
		}
		if pulled < 2 || pulled > 38 {
			t.Fatalf("%d were pulled", pulled)
		}
		if rep.CameThrough() || rep.Outcome != report.Deadline || rep.Unreached != 40-pulled {
			t.Errorf("%v: %s, %d pulled, %d unreached, %+v", err, rep.Outcome, pulled, rep.Unreached, rep.Users)
		}
	})
}
