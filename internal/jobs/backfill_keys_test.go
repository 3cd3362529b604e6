package jobs

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
)

func TestABackfillTellsAccountsAndCurrenciesApart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		readings sandbox.Readings
		streams  string
	}{
		"an id in two accounts":    {sandbox.Readings{TransactionIDs: "shared"}, "transactions"},
		"an account in currencies": {sandbox.Readings{History: "currency"}, "account_history"},
		"no currency":              {sandbox.Readings{History: "no_currency"}, "account_history"},
		"tags of no account":       {sandbox.Readings{TagAccounts: "missing"}, "transactions, categorization"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(6)
			o.Readings = tc.readings
			inBubble(t, o, func(b *bank) {
				o := b.backfillOptions("2026-03-10", "streams: ["+tc.streams+"]")
				o.Until = "2026-08-09"
				rep := b.fill(o)
				want := b.inRange("2026-03-10", "2026-08-09")
				maps.DeleteFunc(want, func(table string, _ int64) bool { return !strings.Contains(tc.streams, table) })
				if diff := cmp.Diff(want, b.brought(rep)); diff != "" || len(want) == 0 {
					b.t.Errorf("rows (-truth +brought):\n%s", diff)
				}
			})
		})
	}
}

func TestATagIsOfTheTransactionOfItsAccount(t *testing.T) {
	t.Parallel()
	ids := map[uint64]struct{}{}
	addBooking(ids, &finoos.Transaction{AccountID: "giro", ID: "t"})
	addBooking(ids, &finoos.Transaction{ID: "of no account"})
	for _, tt := range []struct {
		account, id string
		want        bool
	}{
		{"giro", "t", true},
		{"", "t", true},
		{"savings", "t", false}, // the same id, on a day out of the range
		{"giro", "u", false},
		{"giro", "of no account", true},
		{"", "of no account", true},
	} {
		if got := isTagged(ids, &finoos.Categorization{AccountID: tt.account, TransactionID: tt.id}); got != tt.want {
			t.Errorf("a tag of %q in account %q is taken: %v, want %v", tt.id, tt.account, got, tt.want)
		}
	}
}

func TestABackfillThatDoesNotFitIntoMemoryBringsTheSame(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		o := b.backfillOptions("2026-03-10")
		o.Until = "2026-08-09"
		for _, job := range o.Config.Jobs {
			job.MaxInflightBytes = 1
		}
		rep := b.fill(o)
		if diff := cmp.Diff(b.inRange("2026-03-10", "2026-08-09"), b.brought(rep)); diff != "" {
			b.t.Errorf("rows (-truth +brought):\n%s", diff)
		}
	})
}
