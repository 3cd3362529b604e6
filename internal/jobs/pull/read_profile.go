package pull

import (
	"context"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/joined"
	"finoos-syncer/internal/sink/table"
)

// readUser compares what the list said of a user with what is remembered. It
// makes no request.
func (r *Reader) readUser(u *User, res *Result) error {
	var old keyed
	c := u.Cursor(res.Stream)
	if r.MustBeFull(c) {
		res.readAll()
	} else {
		old, _ = decodeKeyed(r.Veil.open(c)) // unreadable: written again
	}
	if res.firstSeen = c.FirstSeenAt; c.PulledAt.IsZero() {
		res.firstSeen = res.ExtractedAt
	}
	res.note(u.Listed)
	hash := res.fingerprint(u.Listed.Hash, func() table.Row { return userRow(res, u.Listed) })
	if before, known := old[u.ID]; !known || before != hash {
		res.Rows = append(res.Rows, userRow(res, u.Listed))
		res.Upserts++
	}
	res.state = keyed{u.ID: hash}.encode()
	return nil
}

// readLogins reads the sync status of the user's logins. They have no
// correlation, and are few.
func (r *Reader) readLogins(ctx context.Context, u *User, res *Result) error {
	list := u.takeLogins()
	if list == nil {
		var err error
		if list, err = r.Client.Logins(ctx, u.ID); err != nil {
			return err
		}
	}
	collected := func(old keyed) error {
		return CollectKeyed(ctx, res, list, old,
			func(l *finoos.BankLogin) (string, uint64) { return l.ID, l.Hash },
			func(l *finoos.BankLogin) table.Row { return loginRow(res, l) },
			func(key string) table.Row {
				return &table.BankLogin{UserID: u.ID, BankLoginID: key, Meta: res.meta(table.Delete, "")}
			})
	}
	c := u.Cursor(res.Stream)
	old, err := decodeKeyed(r.Veil.open(c))
	if r.MustBeFull(c) || err != nil {
		res.readAll()
		return collected(nil)
	}
	if err := collected(old); err != nil || res.Upserts+res.Deletes == 0 || !r.WantsFull(c) {
		return err
	}
	// Only a change makes a refresh due: without one, a quiet user stays quiet.
	res.Rows, res.Upserts, res.Deletes, res.Issues = nil, 0, 0, Issues{}
	res.readAll()
	return collected(nil)
}

func (r *Reader) readAccounts(ctx context.Context, u *User, res *Result) error {
	list, err := wholeOf(u, res,
		func(j *Joined) *finoos.List[finoos.Account] { return j.Body.Accounts() },
		func() (*finoos.List[finoos.Account], error) { return r.Client.Accounts(ctx, u.ID) },
		func(c *joined.Comparison, l *finoos.List[finoos.Account]) error { return c.Accounts(l) })
	if err != nil {
		return err
	}
	res.unfiltered = true
	return CollectKeyed(ctx, res, list, r.remembered(u, res),
		func(a *finoos.Account) (string, uint64) { return a.ID, a.Hash },
		func(a *finoos.Account) table.Row { return accountRow(res, a) },
		func(key string) table.Row {
			return &table.Account{UserID: u.ID, AccountID: key, Meta: res.meta(table.Delete, "")}
		})
}

func (r *Reader) readContracts(ctx context.Context, u *User, res *Result) error {
	list, err := r.Client.Contracts(ctx, u.ID)
	if err != nil {
		return err
	}
	res.unfiltered = true
	return CollectKeyed(ctx, res, list, r.remembered(u, res),
		func(c *finoos.Contract) (string, uint64) { return c.ID, c.Hash },
		func(c *finoos.Contract) table.Row { return ContractRow(res, c) },
		func(key string) table.Row {
			return &table.Contract{UserID: u.ID, ContractID: key, Meta: res.meta(table.Delete, "")}
		})
}
