package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// berka is the world of the PKDD'99 bank data: clients are users, their
// accounts keep their numbers, dates and crowns. The accounts' last days are
// held back, and each night reveals one of them; when they are used up
// nothing stirs any more. Nothing is invented: no corrections, no users who
// come or go, tags (k_symbol) as soon as there is a booking.
type berka struct {
	seed  dice
	ids   userIDs
	opts  *Options
	start day

	clients  []*berkaClient
	accounts map[string]*berkaAccount
}

// berkaEnd is the last day of the data.
var berkaEnd = date(1998, time.December, 31)

// berkaClient is a client with the accounts that have transactions.
type berkaClient struct {
	id       string
	born     string
	accounts []*berkaAccount
}

// berkaAccount is an account with all that the tables say of it.
type berkaAccount struct {
	id     string
	opened day
	rows   []berkaRow // by day
	eod    []endOfDay
	orders []berkaOrder
}

// berkaRow is a transaction. Texts are shared: there are few different ones.
type berkaRow struct {
	day                                       day
	id, kind, operation, symbol, bank, number string
	cents                                     int64
}

type berkaOrder struct {
	id, bank, number, symbol string
	cents                    int64
}

func (b *berka) users() int { return len(b.clients) }

func (b *berka) user(index int, _ day) *customer {
	c, d := b.clients[index], b.seed.on("user", index)
	u := &customer{
		index: index, id: b.ids.id(index), customID: "client-" + c.id, name: "Klient " + c.id, kind: "person",
		tenant: b.opts.Tenant, created: c.accounts[0].opened.at(12 * time.Hour), automatic: "active",
		style: newStyle(d, b.opts.Plain),
	}
	u.extra.text("birthDate", c.born)
	return u
}

func (b *berka) logins(index int) []loginSpec {
	return []loginSpec{{id: b.seed.on("login", index).uuid(), provider: berkaBank.name, active: true, told: true}}
}

// stirs tells whether one of the user's accounts has a booking today.
func (b *berka) stirs(index, _ int, today day) bool {
	return slices.ContainsFunc(b.clients[index].accounts, func(a *berkaAccount) bool {
		_, found := slices.BinarySearchFunc(a.rows, today, func(r berkaRow, d day) int { return int(r.day - d) })
		return found
	})
}

var berkaBank = bank{name: "Česká banka", code: "0199"}

func (b *berka) household(index int, joined day) *household {
	c := b.clients[index]
	h := &household{
		user: b.user(index, joined), dice: b.seed.on("user", index), logins: b.logins(index),
		genesis: c.accounts[0].opened, fixed: true, tagNames: b.opts.TagNames,
	}
	for i, a := range c.accounts {
		h.accounts = append(h.accounts, &accountSpec{
			index: i, id: "account-" + a.id, kind: "GIRO", name: "Běžný účet", owner: h.user.name, number: a.id,
			bank: berkaBank, currency: "CZK", opened: a.opened, eod: a.eod,
		})
		h.keepBooks(i, a)
	}
	slices.SortStableFunc(h.booked, func(x, y booking) int { return int(x.day - y.day) })
	return h
}

// keepBooks turns the transactions of an account into bookings, each with a
// source that it shares with its like; standing orders are sources with a
// contract.
func (h *household) keepBooks(account int, a *berkaAccount) {
	sources := map[berkaRow]*source{}
	ordered := map[[2]string]*source{}
	for _, o := range a.orders {
		s := h.add(source{
			account: account, every: 1, cents: -o.cents, text: "PREVOD NA UCET", purpose: o.symbol,
			partner: party{name: o.bank + " " + o.number, bic: o.bank}, tags: symbolTags(o.symbol),
			deal: &deal{category: o.symbol, tags: symbolTags(o.symbol), always: true},
		})
		s.deal.id, s.deal.partnerID = "order-"+o.id, o.bank+"-"+o.number
		if at := [2]string{o.bank, o.number}; ordered[at] == nil {
			ordered[at] = s
		}
	}
	for i, r := range a.rows {
		s := ordered[[2]string{r.bank, r.number}]
		if s == nil || r.number == "" || r.cents > 0 {
			key := berkaRow{kind: r.kind, operation: r.operation, symbol: r.symbol, bank: r.bank, number: r.number}
			if s = sources[key]; s == nil {
				s = h.add(source{
					account: account, text: strings.TrimSpace(r.kind + " " + r.operation), purpose: r.symbol,
					partner: party{name: strings.TrimSpace(r.bank + " " + r.number), bic: r.bank}, tags: symbolTags(r.symbol),
				})
				sources[key] = s
			}
		}
		h.booked = append(h.booked, booking{
			src: s, no: i, account: account, cents: r.cents, day: r.day, value: r.day, counts: r.day,
			tagged: never, extern: "trans-" + r.id,
		})
	}
}

func symbolTags(symbol string) []string {
	if symbol == "" {
		return nil
	}
	return []string{symbol}
}

// cents reads an amount with two decimals.
func cents(text string) (int64, error) {
	return strconv.ParseInt(strings.Replace(text, ".", "", 1), 10, 64)
}
