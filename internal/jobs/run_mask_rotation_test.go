package jobs

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/sink/bucket"
)

const otherMaskKey = "mask_key: fedcba9876543210fedcba9876543210"

// TestNobodyIsWrittenUnderOtherIDs has users whom the lake does not know yet come first: under
// another key nothing is written of them either, or the lake would belong to two keys and be
// refused under each.
func TestNobodyIsWrittenUnderOtherIDs(t *testing.T) {
	t.Parallel()
	const all = "mask: {all: {user_id: hmac}}"
	for name, after := range map[string][]string{"another key": {all, otherMaskKey}, "no mask": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(6), func(b *bank) {
				o := b.options(b.config(all, maskKey))
				o.Users = []string{b.UserID(0)}
				if _, err := b.try(b.t.Context(), o); err != nil {
					b.t.Fatal(err)
				}
				rows := len(b.rows("accounts"))
				if _, err := b.plan(b.options(b.config(after...)), true); err == nil || !strings.Contains(err.Error(), "user_id is masked") {
					b.t.Errorf("the plan says %v", err)
				}
				o = b.options(b.config(after...))
				o.Users = []string{b.UserID(1), b.UserID(2)}
				if _, err := b.stops(b.t.Context(), ReasonConfig, o); !strings.Contains(err.Error(), "nothing was written") {
					b.t.Error(err)
				}
				if got := len(b.rows("accounts")); got != rows {
					b.t.Errorf("%d rows of accounts, before %d", got, rows)
				}
				b.run(all, maskKey)
			})
		})
	}
}

// TestAttemptsAreNotSettledUnderOtherIDs has a run die while banks are at work, and the next
// one with another key: its rows of what is not known would be of nobody.
func TestAttemptsAreNotSettledUnderOtherIDs(t *testing.T) {
	t.Parallel()
	const all = "mask: {all: {user_id: hmac}}"
	inBubble(t, banktest.Steady(3), func(b *bank) {
		b.run(all, maskKey)
		b.Night()
		k := &killable{}
		k.left.Store(-1)
		ctx, cancel := context.WithCancel(b.t.Context())
		defer cancel()
		asked := b.countPosts(func(*http.Request, *http.Response) (*http.Response, error) {
			k.dead.Store(true)
			cancel()
			return nil, io.ErrUnexpectedEOF
		})
		b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return k }
		_, _ = b.try(ctx, b.options(b.config(askingAll, all, maskKey)))
		if len(asked.take()) == 0 || len(b.notes()) == 0 {
			b.t.Fatal("no bank was asked")
		}
		b.wrap = nil
		b.expire()
		records := len(b.log())
		if _, err := b.stops(b.t.Context(), ReasonConfig, b.options(b.config(askingAll, all, otherMaskKey))); len(b.rows("sync_sessions")) > 0 || len(b.log()) > records {
			b.t.Errorf("%v: and %d rows of sync_sessions", err, len(b.rows("sync_sessions")))
		}
	})
}

// TestAVanishedDayIsDeletedWhateverIsRemembered has balances that nothing is hidden of: what is
// remembered of them cannot be read all the same, under another key or none.
func TestAVanishedDayIsDeletedWhateverIsRemembered(t *testing.T) {
	t.Parallel()
	for name, after := range map[string][]string{"another key": {"mask: {accounts: {iban: hmac}}", otherMaskKey}, "no mask": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(2), func(b *bank) {
				const job = "streams: [users, accounts, account_history]"
				b.transport = b.daily("2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04")
				b.run(job, "mask: {accounts: {iban: hmac}}", maskKey)
				b.Night()
				b.transport = b.daily("2026-10-01", "2026-10-03", "2026-10-04")
				b.run(append([]string{job}, after...)...)
				want := []string{"2026-10-01", "2026-10-03", "2026-10-04"}
				if got := b.currentDays(b.UserID(0)); !slices.Equal(got, want) {
					b.t.Errorf("days %v, want %v", got, want)
				}
			})
		})
	}
}

// TestOtherHashesOfAVoidedNightLeaveNothingBeside has the night with another key be taken back.
func TestOtherHashesOfAVoidedNightLeaveNothingBeside(t *testing.T) {
	t.Parallel()
	const all, streams = "mask: {all: {account_id: hmac}}", "streams: [users, accounts, account_history]"
	inBubble(t, banktest.Steady(2), func(b *bank) {
		b.transport = b.daily("2026-10-01", "2026-10-02", "2026-10-03")
		b.run(all, maskKey, streams)
		b.Night()
		b.loses("account_history", all, otherMaskKey, streams)
		b.run(all, otherMaskKey, streams)
		full, days := "", 0
		for _, p := range b.seen("pulls") {
			if p["stream"] == "account_history" && p["mode"] == "full" && p["user_id"] == b.UserID(0) {
				full = max(full, p["_extracted_at"])
			}
		}
		for _, row := range b.seen("account_history") {
			if row["user_id"] == b.UserID(0) && row["_extracted_at"] >= full {
				days++
			}
		}
		if full == "" || days != 3 {
			b.t.Errorf("%d days since %q", days, full)
		}
	})
}

// TestAMaskThatComesLaterHidesWhatIsRememberedOfLogins has sync sessions of before the mask.
func TestAMaskThatComesLaterHidesWhatIsRememberedOfLogins(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(2), func(b *bank) {
		b.run(askingAll)
		b.Night()
		for range 2 {
			b.run("mask: {all: {bank_login_id: hmac}}", maskKey)
			b.Night()
		}
		logins := b.textsOf("bank_logins", "bank_login_id")
		for u, streams := range b.cursors() {
			for s, c := range streams {
				for id := range logins {
					if strings.Contains(string(c.State), id) {
						b.t.Errorf("the cursor of %s of %s names login %s", s, u, id)
					}
				}
			}
		}
	})
}
