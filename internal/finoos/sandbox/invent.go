package sandbox

import (
	"fmt"
	"strings"
)

// invented is the world of seeded people.
type invented struct {
	seed   dice
	ids    userIDs
	opts   *Options
	active float64
}

func (v *invented) users() int { return v.opts.Users }

func (v *invented) of(index int) dice { return v.seed.on("user", index) }

func (v *invented) user(index int, joined day) *customer {
	u := newUser(v.of(index), v.ids, index, v.opts.Tenant, joined, v.opts.Plain)
	v.opts.Readings.withhold(u, v.of(index))
	return u
}

func (v *invented) logins(index int) []loginSpec {
	d := v.of(index)
	return rollLogins(d, newStyle(d, v.opts.Plain))
}

func (v *invented) stirs(index, night int, _ day) bool {
	return v.of(index).on("night", night).chance(v.active)
}

// past is how many days an invented household goes back unless Options.Past says
// otherwise: two years of bookings and balances, and a few days, since the first
// analysis may lie before the start.
const past = 740

func (v *invented) household(index int, joined day) *household {
	d := v.of(index)
	h := &household{
		user: v.user(index, joined), dice: d, person: who(d),
		logins: v.logins(index), genesis: joined - day(v.opts.Past), past: v.opts.Past, tagNames: v.opts.TagNames,
		transactionIDs: v.opts.Readings.TransactionIDs, pending: v.opts.Readings.Pending != "", joined: v.opts.Readings.Joined != "",
	}
	h.income = income(d.on("income"), h.person.persona)
	h.open()
	h.settleDown()
	return h
}

// income is what a household earns in a month.
func income(d dice, p persona) int64 {
	switch p {
	case employee:
		return d.between(175000, 520000)
	case pensioner:
		return d.between(95000, 240000)
	case student:
		return d.between(70000, 115000)
	case freelancer:
		return d.between(190000, 620000)
	default:
		return d.between(1200000, 9000000)
	}
}

// add makes a source known and returns it.
func (h *household) add(s source) *source {
	s.key = len(h.sources)
	if s.to == 0 {
		s.to = -1 // the GIRO is never the other end
	}
	if s.deal != nil {
		h.strike(&s)
	}
	h.sources = append(h.sources, &s)
	return h.sources[s.key]
}

// strike fills in a contract that a source is paid under.
func (h *household) strike(s *source) {
	d := h.dice.on("deal", s.key)
	s.deal.id, s.deal.partnerID = d.on("id").uuid(), d.on("partner").uuid()
	s.deal.months = s.every
	if s.deal.interval == "" {
		s.deal.interval = map[int]string{1: "MONTHLY", 3: "QUARTERLY", 6: "HALF_YEARLY", 12: "YEARLY"}[s.every]
	}
	s.deal.consistency = "FIXED"
	if s.jitter > 0 || len(s.steps) > 0 {
		s.deal.consistency = "VARIABLE"
	}
	s.deal.hidden = !s.deal.always && s.deal.category != "Einkommen" && d.on("hidden").chance(0.15)
	s.deal.noEnd = d.on("no end").chance(0.5)
	if s.partner.mandate != "" {
		s.deal.email = "service@" + asciiName(s.partner.name) + ".example"
	}
}

// creditor is somebody who collects by direct debit.
func (h *household) creditor(name string) party {
	d := dice(7).on(name) // the same for every household: a creditor is one party
	b := pick(d.on("bank"), banks)
	m := h.dice.on(name)
	p := party{
		name: name, iban: iban(b.code, d.on("number").digits(10)), bic: b.bic,
		creditorID: creditorID(d.on("creditor").digits(11)),
		mandate:    "M-" + m.on("mandate").digits(8),
	}
	if m.on("extra").chance(h.user.style.odds(0.2)) {
		p.extra.text("bankName", b.name)
	}
	return p
}

// payee is somebody who is paid, or pays, by transfer.
func payee(name string, d dice) party {
	b := pick(d.on("bank"), banks)
	return party{name: name, iban: iban(b.code, d.on("number").digits(10)), bic: b.bic}
}

// asciiName is a name as a host name.
func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// iban is a German IBAN with valid check digits.
func iban(bankCode, number string) string {
	bban := bankCode + strings.Repeat("0", max(0, 10-len(number))) + number
	return "DE" + checkDigits(bban+"DE00") + bban
}

// creditorID is a German creditor identifier: its check digits leave out the
// business code.
func creditorID(national string) string {
	return "DE" + checkDigits(national+"DE00") + "ZZZ" + national
}

// checkDigits are those of ISO 7064 mod 97-10, letters counted from A = 10.
func checkDigits(s string) string {
	return fmt.Sprintf("%02d", 98-mod97(s))
}

func mod97(s string) int {
	m := 0
	for _, c := range s {
		if c >= 'A' && c <= 'Z' {
			m = (m*100 + int(c-'A') + 10) % 97
		} else {
			m = (m*10 + int(c-'0')) % 97
		}
	}
	return m
}
