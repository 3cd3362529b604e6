package sandbox

// moveMoney adds what happens between a household's own accounts and with the
// bank itself.
func (h *household) moveMoney() {
	d := h.dice.on("move")
	giro := h.accounts[0]
	own := party{name: h.user.name, iban: giro.iban, bic: giro.bank.bic}
	h.interest = make([]*source, len(h.accounts))
	for _, a := range h.accounts[1:] {
		to := party{name: h.user.name, iban: a.iban, bic: a.bank.bic}
		switch a.kind {
		case "TAGESGELD", "SPARBUCH", "BAUSPAREN":
			h.add(source{
				to: a.index, text: standing, every: 1, dom: 4, start: a.opened, cents: -(h.income * 4 / 100 / 100 * 100),
				partner: to, purpose: "Sparen {m} {y}", tags: []string{"Umbuchung", "Sparen"},
			})
			h.interest[a.index] = h.add(source{account: a.index, text: charge, partner: party{name: a.bank.name}, purpose: "Zinsen {m} {y}", tags: []string{"Zinsen"}})
		case "KREDIT_KARTE":
			h.settle = h.add(source{to: a.index, text: debit, partner: party{name: a.bank.name, iban: giro.iban}, purpose: "Kreditkartenabrechnung {m} {y}", tags: []string{"Umbuchung", "Kreditkarte"}})
		case "KREDITDARLEHEN":
			h.add(source{
				to: a.index, text: debit, every: 1, dom: 30, start: a.opened, cents: -(h.income * 6 / 100),
				partner: h.creditor(a.bank.name), purpose: "Rate Darlehen " + a.number, tags: []string{"Kreditrate"},
				deal: &deal{category: "Kredit", tags: []string{"Kreditrate"}},
			})
			h.interest[a.index] = h.add(source{account: a.index, text: charge, partner: party{name: a.bank.name}, purpose: "Sollzinsen {m} {y}", tags: []string{"Zinsen"}})
		}
	}
	h.balance(own, d)
}

// balance adds the payments that keep a GIRO from drifting away: a surplus is
// put aside, a hole is filled by the family.
func (h *household) balance(own party, d dice) {
	sweep := source{text: transfer, partner: payee("Fondsgesellschaft Weitblick", d), purpose: "Geldanlage {y}-{n}", tags: []string{"Sparen"}}
	if a := h.account("TAGESGELD"); a != nil && a.opened == h.genesis {
		sweep = source{to: a.index, text: transfer, partner: party{name: own.name, iban: a.iban, bic: a.bank.bic}, purpose: "Überschuss {m} {y}", tags: []string{"Umbuchung", "Sparen"}}
	}
	h.sweep = h.add(sweep)
	from, why := payee("Familie "+h.person.last, d), "Aushilfe, zahl's zurück wenn's geht"
	if h.person.persona == company {
		from, why = payee(h.person.first+" "+h.person.last, d), "Gesellschafterdarlehen"
	}
	h.rescue = h.add(source{text: credit, partner: from, purpose: why, tags: []string{"Privat"}})
	h.overdraft = h.add(source{text: charge, partner: party{name: h.accounts[0].bank.name}, purpose: "Sollzinsen Dispo {m} {y}", tags: []string{"Zinsen", "Dispo"}})
}
