package jobs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/table"
)

// current are the rows of a table that stand now, of the newest full pull and after,
// counted by what they say in a column.
func (b *bank) current(tab, column string) map[string]int {
	b.t.Helper()
	full, stream := map[string]string{}, tab
	for _, p := range b.rows("pulls") {
		if p["stream"] == stream && p["outcome"] == "pulled" && p["mode"] == "full" && p["_extracted_at"] > full[p["user_id"]] {
			full[p["user_id"]] = p["_extracted_at"]
		}
	}
	newest, key := map[string]map[string]string{}, table.ByName(tab).Key
	for _, row := range b.rows(tab) {
		if row["_extracted_at"] < full[row["user_id"]] {
			continue
		}
		var k strings.Builder
		for _, c := range key {
			k.WriteString(row[c] + "\x00")
		}
		if was := newest[k.String()]; was == nil || row["_extracted_at"] > was["_extracted_at"] {
			newest[k.String()] = row
		}
	}
	count := map[string]int{}
	for _, row := range newest {
		if row["_op"] != "delete" {
			count[row[column]]++
		}
	}
	return count
}

// TestAnotherMaskIsAFullPullOfEveryStreamThatItHides has a night on which nobody was
// analysed anew: all are quiet.
func TestAnotherMaskIsAFullPullOfEveryStreamThatItHides(t *testing.T) {
	t.Parallel()
	const other = "mask_key: fedcba9876543210fedcba9876543210"
	all := "mask: {all: {account_id: hmac}}"
	for _, tt := range []struct {
		name            string
		before, after   []string
		remasked, quiet []config.Stream
	}{
		{"a first one", nil, []string{"mask: {accounts: {iban: hmac}}", maskKey}, []config.Stream{"accounts"}, []config.Stream{"transactions", "contracts", "account_history"}},
		{"a first one, without a key", nil, []string{"mask: {accounts: {iban: drop}}"}, []config.Stream{"accounts"}, []config.Stream{"transactions", "contracts", "account_history"}},
		{"none any more", []string{"mask: {contracts: {category: hmac}}", maskKey}, nil, []config.Stream{"contracts"}, []config.Stream{"accounts", "transactions", "account_history"}},
		{"another key", []string{all, maskKey}, []string{all, other}, []config.Stream{"accounts", "transactions", "categorization", "contracts", "account_history"}, nil},
		{"the same", []string{all, maskKey}, []string{all, maskKey}, nil, []config.Stream{"accounts", "transactions", "contracts", "account_history"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(2), func(b *bank) {
				b.run(append([]string{"categorization: full"}, tt.before...)...)
				b.Night()
				accounts := len(b.current("account_history", "account_id"))
				days := 0
				for _, n := range b.current("account_history", "account_id") {
					days += n
				}
				rep := b.run(append([]string{"categorization: full"}, tt.after...)...)
				for _, s := range tt.remasked {
					if got := rep.Streams[s]; got.Pulled != 2 || got.Rows == 0 {
						b.t.Errorf("%s: %+v", s, got)
					}
				}
				for _, s := range tt.quiet {
					if got := rep.Streams[s]; got.Pulled != 0 {
						b.t.Errorf("%s was read though nothing of it is hidden in another way: %+v", s, got)
					}
				}
				remasked := int64(2 * len(tt.remasked))
				if strings.Contains(tt.name, "key") && tt.after[0] == all { // the list and the logins, too
					remasked += 4
				}
				if rep.Remasked != remasked {
					b.t.Errorf("%d streams were counted, want %d", rep.Remasked, remasked)
				}
				now := 0
				for _, n := range b.current("account_history", "account_id") {
					now += n
				}
				if got := len(b.current("account_history", "account_id")); got != accounts || now != days {
					b.t.Errorf("balances of %d accounts on %d days, before of %d on %d", got, now, accounts, days)
				}
				b.Night()
				if again := b.run(append([]string{"categorization: full"}, tt.after...)...); again.Remasked != 0 || again.Streams["accounts"].Pulled != 0 {
					b.t.Errorf("and the night after: %+v", again.Streams["accounts"])
				}
			})
		})
	}
}

func TestIDsOfUsersAreMaskedFromTheFirstRowOnOrNever(t *testing.T) {
	t.Parallel()
	const all, other = "mask: {all: {user_id: hmac}}", "mask_key: fedcba9876543210fedcba9876543210"
	for _, tt := range []struct {
		name          string
		before, after []string
		refused       bool
	}{
		{"masked later", nil, []string{all, maskKey}, true},
		{"no longer masked", []string{all, maskKey}, nil, true},
		{"by another key", []string{all, maskKey}, []string{all, other}, true},
		{"masked as before", []string{all, maskKey}, []string{all, maskKey}, false},
		{"and something else", []string{all, maskKey}, []string{"mask: {all: {user_id: hmac}, accounts: {iban: drop}}", maskKey}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(3), func(b *bank) {
				b.run(tt.before...)
				rows := len(b.rows("accounts")) + len(b.rows("users"))
				b.Night()
				if !tt.refused {
					b.run(tt.after...)
					return
				}
				_, err := b.stops(b.t.Context(), ReasonConfig, b.options(b.config(tt.after...)))
				if !strings.Contains(err.Error(), "user_id") || len(b.rows("accounts"))+len(b.rows("users")) != rows {
					b.t.Errorf("%v, and rows were written", err)
				}
			})
		})
	}
}

// TestAMaskedJobFindsTheSameChangesAsAnother runs jobs side by side that hide nothing,
// something by a key, and something without one.
func TestAMaskedJobFindsTheSameChangesAsAnother(t *testing.T) {
	t.Parallel()
	users := 4
	if raceEnabled {
		users = 2
	}
	o := banktest.Steady(users)
	o.RemoveTags = true
	inBubble(t, o, func(b *bank) {
		lakes := [][]string{
			nil,
			{"mask: {all: {account_id: hmac, transaction_id: hmac, contract_id: hmac, bank_login_id: hmac}, accounts: {iban: hmac}, categorization: {tag: hmac}}", maskKey},
			{"mask: {bank_logins: {_extra: drop}, accounts: {bic: drop}, transactions: {merchant_category_code: drop}, categorization: {_extra.none: drop}, " +
				"contracts: {duration: drop}, account_history: {_extra.none: drop}, users: {_extra.none: drop}}"},
		}
		dirs := []string{b.t.TempDir(), b.t.TempDir(), b.t.TempDir()}
		for night := range 4 {
			want := ""
			for i, lines := range lakes {
				b.dir = dirs[i]
				rep := b.run(append([]string{"categorization: full"}, lines...)...)
				var counts strings.Builder
				for _, s := range config.Streams() {
					if is := rep.Streams[s]; is != nil {
						fmt.Fprintf(&counts, "%s: %d rows, %d deletes\n", s, is.Rows, is.Deletes)
					}
				}
				got := counts.String()
				if i == 0 {
					want = got
				} else if got != want {
					b.t.Errorf("night %d, lake %d wrote\n%swant\n%s", night, i, got, want)
				}
			}
			b.Night()
		}
	})
}

// TestAnAttemptNamesNoLoginThatIsMasked has a run die while banks are at work: what it has
// noted names no login, and the next run settles it all the same.
func TestAnAttemptNamesNoLoginThatIsMasked(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(6), func(b *bank) {
		lines := []string{askingAll, "streams: [contracts]", "mask: {all: {bank_login_id: hmac}}", maskKey}
		logins := b.textsOf("bank_logins", "bank_login_id")
		nowhere := func(when string) {
			for id := range logins {
				if key := finds(b.objects(), id); key != "" {
					b.t.Errorf("%s a login stands in %s", when, key)
				}
			}
		}
		k := &killable{}
		k.left.Store(-1)
		ctx, cancel := context.WithCancel(b.t.Context())
		defer cancel()
		asked := b.countPosts(func(*http.Request, *http.Response) (*http.Response, error) {
			k.dead.Store(true) // with the bank at work
			cancel()
			return nil, io.ErrUnexpectedEOF
		})
		b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return k }
		_, _ = b.try(ctx, b.options(b.config(lines...)))
		first := asked.take()
		if len(first) == 0 || len(b.notes()) == 0 {
			b.t.Fatalf("%d sessions, %d notes", len(first), len(b.notes()))
		}
		nowhere("while banks are asked")
		b.wrap = nil
		b.expire()
		rep := b.run(lines...)
		nowhere("afterwards")
		second := asked.take()
		for login := range first {
			if second[login] > 0 {
				b.t.Errorf("%s was asked for again", login)
			}
		}
		seen := map[string]bool{}
		for _, row := range b.rows("sync_sessions") {
			seen[row["bank_login_id"]] = true
		}
		if len(seen) != len(logins) || rep.SyncSessions["unknown"] < int64(len(first)) {
			b.t.Errorf("sessions of %d logins, of which there are %d: %v", len(seen), len(logins), rep.SyncSessions)
		}
	})
}
