package pull

import (
	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// This file turns the API's records into rows of tables. Nothing is dropped:
// what no column holds is in the record's Extra, and an amount that does not
// fit its column joins it there.

func userRow(res *Result, u *finoos.User) table.Row {
	return &table.User{
		UserID: u.ID, CustomUserID: u.CustomUserID, Name: u.Name, Type: u.Type, Tenant: u.Tenant, CreatedAt: u.CreatedAt,
		Duplicates: u.Duplicates, UserScopes: u.UserScopes, FirstSeenAt: res.firstSeen, LastSeenAt: res.ExtractedAt,
		Meta: res.meta(table.Upsert, u.Extra),
	}
}

func loginRow(res *Result, l *finoos.BankLogin) table.Row {
	return &table.BankLogin{
		UserID: res.User, BankLoginID: l.ID, Status: l.Status, Active: l.Active,
		LastSynchronization: l.LastSynchronization, Meta: res.meta(table.Upsert, l.Extra),
	}
}

func accountRow(res *Result, a *finoos.Account) table.Row {
	balance, extra := money(a.Balance, a.Extra, "balance")
	return &table.Account{
		UserID: res.User, AccountID: a.ID, AccountNumber: a.Number, Name: a.Name, Owner: a.Owner, Type: a.Type,
		IBAN: a.IBAN, BIC: a.BIC, BankCode: a.BankCode, BankName: a.BankName, Currency: a.Currency, Balance: balance,
		Status: a.Status, BankLoginID: a.BankLoginID, Meta: res.meta(table.Upsert, extra),
	}
}

// TransactionRow is the row of a transaction; the pull must have its turn.
func TransactionRow(res *Result, t *finoos.Transaction) table.Row {
	amount, extra := money(t.Amount, t.Extra, "amount")
	row := res.turn.slabs.transactions.next()
	*row = table.Transaction{
		UserID: res.User, AccountID: t.AccountID, TransactionID: t.ID, Amount: amount, Currency: t.Currency,
		BookingDate: table.DateOf(t.BookingDate), ValueDate: table.DateOf(t.ValueDate), BookingText: t.BookingText,
		Purpose: t.Purpose, MerchantCategoryCode: t.MerchantCategoryCode, PartnerName: t.PartnerName,
		PartnerIBAN: t.PartnerIBAN, PartnerBIC: t.PartnerBIC, PartnerCreditorID: t.PartnerCreditorID,
		PartnerMandateReference: t.PartnerMandateReference, Tags: t.Tags, Meta: res.meta(table.Upsert, extra),
	}
	return row
}

// ContractRow is the row of a contract; the pull must have its turn.
func ContractRow(res *Result, c *finoos.Contract) table.Row {
	amount, extra := money(c.Amount, c.Extra, "amount")
	row := res.turn.slabs.contracts.next()
	*row = table.Contract{
		UserID: res.User, ContractID: c.ID, PartnerID: c.PartnerID, PartnerName: c.PartnerName, Amount: amount,
		AmountConsistency: c.AmountConsistency, Interval: c.Interval, Duration: c.Duration, Category: c.Category,
		Tags: c.Tags, NextBookingDate: table.DateOf(c.NextBookingDate), NextBookingFrom: table.DateOf(c.NextBookingFrom),
		NextBookingTo: table.DateOf(c.NextBookingTo), MandateReference: c.MandateReference, IsActive: c.IsActive,
		TransactionIDs: c.TransactionIDs, Partner: c.Partner, Attributes: c.Attributes, Meta: res.meta(table.Upsert, extra),
	}
	return row
}

// HistoryRow is the row of a day of an account; the pull must have its turn.
func HistoryRow(res *Result, h *finoos.AccountHistory, b *finoos.Balance) table.Row {
	balance, extra := money(b.Balance, b.Extra, "balance")
	if extra != "" {
		extra = `{"balances":` + extra + `}`
	}
	row := res.turn.slabs.balances.next()
	*row = table.AccountHistory{
		UserID: res.User, AccountID: h.AccountID, Date: table.DateOf(b.Date), Balance: balance, Currency: h.Currency,
		Meta: res.meta(table.Upsert, joinExtra(h.Extra, extra)),
	}
	return row
}

// money converts an amount exactly, or to the one that it is next to, or leaves it
// null; in all but the first case its text goes into extra under the name of its
// field.
func money(n finoos.Number, extra, field string) (d table.Decimal, extraOut string) {
	if n == "" {
		return table.Decimal{}, extra
	}
	d, rounded, err := table.ParseAmount(string(n))
	if err == nil && !rounded {
		return d, extra
	}
	return d, joinExtra(extra, `{"`+field+`":`+string(n)+`}`)
}

// joinExtra puts the fields of two JSON objects that share none into one;
// either may be "".
func joinExtra(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a[:len(a)-1] + "," + b[1:]
}
