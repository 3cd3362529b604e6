package finoos

import (
	"context"
	"time"
)

// AccountHistory is the end-of-day balances of one account. Its Hash is 0: each
// balance has its own.
type AccountHistory struct {
	AccountID, Currency string
	Balances            []Balance // those of which the day is known
	// Undated counts the others, which are among the unreadable. Listed is false
	// where balances are null, missing or no list.
	Undated int  `json:",omitempty"`
	Listed  bool `json:"-"`
	Record
}

// Complete reports whether all of this entry's days are known, so that a day
// which is not there may be missed.
func (h *AccountHistory) Complete() bool { return h.Listed && h.Undated == 0 }

// Balance is the balance of an account at the end of one day.
type Balance struct {
	Date    time.Time // midnight UTC of the day as written
	Balance Number
	Hash    uint64
	Extra   string

	Unreadable int `json:",omitempty"` // see [Record]
	Replaced   int `json:",omitempty"`
}

var balanceSchema = newSchema("balance", func(b *Balance, r Record) {
	b.Hash, b.Extra, b.Unreadable, b.Replaced = r.Hash, r.Extra, r.Unreadable, r.Replaced
},
	day("date", func(b *Balance) *time.Time { return &b.Date }),
	number("balance", func(b *Balance) *Number { return &b.Balance }),
)

var historySchema = newSchema("account history", func(h *AccountHistory, r Record) { h.Record = r },
	ident("accountId", func(h *AccountHistory) *string { return &h.AccountID }),
	text("currency", func(h *AccountHistory) *string { return &h.Currency }).key(),
	records[AccountHistory, Balance]("balances", balanceSchema, historyDays{}),
).unhashed().reuse(func(h *AccountHistory) { *h = AccountHistory{Balances: h.Balances[:0]} })

// historyDays are the days of an entry. A balance without its day has no key, and
// so no place in the table.
type historyDays struct{}

func (historyDays) list(h *AccountHistory) *[]Balance {
	h.Listed = true
	return &h.Balances
}

func (historyDays) fits(_ *AccountHistory, b *Balance) bool { return !b.Date.IsZero() }

func (historyDays) leaveOut(h *AccountHistory) { h.Undated++ }

// AccountHistory returns the daily balances of a user's accounts.
func (c *Client) AccountHistory(ctx context.Context, userID string) (*List[AccountHistory], error) {
	return listOf(ctx, c, opAccountHistory, userID, historySchema, "histories")
}
