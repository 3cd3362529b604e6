package sandbox

import "strconv"

// contract writes one contract.
func (st *state) contract(w *wire, c *contract) {
	s, d := st.h.user.style, c.deal
	w.open('{')
	w.str(s.contractKey, d.id)
	w.raw("contractPartner", c.partnerJSON())
	w.cents("amount", c.amount())
	w.str("amountConsistency", d.consistency)
	if s.numbers {
		w.number("interval", int64(d.months))
	} else {
		w.str("interval", d.interval)
	}
	s.code(w, "duration", c.duration(s))
	w.str("category", d.category)
	s.list(w, "tags", d.tags)
	s.optDate(w, "nextBookingDate", c.next)
	c.writeRange(w, s)
	s.opt(w, "mref", c.partner.mandate)
	w.boolean("isActive", c.active)
	w.raw("attributes", c.attributes())
	w.key("transactions")
	w.b = append(w.b, '[')
	for _, t := range c.bookings {
		w.open('{')
		w.str(s.id("transaction"), st.txID(t))
		w.close('}')
	}
	w.close(']')
	c.unheld(s).write(w)
	w.close('}')
}

// amount is that of the newest booking.
func (c *contract) amount() int64 {
	if n := len(c.bookings); n > 0 {
		return c.bookings[n-1].cents
	}
	return c.cents
}

// duration is a word, a number of months, or unknown.
func (c *contract) duration(s style) string {
	switch {
	case c.deal.noEnd:
		return ""
	case s.numbers:
		return "24"
	default:
		return "UNLIMITED"
	}
}

// span is the range of days in which the next booking is expected.
func (c *contract) span() (from, to day) {
	if c.next == 0 {
		return 0, 0
	}
	return c.next - 3, c.next + 4
}

func (c *contract) writeRange(w *wire, s style) {
	from, to := c.span()
	if from == 0 {
		s.gap(w, "nextBookingRange", 2)
		return
	}
	w.key("nextBookingRange")
	switch s.rangeForm {
	case 0:
		w.b = append(w.b, `["`+from.String()+`","`+to.String()+`"]`...)
	case 1:
		w.b = append(w.b, `{"from":"`+from.String()+`","to":"`+to.String()+`"}`...)
	default:
		w.b = append(w.b, `{"since":"`+from.String()+`","until":"`+to.String()+`"}`...)
	}
}

// partnerJSON is the whole contractPartner object.
func (c *contract) partnerJSON() string {
	var w wire
	w.open('{')
	w.str("id", c.deal.partnerID)
	w.str("name", c.partner.name)
	if c.deal.email != "" {
		w.raw("additionalInfos", `{"country":"DE","branch":"Grüße & Co"}`)
		w.raw("logos", `["https://cdn.example/logo/`+c.deal.partnerID+`.png"]`)
		w.key("contact")
		w.open('{')
		w.str("preferredContact", "email")
		w.str("email", c.deal.email)
		w.close('}')
	}
	w.close('}')
	return string(w.b)
}

// attributes are what the analysis thinks of the contract; it may think
// again.
func (c *contract) attributes() string {
	return `{"confidence":0.` + strconv.Itoa(80+c.revision%19) + `,"cancellable":` + strconv.FormatBool(c.deal.email != "") + `,"reviewed":` + strconv.Itoa(c.revision) + `}`
}

// unheld are the fields of a contract without a column.
func (c *contract) unheld(s style) extras {
	var e extras
	if s.dice.on("notice", c.key).chance(s.odds(0.2)) {
		e.add("noticePeriod", `{"value":3,"unit":"MONTH"}`)
	}
	return e
}
