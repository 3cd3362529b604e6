package finoos

import "context"

// Account is a bank account of a user.
type Account struct {
	ID, Number, Name, Owner, Type string
	IBAN, BIC, BankCode, BankName string
	Currency                      string
	Balance                       Number
	Status, BankLoginID           string
	Record
}

var accountSchema = newSchema("account", func(a *Account, r Record) { a.Record = r },
	ident("accountId", func(a *Account) *string { return &a.ID }),
	text("accountNumber", func(a *Account) *string { return &a.Number }),
	text("name", func(a *Account) *string { return &a.Name }),
	text("owner", func(a *Account) *string { return &a.Owner }),
	text("type", func(a *Account) *string { return &a.Type }),
	text("iban", func(a *Account) *string { return &a.IBAN }),
	text("bic", func(a *Account) *string { return &a.BIC }),
	text("bankCode", func(a *Account) *string { return &a.BankCode }),
	text("bankName", func(a *Account) *string { return &a.BankName }),
	text("currency", func(a *Account) *string { return &a.Currency }),
	number("balance", func(a *Account) *Number { return &a.Balance }),
	text("status", func(a *Account) *string { return &a.Status }),
	text("bankLoginId", func(a *Account) *string { return &a.BankLoginID }),
)

// Accounts returns the accounts of a user.
func (c *Client) Accounts(ctx context.Context, userID string) (*List[Account], error) {
	return listOf(ctx, c, opAccounts, userID, accountSchema, "accounts")
}
