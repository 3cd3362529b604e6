package finoos

import (
	"context"
	"time"
)

// AccountHistory is the end-of-day balances of one account.
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

func (c *Client) AccountHistory(ctx context.Context, userID string) (*List[AccountHistory], error) {
	panic("todo")
}
