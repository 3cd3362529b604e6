package pull

import (
	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink"
)

// This file turns the API's records into rows of tables. Nothing is dropped:
// what no column holds is in the record's Extra, and an amount that does not
// fit its column joins it there.

func userRow(res *Result, u *finoos.User) sink.Row {
	return &sink.User{
		UserID: u.ID, CustomUserID: u.CustomUserID, Name: u.Name, Type: u.Type, Tenant: u.Tenant, CreatedAt: u.CreatedAt,
		Duplicates: u.Duplicates, UserScopes: u.UserScopes, Meta: res.meta(sink.Upsert, u.Extra),
	}
}

func loginRow(res *Result, l *finoos.BankLogin) sink.Row {
	return &sink.BankLogin{
		UserID: res.User, BankLoginID: l.ID, Status: l.Status, Active: nullable(l.Active),
		LastSynchronization: l.LastSynchronization, Meta: res.meta(sink.Upsert, l.Extra),
	}
}

func accountRow(res *Result, a *finoos.Account) sink.Row {
	balance, extra := res.money(a.Balance, a.Extra, "balance")
	return &sink.Account{
		UserID: res.User, AccountID: a.ID, AccountNumber: a.Number, Name: a.Name, Owner: a.Owner, Type: a.Type,
		IBAN: a.IBAN, BIC: a.BIC, BankCode: a.BankCode, BankName: a.BankName, Currency: a.Currency, Balance: balance,
		Status: a.Status, BankLoginID: a.BankLoginID, Meta: res.meta(sink.Upsert, extra),
	}
}

// TransactionRow is the row of a transaction; the pull must have its turn.
func TransactionRow(res *Result, t *finoos.Transaction) sink.Row {
	amount, extra := res.money(t.Amount, t.Extra, "amount")
	row := res.turn.slabs.transactions.next()
	*row = sink.Transaction{
		UserID: res.User, AccountID: t.AccountID, TransactionID: t.ID, Amount: amount, Currency: t.Currency,
		BookingDate: sink.DateOf(t.BookingDate), ValueDate: sink.DateOf(t.ValueDate), BookingText: t.BookingText,
		Purpose: t.Purpose, MerchantCategoryCode: t.MerchantCategoryCode, PartnerName: t.PartnerName,
		PartnerIBAN: t.PartnerIBAN, PartnerBIC: t.PartnerBIC, PartnerCreditorID: t.PartnerCreditorID,
		PartnerMandateReference: t.PartnerMandateReference, Tags: t.Tags, Meta: res.meta(sink.Upsert, extra),
	}
	return row
}

// ContractRow is the row of a contract; the pull must have its turn.
func ContractRow(res *Result, c *finoos.Contract) sink.Row {
	amount, extra := res.money(c.Amount, c.Extra, "amount")
	row := res.turn.slabs.contracts.next()
	*row = sink.Contract{
		UserID: res.User, ContractID: c.ID, PartnerID: c.PartnerID, PartnerName: c.PartnerName, Amount: amount,
		AmountConsistency: c.AmountConsistency, Interval: c.Interval, Duration: c.Duration, Category: c.Category,
		Tags: c.Tags, NextBookingDate: sink.DateOf(c.NextBookingDate), NextBookingFrom: sink.DateOf(c.NextBookingFrom),
		NextBookingTo: sink.DateOf(c.NextBookingTo), MandateReference: c.MandateReference, IsActive: nullable(c.IsActive),
		TransactionIDs: c.TransactionIDs, Partner: c.Partner, Attributes: c.Attributes, Meta: res.meta(sink.Upsert, extra),
	}
	return row
}

// HistoryRow is the row of a day of an account; the pull must have its turn.
func HistoryRow(res *Result, h *finoos.AccountHistory, b *finoos.Balance) sink.Row {
	balance, extra := res.money(b.Balance, b.Extra, "balance")
	if extra != "" {
		extra = `{"balances":` + extra + `}`
	}
	row := res.turn.slabs.balances.next()
	*row = sink.AccountHistory{
		UserID: res.User, AccountID: h.AccountID, Date: sink.DateOf(b.Date), Balance: balance, Currency: h.Currency,
		Meta: res.meta(sink.Upsert, joinExtra(h.Extra, extra)),
	}
	return row
}

func nullable(b finoos.Null[bool]) sink.Null[bool] { return sink.Null[bool]{V: b.V, Valid: b.Valid} }

// money converts an amount exactly, or leaves it null and puts its text into
// extra under the name of its field.
func (res *Result) money(n finoos.Number, extra, field string) (d sink.Decimal, extraOut string) {
	if n == "" {
		return sink.Decimal{}, extra
	}
	d, err := sink.ParseDecimal(string(n))
	if err == nil {
		return d, extra
	}
	res.Inexact++
	return sink.Decimal{}, joinExtra(extra, `{"`+field+`":`+string(n)+`}`)
}

// joinExtra puts the fields of two JSON objects that share none into one;
// either may be "".
func joinExtra(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a[:len(a)-1] + "," + b[1:]
}
