package jobs

import (
	"context"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// readUser compares what the list said of a user with what is remembered. It
// makes no request.
func (r *run) readUser(u *user, res *result) error {
	var old keyed
	if c := u.cursor(res.stream); r.mustBeFull(c) {
		res.readAll()
	} else {
		old, _ = decodeKeyed(c.State) // unreadable: written again
	}
	if before, known := old[u.id]; !known || before != u.listed.Hash {
		res.rows = append(res.rows, userRow(res, u.listed))
		res.upserts++
	}
	res.state = keyed{u.id: u.listed.Hash}.encode()
	return nil
}

// readLogins reads the sync status of the user's logins. They have no
// correlation, and are few.
func (r *run) readLogins(ctx context.Context, u *user, res *result) error {
	list := u.takeLogins()
	if list == nil {
		var err error
		if list, err = r.client.Logins(ctx, u.id); err != nil {
			return err
		}
	}
	collected := func(old keyed) error {
		return collectKeyed(ctx, res, list, old,
			func(l *finoos.BankLogin) (string, uint64) { return l.ID, l.Hash },
			func(l *finoos.BankLogin) table.Row { return loginRow(res, l) },
			func(key string) table.Row {
				return &table.BankLogin{UserID: u.id, BankLoginID: key, Meta: res.meta(table.Delete, "")}
			})
	}
	c := u.cursor(res.stream)
	old, err := decodeKeyed(c.State)
	if r.mustBeFull(c) || err != nil {
		res.readAll()
		return collected(nil)
	}
	if err := collected(old); err != nil || res.upserts+res.deletes == 0 || !r.wantsFull(c) {
		return err
	}
	// Only a change makes a refresh due: without one, a quiet user stays quiet.
	res.rows, res.upserts, res.deletes = nil, 0, 0
	res.readAll()
	return collected(nil)
}

func (r *run) readAccounts(ctx context.Context, u *user, res *result) error {
	list, err := r.client.Accounts(ctx, u.id)
	if err != nil {
		return err
	}
	return collectKeyed(ctx, res, list, r.remembered(u, res),
		func(a *finoos.Account) (string, uint64) { return a.ID, a.Hash },
		func(a *finoos.Account) table.Row { return accountRow(res, a) },
		func(key string) table.Row {
			return &table.Account{UserID: u.id, AccountID: key, Meta: res.meta(table.Delete, "")}
		})
}

func (r *run) readContracts(ctx context.Context, u *user, res *result) error {
	list, err := r.client.Contracts(ctx, u.id)
	if err != nil {
		return err
	}
	return collectKeyed(ctx, res, list, r.remembered(u, res),
		func(c *finoos.Contract) (string, uint64) { return c.ID, c.Hash },
		func(c *finoos.Contract) table.Row { return contractRow(res, c) },
		func(key string) table.Row {
			return &table.Contract{UserID: u.id, ContractID: key, Meta: res.meta(table.Delete, "")}
		})
}
