package jobs

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banktest"
)

// Of each stage the slowest users are kept to the end, and users who are tried again.
func TestAUserKeepsNothingOfTheList(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(1), func(b *bank) {
		t := b.t
		id := strings.Repeat("the texts of all users", 10)[:6]
		u := newUser(id, &finoos.User{ID: id}, nil)
		if u.ID != id || unsafe.StringData(u.ID) == unsafe.StringData(id) {
			t.Errorf("the id %q is a part of the list", u.ID)
		}
		n, err := newNightly(b.options(b.config("streams: [contracts]", "sync: {when: never}")))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.begin(t.Context(), u); err != nil || u.Listed != nil {
			t.Errorf("%v: what the list says is kept beyond the beginning: %v", err, u.Listed)
		}
	})
}

func TestABackfillThatBeginsAtMidnightIsOfOneDay(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(1), func(b *bank) {
		t := b.t
		o := b.backfillOptions("2026-10-01")
		day := time.Date(2026, 11, 19, 23, 59, 59, 0, o.Config.Jobs["nightly"].Timezone)
		o.Now = func() time.Time {
			day = day.AddDate(0, 0, 1)
			return day
		}
		f, err := newFilling(o)
		if err != nil {
			t.Fatal(err)
		}
		if !f.reachesPresent() {
			t.Errorf("it goes up to %s, and began at %v", f.def.Until, f.def.CreatedAt)
		}
	})
}
