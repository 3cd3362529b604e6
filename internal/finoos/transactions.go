package finoos

import (
	"context"
	"net/url"
	"time"
)

// Transaction is a booking on an account. Dates are midnight UTC of the day as
// the API wrote it, whatever its offset; zero is null.
type Transaction struct {
	ID, AccountID                              string
	Amount                                     Number
	Currency                                   string
	BookingDate, ValueDate                     time.Time
	BookingText, Purpose, MerchantCategoryCode string

	PartnerName, PartnerIBAN, PartnerBIC       string
	PartnerCreditorID, PartnerMandateReference string

	Tags []string
	Record
}

// TransactionQuery bounds a listing of transactions. Both ends are instants and
// inclusive; zero is unbounded.
type TransactionQuery struct {
	Since, Until time.Time
}

var transactionSchema = newSchema("transaction", func(t *Transaction, r Record) { t.Record = r },
	ident("transactionId", func(t *Transaction) *string { return &t.ID }),
	ident("accountId", func(t *Transaction) *string { return &t.AccountID }),
	number("amount", func(t *Transaction) *Number { return &t.Amount }),
	text("currency", func(t *Transaction) *string { return &t.Currency }),
	day("bookingDate", func(t *Transaction) *time.Time { return &t.BookingDate }),
	day("valueDate", func(t *Transaction) *time.Time { return &t.ValueDate }),
	text("bookingText", func(t *Transaction) *string { return &t.BookingText }),
	text("purpose", func(t *Transaction) *string { return &t.Purpose }),
	text("merchantCategoryCode", func(t *Transaction) *string { return &t.MerchantCategoryCode }),
	object("paymentPartner",
		text("name", func(t *Transaction) *string { return &t.PartnerName }),
		text("iban", func(t *Transaction) *string { return &t.PartnerIBAN }),
		text("bic", func(t *Transaction) *string { return &t.PartnerBIC }),
		text("creditorId", func(t *Transaction) *string { return &t.PartnerCreditorID }),
		text("mandateReference", func(t *Transaction) *string { return &t.PartnerMandateReference }),
	),
	tags("tags", func(t *Transaction) *[]string { return &t.Tags }),
)

// Transactions returns the transactions of a user, of all accounts.
func (c *Client) Transactions(ctx context.Context, userID string, q TransactionQuery) (*List[Transaction], error) {
	query := url.Values{}
	if !q.Since.IsZero() {
		query.Set("since", q.Since.Format(time.RFC3339))
	}
	if !q.Until.IsZero() {
		query.Set("until", q.Until.Format(time.RFC3339))
	}
	call, err := c.newCall(opTransactions, userID, "", query)
	if err != nil {
		return nil, err
	}
	return list(ctx, c, call, transactionSchema, "transactions")
}
