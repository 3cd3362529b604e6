package sandbox

import (
	"fmt"
	"iter"
	"strconv"
	"time"
)

// Decimal is an amount with exactly four decimals.
type Decimal string

// Date is a day as 2006-01-02.
type Date string

// row is one row of a table: column to value.
type row = map[string]any

// tables are those that Truth knows, with how a user's rows are made.
var tables = map[string]func(s *Sandbox, index int, yield func(row) bool) bool{
	"users":           (*Sandbox).truthUser,
	"bank_logins":     (*Sandbox).truthLogins,
	"accounts":        (*Sandbox).truthAccounts,
	"transactions":    (*Sandbox).truthTransactions,
	"categorization":  (*Sandbox).truthCategorization,
	"contracts":       (*Sandbox).truthContracts,
	"account_history": (*Sandbox).truthHistory,
}

// Truth lists the rows that the current state of a correct lake holds in one
// of its tables: users, bank_logins, accounts, transactions, categorization,
// contracts, account_history. Keys are columns, with "_extra" beside them;
// values are string, bool, []string, Decimal, Date, time.Time in UTC, or nil
// for null. "_extra" and JSON columns are in the form that CanonicalExtra and
// CanonicalJSON make.
//
// It holds for a lake that has had a clean run after every night since the
// start or Baseline; one that has missed nights lacks the days of history that
// slid out meanwhile, of accounts that it had not seen yet. Users who are gone
// are left out everywhere, even where the lake keeps their rows. Faults of
// single users (other than Deleted) are not part of the truth, nor is what a
// sync session started while its analysis runs.
//
// An unknown table panics: a test that compares with nothing proves nothing.
func (s *Sandbox) Truth(table string) iter.Seq[map[string]any] {
	rows := rowsOf(table)
	return func(yield func(map[string]any) bool) {
		s.mu.Lock()
		n := s.alive()
		s.mu.Unlock()
		for k := range n {
			s.mu.Lock()
			i := s.nth(k)
			s.mu.Unlock()
			if !rows(s, i, yield) {
				return
			}
		}
	}
}

// TruthUser is Truth for one user; nothing for one who is gone.
func (s *Sandbox) TruthUser(table, userID string) iter.Seq[map[string]any] {
	rows := rowsOf(table)
	return func(yield func(map[string]any) bool) {
		s.mu.Lock()
		i, there := s.exists(userID)
		s.mu.Unlock()
		if there {
			rows(s, i, yield)
		}
	}
}

func rowsOf(table string) func(*Sandbox, int, func(row) bool) bool {
	rows, known := tables[table]
	if !known {
		panic(fmt.Sprintf("sandbox: there is no truth of table %q", table))
	}
	return rereads(table, rows)
}

func (s *Sandbox) truthUser(index int, yield func(row) bool) bool {
	s.mu.Lock()
	born := s.bornOn(index)
	s.mu.Unlock()
	u := s.world.user(index, s.start+day(born))
	return yield(row{
		"user_id": u.id, "custom_user_id": text(u.customID), "name": u.name, "type": u.kind, "tenant": u.tenant,
		"created_at": instant(u.created), "duplicates": texts(u.duplicates), "user_scopes": texts(u.scopes),
		"_extra": held("users", u.unheld(0)),
	})
}

func (s *Sandbox) truthLogins(index int, yield func(row) bool) bool {
	s.mu.Lock()
	l := s.lived(index)
	s.mu.Unlock()
	style := s.world.user(index, s.start).style
	for i := range l.logins {
		login := &l.logins[i]
		r := row{
			"user_id": s.ids.id(index), "bank_login_id": login.id, "status": login.status, "active": nil,
			"last_synchronization": instant(login.last), "_extra": held("bank_logins", login.unheld(style)),
		}
		if login.told {
			r["active"] = login.active
		}
		if !yield(r) {
			return false
		}
	}
	return true
}

func (s *Sandbox) truthAccounts(index int, yield func(row) bool) bool {
	st, _ := s.state(index, banking)
	for _, acc := range st.openAccounts() {
		r := row{
			"user_id": st.h.user.id, "account_id": acc.id, "account_number": text(acc.number), "name": text(acc.name),
			"owner": text(acc.owner), "type": acc.kind, "iban": text(acc.iban), "bic": text(acc.bank.bic),
			"bank_code": text(acc.bank.code), "bank_name": text(acc.bank.name), "currency": text(acc.currency),
			"balance": nil, "status": "enabled", "bank_login_id": st.h.logins[acc.login].id,
			"_extra": held("accounts", st.accountUnheld(acc)),
		}
		if have, known := st.balance(acc); known {
			r["balance"] = decimal(have)
		}
		if !yield(r) {
			return false
		}
	}
	return true
}

func (s *Sandbox) truthTransactions(index int, yield func(row) bool) bool {
	st, _ := s.state(index, banking)
	for i := range st.bookings {
		t := &st.bookings[i]
		p := t.partner(st.h)
		e := t.unheld(st.h)
		if p.extra != nil {
			e.add("paymentPartner", p.extra.object())
		}
		booked, valued := dateOf(t.day), dateOf(t.valueDate(st.h))
		if st.pending(t) {
			booked, valued = nil, nil
		}
		if !yield(row{
			"user_id": st.h.user.id, "account_id": st.h.accounts[t.account].id, "transaction_id": st.txID(t),
			"amount": decimal(t.cents), "currency": text(st.h.accounts[t.account].currency),
			"booking_date": booked, "value_date": valued, "booking_text": text(t.src.text),
			"purpose": text(t.words(st.h)), "merchant_category_code": text(t.src.mcc),
			"partner_name": text(p.name), "partner_iban": text(p.iban), "partner_bic": text(p.bic),
			"partner_creditor_id": text(p.creditorID), "partner_mandate_reference": text(p.mandate),
			"tags": texts(t.listed(st.h, st.last())), "_extra": held("transactions", e),
		}) {
			return false
		}
	}
	return true
}

func (s *Sandbox) truthCategorization(index int, yield func(row) bool) bool {
	st, _ := s.state(index, categorization)
	for i := range st.bookings {
		t := &st.bookings[i]
		for _, tag := range t.tags(-1, st.last()) {
			if !yield(row{
				"user_id": st.h.user.id, "account_id": st.h.accounts[t.account].id, "transaction_id": st.txID(t),
				"tag": tag, "_extra": held("categorization", t.categorizationExtra(st.h)),
			}) {
				return false
			}
		}
	}
	return true
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func texts(list []string) any {
	if list == nil {
		return nil
	}
	return list
}

func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

func dateOf(d day) any {
	if d == 0 {
		return nil
	}
	return Date(d.String())
}

func decimal(cents int64) Decimal { return Decimal(appendCents(nil, cents)) + "00" }

func (s *Sandbox) truthContracts(index int, yield func(row) bool) bool {
	st, _ := s.state(index, contracts)
	style := st.h.user.style
	if s.withholds(st.h.user) {
		return true
	}
	for i := range st.contracts {
		c := &st.contracts[i]
		from, to := c.span()
		interval := c.deal.interval
		if style.numbers {
			interval = strconv.Itoa(c.deal.months)
		}
		ids := make([]string, len(c.bookings))
		for k, t := range c.bookings {
			ids[k] = st.txID(t)
		}
		if !yield(row{
			"user_id": st.h.user.id, "contract_id": c.deal.id, "partner_id": text(c.deal.partnerID), "partner_name": text(c.partner.name),
			"amount": decimal(c.amount()), "amount_consistency": text(c.deal.consistency), "interval": text(interval),
			"duration": text(c.duration(style)), "category": text(c.deal.category), "tags": texts(c.deal.tags),
			"next_booking_date": dateOf(c.next), "next_booking_from": dateOf(from), "next_booking_to": dateOf(to),
			"mandate_reference": text(c.partner.mandate), "is_active": c.active, "transaction_ids": ids,
			"partner": canonical(c.partnerJSON()), "attributes": canonical(c.attributes()),
			"_extra": held("contracts", c.unheld(style)),
		}) {
			return false
		}
	}
	return true
}

// truthHistory is every day that an analysis has told of since the baseline,
// with the balance of the newest one. Days that have slid out of the window
// stay; they could not change any more, since corrections reach back two
// months only.
func (s *Sandbox) truthHistory(index int, yield func(row) bool) bool {
	st, l := s.state(index, accountHistory)
	s.mu.Lock()
	baseline := s.baseline
	s.mu.Unlock()
	first := 0 // the analysis that a reader would have seen first
	for k := range st.analyses {
		if l.analyses[k].night <= baseline {
			first = k
		}
	}
	for _, acc := range st.accounts {
		all := st.balances(acc)
		seen := max(first, acc.since)
		if seen >= acc.until {
			continue
		}
		from := max(acc.opened, st.analyses[seen].day-window+1)
		for i := int(from - acc.opened); i < len(all); i++ {
			if !yield(row{
				"user_id": st.h.user.id, "account_id": acc.id, "date": dateOf(acc.opened + day(i)),
				"balance": decimal(all[i]), "currency": text(acc.currency), "_extra": nil,
			}) {
				return false
			}
		}
	}
	return true
}
