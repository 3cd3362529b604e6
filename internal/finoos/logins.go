package finoos

import (
	"context"
	"time"
)

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
