package sandbox

import "strconv"

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
