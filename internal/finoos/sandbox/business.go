package sandbox

// doBusiness gives a company its customers, suppliers and staff.
func (h *household) doBusiness() {
	d := h.dice.on("business")
	h.invoice(10, h.income/20, h.income/6)
	pay := func(name, purpose, category string, dom int, cents int64, tags ...string) {
		h.add(source{
			text: standing, every: 1, dom: dom, start: h.genesis, cents: -cents, partner: payee(name, dice(11).on(name)),
			purpose: purpose, tags: tags, deal: &deal{category: category, tags: tags[:1]},
		})
	}
	pay("Gewerbepark Würzfeld", "Miete Halle {m} {y}", "Miete", 1, h.income*8/100, "Miete", "Betrieb")
	pay("Leasing Löwe GmbH", "Leasingrate Fuhrpark {m}", "Leasing", 5, h.income*4/100, "Leasing", "Fahrzeuge")
	for i := range 2 + d.on("staff").below(4) {
		p := who(d.on("worker", i))
		h.add(source{
			text: "SAMMLER GEHALT", every: 1, dom: 27, early: true, start: h.genesis,
			cents:   -d.on("wage", i).between(h.income*5/100, h.income*9/100),
			partner: payee(p.first+" "+p.last, d.on("worker", i)), purpose: "Gehalt {m} {y}", tags: []string{"Personal", "Betrieb"},
		})
	}
	h.add(source{
		text: debit, every: 1, dom: 10, start: h.genesis, cents: -h.income * 9 / 100, jitter: 200,
		partner: h.creditor("Finanzamt Grünau"), purpose: "USt-VA {m} {y} StNr 12/345/{n}", tags: []string{"Steuern"},
		deal: &deal{category: "Steuern", tags: []string{"Umsatzsteuer"}},
	})
	h.add(source{
		text: debit, every: 1, dom: 15, start: h.genesis, cents: -h.income * 5 / 100, jitter: 30,
		partner: h.creditor("Krankenkasse Mitte"), purpose: "SV-Beiträge {m} {y}", tags: []string{"Sozialabgaben", "Personal"},
		deal: &deal{category: "Sozialversicherung", tags: []string{"Sozialabgaben"}},
	})
	for i, b := range bills[:3] {
		b.lo, b.hi = b.lo*4, b.hi*4
		h.subscribe(b, d.on("bill", i), false)
	}
	for i, b := range subscriptions[5:6] {
		h.subscribe(b, d.on("software", i), true)
	}
	h.supply(d)
}

// supply adds what a company buys.
func (h *household) supply(d dice) {
	suppliers := habit{name: "Einkauf", monthly: 12, lo: h.income / 100, hi: h.income * 6 / 100, round: 1}
	for i := range 5 {
		sd := d.on("supplier", i)
		name := pick(sd.on("name"), lastNames) + " Großhandel " + pick(sd.on("form"), legalForms)
		suppliers.shops = append(suppliers.shops, h.add(source{
			text: transfer, partner: payee(name, sd), purpose: "Rechnung {n} vom {d}", tags: []string{"Wareneinkauf", "Betrieb"},
		}))
	}
	fuel := trades[3]
	h.habits = append(h.habits, suppliers, habit{
		name: fuel.name, monthly: 8, lo: fuel.lo, hi: fuel.hi, round: 1,
		shops: []*source{h.add(source{
			text: card, mcc: fuel.mcc, tags: fuel.tags, account: h.cardAt(h.genesis, d),
			partner: payee(fuel.shops[0], dice(5).on(fuel.shops[0])), purpose: fuel.shops[0] + " {d}",
		})},
	})
}
