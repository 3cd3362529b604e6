package table

import (
	"testing"
	"time"
)

// TestARowHashesAsWhatIsWrittenOfIt: what is dropped counts for nothing, all else does.
func TestARowHashesAsWhatIsWrittenOfIt(t *testing.T) {
	t.Parallel()
	m := masked("contracts", Mask{
		Columns: map[string]MaskAction{"partner_name": MaskDrop, "amount": MaskDrop, "next_booking_date": MaskDrop, "transaction_ids": MaskDrop, "is_active": MaskDrop},
		Fields:  []MaskField{{MaskPath("secret"), MaskDrop}},
	})
	row := func(change func(*Contract)) *Contract {
		c := &Contract{
			UserID: "u", ContractID: "c", PartnerID: "p", PartnerName: "Erika", Amount: Decimal{Units: 1, Valid: true}, Tags: []string{"a", "b"},
			NextBookingDate: Date{Days: 1, Valid: true}, NextBookingFrom: Date{Days: 2, Valid: true}, IsActive: Some(true), TransactionIDs: []string{"t"},
			Partner: `{"a":1,"b":[1,2]}`, Meta: Meta{Op: Upsert, ExtractedAt: time.Unix(1, 0), Extra: `{"secret":"x","seen":1.10,"id":7}`},
		}
		if change != nil {
			change(c)
		}
		return c
	}
	hash := m.Hasher("contracts", MaskField{Path: []string{"id"}, Action: MaskDrop})
	is := hash(row(nil))
	for what, change := range map[string]func(*Contract){
		"a text that is dropped":        func(c *Contract) { c.PartnerName = "Max" },
		"an amount that is dropped":     func(c *Contract) { c.Amount.Units = 2 },
		"a day that is dropped":         func(c *Contract) { c.NextBookingDate.Days = 9 },
		"a list that is dropped":        func(c *Contract) { c.TransactionIDs = nil },
		"a flag that is dropped":        func(c *Contract) { c.IsActive = Null[bool]{} },
		"a member that is dropped":      func(c *Contract) { c.Extra = `{"secret":"y","seen":1.10,"id":7}` },
		"a member that is ignored":      func(c *Contract) { c.Extra = `{"secret":"x","seen":1.10,"id":8}` },
		"the order of members":          func(c *Contract) { c.Partner, c.Extra = `{"b":[1,2],"a":1}`, `{"id":7,"seen":1.10,"secret":"x"}` },
		"when it was read, and by whom": func(c *Contract) { c.ExtractedAt, c.CorrelationID, c.Pull = time.Unix(2, 0), "k", Full },
	} {
		if hash(row(change)) != is {
			t.Errorf("%s counts", what)
		}
	}
	seen := map[uint64]string{is: "the row"}
	for what, change := range map[string]func(*Contract){
		"a text":                func(c *Contract) { c.PartnerID = "q" },
		"a text and its column": func(c *Contract) { c.PartnerID, c.AmountConsistency = "", "p" },
		"an item":               func(c *Contract) { c.Tags = []string{"a"} },
		"items in one":          func(c *Contract) { c.Tags = []string{"ab"} },
		"no items":              func(c *Contract) { c.Tags = []string{} },
		"no list":               func(c *Contract) { c.Tags = nil },
		"a day":                 func(c *Contract) { c.NextBookingFrom.Days = 3 },
		"no day":                func(c *Contract) { c.NextBookingFrom = Date{} },
		"a member":              func(c *Contract) { c.Extra = `{"secret":"x","seen":1.1,"id":7}` },
		"no members":            func(c *Contract) { c.Extra = "" },
		"the order of a list":   func(c *Contract) { c.Partner = `{"a":1,"b":[2,1]}` },
	} {
		got := hash(row(change))
		if seen[got] != "" {
			t.Errorf("%s hashes like %s", what, seen[got])
		}
		seen[got] = what
	}
}

func TestEveryColumnOfARowsOwnCountsForItsHash(t *testing.T) {
	t.Parallel()
	hash := (&Masking{}).Hasher("accounts")
	a := Account{UserID: "u", AccountID: "a", Meta: maskMeta}
	seen := map[uint64]bool{hash(&a): true}
	for _, set := range []func(*Account){
		func(a *Account) { a.AccountNumber = "x" }, func(a *Account) { a.Name = "x" }, func(a *Account) { a.Owner = "x" }, func(a *Account) { a.Type = "x" },
		func(a *Account) { a.IBAN = "x" }, func(a *Account) { a.BIC = "x" }, func(a *Account) { a.BankCode = "x" }, func(a *Account) { a.BankName = "x" },
		func(a *Account) { a.Currency = "x" }, func(a *Account) { a.Balance = Decimal{Valid: true} }, func(a *Account) { a.Status = "x" },
		func(a *Account) { a.BankLoginID = "x" }, func(a *Account) { a.Extra = `{"x":1}` },
	} {
		other := a
		set(&other)
		seen[hash(&other)] = true
	}
	if len(seen) != 14 {
		t.Errorf("%d hashes of 14 rows", len(seen))
	}
	u := User{UserID: "u", Meta: maskMeta}
	users := (&Masking{}).Hasher("users")
	was := users(&u)
	if u.LastSeenAt, u.FirstSeenAt = time.Unix(9, 0), time.Unix(1, 0); users(&u) != was {
		t.Error("when a user was seen counts")
	}
}
