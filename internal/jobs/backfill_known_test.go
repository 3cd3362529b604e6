package jobs

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

func TestWhomOnlyABackfillHasMetIsNotKnown(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		t := b.t
		before := b.Now()
		b.fill(b.backfillOptions("2026-10-01", few))
		if s := b.status(few); s.Users.Known != 0 || len(s.Streams) != 0 {
			t.Errorf("status knows %d users, streams %v", s.Users.Known, s.Streams)
		}
		p, err := MakePlan(t.Context(), b.options(b.config(few)), true)
		if err != nil || p.Users.Listed != 0 || p.Users.Missing != 0 {
			t.Errorf("plan: %+v, %v", p.Users, err)
		}
		if err := b.Delete(b.UserID(0)); err != nil {
			t.Fatal(err)
		}
		b.Night()
		o := b.options(b.config(few))
		o.Users = []string{b.UserID(0)}
		if _, err := b.stops(t.Context(), ReasonConfig, o); !strings.Contains(err.Error(), "neither the API nor the lake") {
			t.Error(err)
		}
		o.Users = nil
		slow := o.Now
		o.Now = func() time.Time { return slow().AddDate(0, 0, -7) } // a clock that is slow hides nothing all the same
		if rep, err := b.try(t.Context(), o); err != nil || rep.Users.Pulled != 1 || rep.Users.Gone != 0 {
			t.Errorf("%+v, %v", rep.Users, err)
		}
		c := b.cursors()[b.UserID(1)][config.StreamContracts]
		if c.MarkOnly || c.Backfilled || !c.ExtractedAt.After(before) {
			t.Errorf("after the first pull: %+v", c)
		}
	})
}

func TestAFirstPullThatHasNotSeenABackfillLeavesItsMark(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(1), func(b *bank) {
		t := b.t
		filled := false
		b.transport = via{b.Sandbox.Transport(), func(r *http.Request) (*http.Response, error) {
			if !filled && strings.HasSuffix(r.URL.Path, "/users") {
				filled = true
				if _, err := Backfill(t.Context(), b.backfillOptions("2026-10-01", few)); err != nil {
					t.Errorf("backfill: %v", err)
				}
			}
			return nil, nil
		}}
		b.run(few)
		if c := b.cursors()[b.UserID(0)][config.StreamContracts]; !c.Backfilled || c.MarkOnly || c.FullAt.IsZero() {
			t.Errorf("%+v", c)
		}
	})
}
