package finoos

import (
	"context"
	"time"
)

// User is a person or company whose accounts are connected.
type User struct {
	ID, CustomUserID, Name, Type, Tenant string
	CreatedAt                            time.Time
	Duplicates, UserScopes               []string
	Record
}

var userSchema = newSchema("user", func(u *User, r Record) { u.Record = r },
	ident("id", func(u *User) *string { return &u.ID }),
	text("customUserID", func(u *User) *string { return &u.CustomUserID }),
	text("name", func(u *User) *string { return &u.Name }),
	text("type", func(u *User) *string { return &u.Type }),
	text("tenant", func(u *User) *string { return &u.Tenant }),
	instant("createdAt", func(u *User) *time.Time { return &u.CreatedAt }),
	texts("duplicates", func(u *User) *[]string { return &u.Duplicates }),
	texts("userScopes", func(u *User) *[]string { return &u.UserScopes }),
).keepOdd()

// User returns one user. A user that is gone, or of another tenant, is an
// error of class [NotFound].
func (c *Client) User(ctx context.Context, userID string) (User, error) {
	call, err := c.newCall(opUser, userID, "", nil)
	if err != nil {
		return User{}, err
	}
	user, found, err := single(ctx, c, call, userSchema, "user")
	if err == nil && !found {
		err = call.unreadable(errNothing)
	}
	return user, err
}
