package finoos

import (
	"context"
	"time"
)

// Transaction is a booking on an account. Dates are midnight UTC of the day as
// the API wrote it, whatever its offset; zero is null.
type Transaction struct {
	ID, AccountID                                                                    string
	Amount                                                                           Number
	Currency                                                                         string
	BookingDate, ValueDate                                                           time.Time
	BookingText, Purpose, MerchantCategoryCode                                       string
	PartnerName, PartnerIBAN, PartnerBIC, PartnerCreditorID, PartnerMandateReference string
	Tags                                                                             []string
	Record
}

// TransactionQuery bounds a listing of transactions; both ends are inclusive
// and zero is unbounded.
type TransactionQuery struct {
	Since, Until time.Time
}

func (c *Client) Transactions(ctx context.Context, userID string, q TransactionQuery) (*List[Transaction], error) {
	panic("todo")
}
