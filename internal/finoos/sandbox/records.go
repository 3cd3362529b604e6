package sandbox

import "strconv"

// write writes a user as the list and the user's own path tell it.
func (u *customer) write(w *wire, analyses int) {
	w.ascii = u.style.ascii
	w.open('{')
	w.str("id", u.id)
	u.style.opt(w, "customUserID", u.customID)
	w.str("name", u.name)
	w.str("type", u.kind)
	w.str("tenant", u.tenant)
	w.instant("createdAt", u.created)
	u.style.list(w, "duplicates", u.duplicates)
	u.style.list(w, "userScopes", u.scopes)
	u.unheld(analyses).write(w)
	w.close('}')
	w.ascii = false
}

// unheld are the fields that no column holds. What is left of expiresIn
// changes with every analysis, so it belongs into no fingerprint.
func (u *customer) unheld(analyses int) extras {
	var e extras
	e.text("automaticAnalysis", u.automatic)
	if u.expires {
		e.add("expiresIn", strconv.Itoa(7776000-86400*analyses))
	}
	return append(e, u.extra...)
}

func (l *loginState) write(w *wire, s style) {
	w.open('{')
	w.str(s.id("bankLogin"), l.id)
	w.str("status", l.status)
	if l.told {
		w.boolean("active", l.active)
	}
	if l.last.IsZero() {
		s.gap(w, "lastSynchronization", 3)
	} else {
		w.instant("lastSynchronization", l.last)
	}
	l.unheld(s).write(w)
	w.close('}')
}

func (l *loginState) unheld(s style) extras {
	var e extras
	if s.dice.on("provider").chance(s.odds(0.3)) {
		e.text("provider", l.provider)
	}
	return e
}

// account writes one of banking/accounts.
func (st *state) account(w *wire, acc openAccount) {
	s := st.h.user.style
	w.open('{')
	w.str(s.id("account"), acc.id)
	w.str("accountNumber", acc.number)
	w.str("name", acc.name)
	w.str("owner", acc.owner)
	w.str("type", acc.kind)
	s.opt(w, "iban", acc.iban)
	s.opt(w, "bic", acc.bank.bic)
	w.str("bankCode", acc.bank.code)
	w.str("bankName", acc.bank.name)
	w.str("currency", acc.currency)
	if have, known := st.balance(acc); known {
		w.cents("balance", have)
	} else {
		s.gap(w, "balance", 2)
	}
	w.str("status", "enabled")
	w.str(s.id("bankLogin"), st.h.logins[acc.login].id)
	st.accountUnheld(acc).write(w)
	w.close('}')
}

// accountUnheld are the fields of an account without a column.
func (st *state) accountUnheld(acc openAccount) extras {
	var e extras
	if acc.icon != "" {
		e.text("icon", acc.icon)
	}
	if acc.supported != nil {
		var w wire
		w.b = append(w.b, '{')
		w.strs("x", acc.supported)
		e.add("supportedPayments", string(w.b[len(`{"x":`):]))
	}
	if acc.standingOrder {
		e.add("standingOrders", st.standingOrders())
	}
	if acc.holding {
		e.add("securities", `[{"isin":"DE000A0H0744","name":"Welt Aktien ETF","quantity":`+strconv.Itoa(acc.index*7+3)+`.5000}]`)
	}
	return append(e, acc.extra...)
}

// standingOrders have ids that change with every synchronisation.
func (st *state) standingOrders() string {
	var w wire
	w.b = append(w.b, '[')
	for _, s := range st.h.sources {
		if s.text == standing && s.account == 0 {
			w.open('{')
			w.str("id", st.h.dice.on("standing order", s.key, len(st.analyses)).uuid())
			w.str("recipient", s.partner.name)
			w.cents("amount", -s.cents)
			w.close('}')
		}
	}
	w.close(']')
	return string(w.b)
}

// transaction writes one of banking/transactions.
func (st *state) transaction(w *wire, t *booking) {
	h, s := st.h, st.h.user.style
	w.open('{')
	w.str(s.id("transaction"), st.txID(t))
	w.str(s.id("account"), h.accounts[t.account].id)
	w.cents("amount", t.cents)
	w.str("currency", h.accounts[t.account].currency)
	if !st.pending(t) {
		s.date(w, "bookingDate", t.day)
		s.optDate(w, "valueDate", t.valueDate(h))
	}
	s.opt(w, "bookingText", t.src.text)
	s.opt(w, "purpose", t.words(h))
	s.code(w, "merchantCategoryCode", t.src.mcc)
	t.partner(h).write(w, s)
	s.list(w, "tags", t.listed(h, st.last()))
	t.unheld(h).write(w)
	w.close('}')
}

// valueDate is missing for some.
func (t *booking) valueDate(h *household) day {
	if h.dice.on("no value date", t.src.key, t.no, int(t.day)).chance(h.user.style.odds(0.02)) {
		return 0
	}
	return t.value
}

// partner is the other end: the household itself for the mirror of a
// transfer between own accounts.
func (t *booking) partner(h *household) party {
	if !t.mirror {
		return t.src.partner
	}
	from := h.accounts[t.src.account]
	return party{name: h.user.name, iban: from.iban, bic: from.bank.bic}
}

func (p party) write(w *wire, s style) {
	if p.name == "" && p.iban == "" {
		s.gap(w, "paymentPartner", 2)
		return
	}
	w.key("paymentPartner")
	w.open('{')
	s.opt(w, "name", p.name)
	s.opt(w, "iban", p.iban)
	s.opt(w, "bic", p.bic)
	s.opt(w, s.id("creditor"), p.creditorID)
	s.opt(w, "mandateReference", p.mandate)
	p.extra.write(w)
	w.close('}')
}

// listed are a booking's tags as banking/transactions lists them: nil if the
// field is missing.
func (t *booking) listed(h *household, last int) []string {
	tags := t.bankTags(last)
	if tags == nil && (h.user.style.plain || h.dice.on("no tags", t.src.key, t.no, int(t.day)).chance(0.5)) {
		return []string{}
	}
	return tags
}

// unheld are the fields of a booking without a column.
func (t *booking) unheld(h *household) extras {
	var e extras
	d := h.dice.on("unknown", t.src.key, t.no, int(t.day))
	if d.chance(h.user.style.odds(0.06)) {
		e.add("primaNota", d.on("prima nota").digits(4))
		e.text("endToEndReference", "NOTPROVIDED")
	}
	return e
}
