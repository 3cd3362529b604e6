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

func (c *Client) Logins(ctx context.Context, userID string) (*List[BankLogin], error) { panic("todo") }
