package finoos

import (
	"context"
	"time"
)

// AccountHistory is the end-of-day balances of one account. Its Hash is 0: each
// balance has its own.
type AccountHistory struct {
	AccountID, Currency string
	Balances            []Balance
	Record
}

// Balance is the balance of an account at the end of one day.
type Balance struct {
	Date    time.Time // midnight UTC of the day as written
	Balance Number
	Hash    uint64
	Extra   string
}

var balanceSchema = newSchema("balance", func(b *Balance, r Record) { b.Hash, b.Extra = r.Hash, r.Extra },
	day("date", func(b *Balance) *time.Time { return &b.Date }).require(),
	number("balance", func(b *Balance) *Number { return &b.Balance }),
)

var historySchema = newSchema("account history", func(h *AccountHistory, r Record) { h.Record = r },
	ident("accountId", func(h *AccountHistory) *string { return &h.AccountID }),
	text("currency", func(h *AccountHistory) *string { return &h.Currency }),
	records("balances", balanceSchema, func(h *AccountHistory) *[]Balance { return &h.Balances }),
).unhashed().reuse(func(h *AccountHistory) { *h = AccountHistory{Balances: h.Balances[:0]} })

// AccountHistory returns the daily balances of a user's accounts.
func (c *Client) AccountHistory(ctx context.Context, userID string) (*List[AccountHistory], error) {
	return listOf(ctx, c, opAccountHistory, userID, historySchema, "histories")
}
