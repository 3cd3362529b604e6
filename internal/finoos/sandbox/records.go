package sandbox

import (
	"strconv"
	"time"
	"unicode/utf8"
)

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
func (st *state) transaction(w *wire, t *booking) { st.tagged(w, t, t.listed(st.h, st.last())) }

// tagged is a transaction with these tags.
func (st *state) tagged(w *wire, t *booking, tags []string) {
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
	s.list(w, "tags", tags)
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

// wire builds a JSON text by appending. Records are written field by field,
// since the order, the spelling and the gaps of the fields are the point.
type wire struct {
	b []byte
	// ascii writes umlauts as \u escapes, as some servers do.
	ascii bool
}

// sep puts the comma between two values or fields.
func (w *wire) sep() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *wire) open(c byte)  { w.sep(); w.b = append(w.b, c) }
func (w *wire) close(c byte) { w.b = append(w.b, c) }

func (w *wire) key(name string) {
	w.sep()
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *wire) str(name, value string)           { w.key(name); w.quote(value) }
func (w *wire) raw(name, json string)            { w.key(name); w.b = append(w.b, json...) }
func (w *wire) null(name string)                 { w.raw(name, "null") }
func (w *wire) boolean(name string, v bool)      { w.raw(name, strconv.FormatBool(v)) }
func (w *wire) number(name string, v int64)      { w.key(name); w.b = strconv.AppendInt(w.b, v, 10) }
func (w *wire) cents(name string, v int64)       { w.key(name); w.b = appendCents(w.b, v) }
func (w *wire) instant(name string, t time.Time) { w.str(name, berlin(t).Format(time.RFC3339)) }

func (w *wire) strs(name string, values []string) {
	w.key(name)
	w.b = append(w.b, '[')
	for _, v := range values {
		w.sep()
		w.quote(v)
	}
	w.b = append(w.b, ']')
}

// appendCents prints an amount with two decimals. Money is integer cents all
// the way: a float here would teach the tests wrong amounts.
func appendCents(b []byte, v int64) []byte {
	if v < 0 {
		b = append(b, '-')
		v = -v
	}
	b = strconv.AppendInt(b, v/100, 10)
	return append(b, '.', byte('0'+v/10%10), byte('0'+v%10))
}

const hexDigits = "0123456789abcdef"

func (w *wire) quote(s string) {
	w.b = append(w.b, '"')
	if w.safe(s) {
		w.b = append(w.b, s...)
	} else {
		w.escape(s)
	}
	w.b = append(w.b, '"')
}

// safe tells whether a text needs no escapes, as most do.
func (w *wire) safe(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || w.ascii && c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (w *wire) escape(s string) {
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b = append(w.b, '\\', byte(r))
		case r < 0x20 || w.ascii && r >= utf8.RuneSelf && r < 0x10000:
			w.b = append(w.b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			w.b = append(w.b, s[i:i+utf8.RuneLen(r)]...)
		}
	}
}
