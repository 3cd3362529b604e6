package finoos

import (
	"context"
	"iter"
	"time"
)

// User is a person or company whose accounts are connected.
type User struct {
	ID, CustomUserID, Name, Type, Tenant string
	CreatedAt                            time.Time
	Duplicates, UserScopes               []string
	Record
}

func (c *Client) Users(ctx context.Context) iter.Seq2[User, error] { panic("todo") }

func (c *Client) User(ctx context.Context, userID string) (User, error) { panic("todo") }
