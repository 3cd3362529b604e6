package sandbox

const (
	debit    = "FOLGELASTSCHRIFT"
	standing = "DAUERAUFTRAG"
	credit   = "GUTSCHRIFT"
	card     = "KARTENZAHLUNG"
	transfer = "ÜBERWEISUNG"
	charge   = "ABSCHLUSS"
)

// bill is a direct debit that most households know.
type bill struct {
	name, category string
	tags           []string
	share          int // of households, in per cent
	every          int
	lo, hi         int64
}

var bills = []bill{
	{"Stadtwerke Grünau GmbH", "Energie", []string{"Strom", "Wohnen"}, 88, 1, 4200, 13900},
	{"Fernwärme Süd AG", "Energie", []string{"Heizung", "Wohnen"}, 35, 1, 6500, 18900},
	{"Netzfunk Telekommunikation", "Internet", []string{"Internet"}, 85, 1, 2999, 4999},
	{"Mobilwelt GmbH", "Mobilfunk", []string{"Mobilfunk"}, 80, 1, 999, 3999},
	{"Beitragsservice Rundfunk", "Gebühren", []string{"Rundfunkbeitrag"}, 90, 3, 5508, 5508},
	{"Löwen Versicherung AG", "Versicherung", []string{"Versicherung", "Haftpflicht"}, 70, 12, 5900, 12900},
	{"Kfz-Versicherung Nord VVaG", "Versicherung", []string{"Versicherung", "Auto"}, 48, 3, 9900, 26900},
	{"Verkehrsbetriebe Grünau", "Mobilität", []string{"ÖPNV"}, 30, 1, 5800, 5800},
	{"Tierhilfe Grüne Pfote e.V.", "Spende", []string{"Spende"}, 15, 1, 500, 3000},
}

// subscriptions start and stop all the time.
var subscriptions = []bill{
	{"Filmstrom", "Streaming", []string{"Streaming", "Unterhaltung"}, 45, 1, 799, 1799},
	{"Musikfluss Premium", "Streaming", []string{"Streaming", "Musik"}, 40, 1, 999, 1799},
	{"Serienwelt+", "Streaming", []string{"Streaming"}, 30, 1, 599, 1399},
	{"Kraftraum Fitness GmbH", "Fitness", []string{"Fitness"}, 35, 1, 1990, 5990},
	{"Grünauer Tageblatt", "Zeitung", []string{"Zeitung"}, 20, 1, 2490, 5290},
	{"Wolkenspeicher Ltd.", "Software", []string{"Software"}, 30, 1, 199, 999},
	{"Gemüsekiste Jäger", "Lebensmittel", []string{"Lebensmittel"}, 12, 1, 4500, 9900},
	{"Lernraum Online", "Bildung", []string{"Bildung"}, 15, 1, 1990, 3990},
}

// settleDown gives a household its standing payments, then its habits.
func (h *household) settleDown() {
	h.earn()
	if h.person.persona == company {
		h.doBusiness()
	} else {
		h.dwell()
		for i, b := range bills {
			h.subscribe(b, h.dice.on("bill", i), false)
		}
		for i, b := range subscriptions {
			h.subscribe(b, h.dice.on("subscription", i), true)
		}
		h.live()
	}
	h.moveMoney()
}

// earn adds what comes in every month.
func (h *household) earn() {
	d := h.dice.on("earn")
	s := source{text: credit, every: 1, dom: 25 + d.on("day").below(5), early: true, start: h.genesis, cents: h.income}
	switch h.person.persona {
	case employee:
		employer := pick(d.on("who"), lastNames) + " " + pick(d.on("branch"), branches) + " GmbH"
		s.partner, s.text = payee(employer, d), "LOHN GEHALT"
		s.purpose, s.tags = "Lohn/Gehalt {m} {y}", []string{"Gehalt", "Einkommen"}
		s.steps = []step{{h.genesis + day(d.on("raise").below(700)), h.income * 103 / 100}}
		s.deal = &deal{category: "Einkommen", tags: []string{"Gehalt"}}
	case pensioner:
		s.partner = payee("Deutsche Rente Bund", dice(1))
		s.purpose, s.tags = "Rentenzahlung {m} {y}", []string{"Rente", "Einkommen"}
		s.deal = &deal{category: "Einkommen", tags: []string{"Rente"}}
	case student:
		s.partner = payee("Studierendenwerk Mühlhausen", dice(2))
		s.purpose, s.tags = "BAföG {m} {y}", []string{"BAföG", "Einkommen"}
	default:
		return // paid by invoice: see habits
	}
	h.add(s)
	if h.person.persona == employee && d.on("children").chance(0.3) {
		h.add(source{
			text: credit, every: 1, dom: 8 + d.on("child day").below(12), start: h.genesis, cents: 25500,
			partner: payee("Familienkasse", dice(3)), purpose: "Kindergeld {m} {y}", tags: []string{"Kindergeld", "Einkommen"},
			deal: &deal{category: "Einkommen", tags: []string{"Kindergeld"}},
		})
	}
}

// dwell adds the rent.
func (h *household) dwell() {
	d := h.dice.on("dwell")
	rent := h.income * int64(26+d.on("share").below(10)) / 100 / 500 * 500
	s := source{
		text: standing, every: 1, dom: 1 + d.on("day").below(3), start: h.genesis, cents: -rent,
		partner: payee("Hausverwaltung "+pick(d.on("who"), lastNames), d),
		purpose: "Miete {m} {y} " + h.person.address, tags: []string{"Miete", "Wohnen"},
		deal: &deal{category: "Wohnen", tags: []string{"Miete"}},
	}
	if d.on("rise").chance(0.4) {
		s.steps = []step{{h.genesis + day(200+d.on("when").below(600)), -rent * 104 / 100}}
	}
	h.add(s)
}

// subscribe adds a bill, if the household has it; temporary ones start and
// stop within the two years, or soon.
func (h *household) subscribe(b bill, d dice, temporary bool) {
	if d.on("has").below(100) >= b.share {
		return
	}
	cents := d.between(b.lo, b.hi)
	s := source{
		text: debit, every: b.every, dom: 1 + d.on("day").below(28), start: h.genesis - day(d.on("since").below(90)),
		cents: -cents, partner: h.creditor(b.name), purpose: b.category + " {m} {y} Kd.-Nr. " + d.on("customer").digits(8),
		tags: b.tags, deal: &deal{category: b.category, tags: b.tags[:1]},
	}
	if temporary {
		s.start = h.genesis + day(d.on("start").below(h.past+150)-150)
		s.stop = s.start + day(60+d.on("run").below(900))
		s.account = h.cardAt(s.start, d)
	}
	if d.on("dearer").chance(0.35) {
		s.steps = []step{{s.start + day(90+d.on("when").below(600)), -(cents + cents/10 + 50)}}
	}
	h.add(s)
}

// cardAt is the credit card, for some payments of a household that has one.
func (h *household) cardAt(from day, d dice) int {
	if a := h.account("KREDIT_KARTE"); a != nil && a.opened <= from && d.on("by card").chance(0.5) {
		return a.index
	}
	return 0
}

func (h *household) account(kind string) *accountSpec {
	for _, a := range h.accounts {
		if a.kind == kind {
			return a
		}
	}
	return nil
}

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
