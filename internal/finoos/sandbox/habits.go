package sandbox

// trade is a kind of shop.
type trade struct {
	name    string
	mcc     string
	tags    []string
	shops   []string
	monthly int // at most, for one household
	lo, hi  int64
	round   int64
}

var trades = []trade{
	{"Lebensmittel", "5411", []string{"Lebensmittel"}, []string{"Frischmarkt Jäger", "Kaufgut Grünau", "Biomarkt Grüne Wiese", "Discount Süd", "Getränke Löwe"}, 14, 650, 8900, 1},
	{"Bäckerei", "5462", []string{"Lebensmittel", "Bäckerei"}, []string{"Bäckerei Müller", "Backstube Köhler", "Konditorei Süß"}, 9, 180, 1450, 5},
	{"Drogerie", "5912", []string{"Drogerie"}, []string{"Drogerie Weiß", "Apotheke am Schloßplatz"}, 4, 450, 5200, 1},
	{"Tanken", "5541", []string{"Tanken", "Auto"}, []string{"Tankhof Weststraße", "Autohof Würzfeld"}, 4, 2800, 9200, 1},
	{"Restaurant", "5812", []string{"Restaurant", "Freizeit"}, []string{"Gasthaus zum Löwen", "Pizzeria D'Angelo", "Döner Öztürk", "Café Zoë"}, 7, 850, 8200, 10},
	{"Onlinehandel", "5964", []string{"Online-Shopping"}, []string{"Allesda Marketplace", "Schuhkönig.example", "Bücherstraße GmbH"}, 5, 890, 17900, 1},
	{"Kleidung", "5651", []string{"Kleidung"}, []string{"Modehaus Krämer", "Kinderkiste"}, 2, 1990, 15900, 10},
	{"Baumarkt", "5211", []string{"Baumarkt", "Wohnen"}, []string{"Baumarkt Böhm", "Möbel Strauß"}, 2, 990, 22900, 1},
}

// live adds what a private household buys, sized so that it spends about what
// it earns: some save a little, some slide into their overdraft.
func (h *household) live() {
	d := h.dice.on("live")
	first := len(h.habits)
	for i, t := range trades {
		td := d.on("trade", i)
		shop := habit{name: t.name, monthly: 1 + td.below(t.monthly), lo: t.lo, hi: t.hi, round: t.round}
		for n := range min(3, len(t.shops)) {
			name := t.shops[(td.on("shop").below(len(t.shops))+n)%len(t.shops)]
			s := source{
				text: card, mcc: t.mcc, tags: t.tags, partner: payee(name, dice(5).on(name)),
				purpose: name + "//" + h.person.town + "/DE {d} Karte {n}",
			}
			if n == 1 {
				s.account = h.cardAt(h.genesis, d)
			}
			shop.shops = append(shop.shops, h.add(s))
		}
		h.habits = append(h.habits, shop)
	}
	h.habits = append(h.habits, habit{
		name: "Bargeld", monthly: 1 + d.on("cash").below(4), lo: 2000, hi: 20000, round: 1000,
		shops: []*source{h.add(source{text: "BARGELDAUSZAHLUNG", mcc: "6011", tags: []string{"Bargeld"}, purpose: "GA NR{n} BLZ" + h.accounts[0].bank.code})},
	})
	h.afford(h.habits[first:])
	h.befriend()
	if h.person.persona == freelancer {
		h.invoice(3, h.income/5, h.income/2)
	}
}

// afford scales habits to what is left after the standing payments.
func (h *household) afford(habits []habit) {
	left := h.income
	for _, s := range h.sources {
		if s.every > 0 && s.cents < 0 && (s.stop == 0 || s.stop > h.genesis+day(h.past/2)) {
			left += s.cents / int64(s.every)
		}
	}
	wanted := int64(0)
	for _, b := range habits {
		wanted += int64(b.monthly) * (b.lo + (b.hi-b.lo)/3)
	}
	share := left * int64(88+h.dice.on("thrift").below(20)) / 100
	scale := min(max(share*1000/wanted, 300), 2500)
	for i := range habits {
		habits[i].lo = habits[i].lo * (500 + scale/2) / 1000
		habits[i].hi = max(habits[i].hi*scale/1000, habits[i].lo+100)
	}
}

// befriend adds transfers among friends, in both directions.
func (h *household) befriend() {
	d := h.dice.on("friends")
	var out, in []*source
	for i := range 3 {
		fd := d.on("friend", i)
		p := payee(who(fd).name, fd)
		words := pick(fd.on("words"), []string{"Grüße aus {t}", "Danke fürs Essen!", "Geburtstag Käthe", "Anteil Urlaub {y}", "für Kino + Brezn"})
		words = fill(words, "{t}", pick(fd.on("town"), towns))
		out = append(out, h.add(source{text: transfer, partner: p, purpose: words, tags: []string{"Privat"}}))
		in = append(in, h.add(source{text: credit, partner: p, purpose: words, tags: []string{"Privat"}}))
	}
	h.habits = append(h.habits,
		habit{name: "an Freunde", monthly: 1, lo: 800, hi: 9000, round: 100, shops: out},
		habit{name: "von Freunden", monthly: 1, lo: -9000, hi: -800, round: 100, shops: in})
}

// invoice adds customers who pay about so often a month.
func (h *household) invoice(monthly int, lo, hi int64) {
	d := h.dice.on("customers")
	customers := habit{name: "Rechnungen", monthly: monthly, lo: -hi, hi: -lo, round: 1}
	for i := range 5 {
		cd := d.on("customer", i)
		name := pick(cd.on("name"), lastNames) + " " + pick(cd.on("branch"), branches) + " GmbH"
		customers.shops = append(customers.shops, h.add(source{
			text: credit, partner: payee(name, cd), purpose: "RE {y}-{n} vielen Dank", tags: []string{"Umsatz", "Einkommen"},
		}))
	}
	h.habits = append(h.habits, customers)
}

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
