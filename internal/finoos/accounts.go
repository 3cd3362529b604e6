package finoos

import (
	"context"
	"time"
)

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

// BankLogin is a user's connection to one bank, and how its last
// synchronisation ended.
type BankLogin struct {
	ID, Status          string
	Active              Null[bool] // still synchronised in the background
	LastSynchronization time.Time
	Record
}

var loginSchema = newSchema("bank login", func(l *BankLogin, r Record) { l.Record = r },
	ident("bankLoginId", func(l *BankLogin) *string { return &l.ID }),
	text("status", func(l *BankLogin) *string { return &l.Status }),
	flag("active", func(l *BankLogin) *Null[bool] { return &l.Active }),
	instant("lastSynchronization", func(l *BankLogin) *time.Time { return &l.LastSynchronization }),
)

// Logins returns the bank logins of a user.
func (c *Client) Logins(ctx context.Context, userID string) (*List[BankLogin], error) {
	return listOf(ctx, c, opLogins, userID, loginSchema, "logins", "bankLogins")
}
