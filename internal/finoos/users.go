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
)

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

// maxAsides bounds the records that [Extent] names.
const maxAsides = 5

// ListOptions say how users are listed.
type ListOptions struct {
	// Ahead is how many pages are asked for at the same time where the first
	// answer tells how many there are; 0 is one after the other.
	Ahead int
	// Progress, where set, is called after each page that brings somebody new.
	Progress func()
}

// Extent is what a listing of users knows about its own completeness.
type Extent struct {
	// Whole says that nothing speaks against the list being all there is; Reason
	// says what does.
	Whole  bool
	Reason string
	Named  int64 // distinct ids
	Pages  int64 // that were answered
	// Counted says that the answers tell how many pages there are, so that they
	// were read side by side.
	Counted bool
	// Aside counts the records that are no users, First are the first of them.
	Aside int64
	First []Aside
	// Unreadable counts fields of users that are null because of that.
	Unreadable int64
}

// Aside is a record of the list that is no user: its place, both counted from 1,
// and why. It holds nothing of the record.
type Aside struct {
	Page   int    `json:"page"`
	Record int    `json:"record"`
	Why    string `json:"why"`
}
