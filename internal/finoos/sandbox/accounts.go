package sandbox

import "strings"

// The banks do not exist: no German bank code begins with 9, so none of the
// IBANs made here can belong to anybody.
var banks = []bank{
	{"Sparkasse Grünau", "91050000", "GRUNDE91XXX"},
	{"Volksbank Mühlhausen eG", "92090000", "MUHLDE92XXX"},
	{"Neue Direktbank AG", "93010111", "NEUDDE93XXX"},
	{"Bank für Handel und Gewerbe", "94040000", "HANDDE94"},
	{"Raiffeisenbank Königswald", "95069000", "KONGDE95XXX"},
	{"Ökobank der Lüneberger Heide", "96020500", "OEKODE96XXX"},
}

// rollLogins gives most users one bank, some two.
func rollLogins(d dice, s style) []loginSpec {
	n := 1
	if d.on("logins").chance(0.22) {
		n = 2
	}
	first := d.on("bank").below(len(banks))
	logins := make([]loginSpec, n)
	for i := range logins {
		logins[i] = loginSpec{
			id:       d.on("login", i).uuid(),
			provider: banks[(first+i)%len(banks)].name,
			active:   !d.on("inactive", i).chance(0.12),
			told:     !d.on("told", i).chance(s.odds(0.03)),
		}
	}
	return logins
}

// products are the accounts beside the GIRO and how common they are, in per cent.
var products = []struct {
	kind, name string
	share      int
}{
	{"TAGESGELD", "Tagesgeld Plus", 40},
	{"KREDIT_KARTE", "Kreditkarte Gold", 32},
	{"DEPOT", "Wertpapierdepot", 22},
	{"KREDITDARLEHEN", "Ratenkredit", 12},
	{"BAUSPAREN", "Bausparvertrag", 9},
	{"SPARBUCH", "Sparbuch Käthe", 6},
	{"OTHER", "Bonuskonto", 3},
}

// open gives the household its accounts: a GIRO, and up to three more.
func (h *household) open() {
	first := h.dice.on("bank").below(len(banks))
	h.addAccount("GIRO", pick(h.dice.on("giro"), []string{"Girokonto", "Konto für alle Fälle", "GiroBest", "Privatgiro"}), first)
	for i, k := range products {
		if len(h.accounts) < 4 && h.dice.on("has", i).below(100) < k.share {
			h.addAccount(k.kind, k.name, first)
		}
	}
	n := len(h.accounts)
	if len(h.logins) == 2 && n == 1 {
		h.addAccount("TAGESGELD", "Zinskonto", first)
		n = 2
	}
	last := h.accounts[n-1]
	if len(h.logins) == 2 {
		last.move(1, banks[(first+1)%len(banks)])
	}
	last.late = n > 1 && h.dice.on("late").chance(0.2)
}

func (h *household) addAccount(kind, name string, at int) {
	i := len(h.accounts)
	d := h.dice.on("account", i)
	a := &accountSpec{
		index: i, id: d.on("id").uuid(), kind: kind, name: name, owner: h.user.name,
		number: d.on("number").digits(10), currency: "EUR", opened: h.genesis,
		icon: "https://cdn.example/bank/" + banks[at].code + ".svg",
	}
	a.move(0, banks[at])
	a.opening = opening(d.on("opening"), kind, h.income)
	if i > 0 && d.on("opened").chance(0.3) {
		a.opened += day(d.on("opened on").below(min(600, h.past-30)))
	}
	h.dress(a, d)
	h.accounts = append(h.accounts, a)
}

// move says at which bank the account is.
func (a *accountSpec) move(login int, b bank) {
	a.login, a.bank = login, b
	if a.kind != "KREDIT_KARTE" && a.kind != "OTHER" {
		a.iban = iban(b.code, a.number)
	}
}

func opening(d dice, kind string, income int64) int64 {
	switch kind {
	case "GIRO":
		return d.between(-income/4, income)
	case "TAGESGELD", "SPARBUCH":
		return d.between(50000, income*4)
	case "DEPOT":
		return d.between(200000, income*8)
	case "BAUSPAREN":
		return d.between(100000, 1500000)
	case "KREDITDARLEHEN":
		return -income*4 - d.between(100000, 900000)
	default:
		return 0
	}
}

// dress adds what a kind of account has beside its balance.
func (h *household) dress(a *accountSpec, d dice) {
	s := h.user.style
	switch a.kind {
	case "GIRO":
		a.supported = []string{"SEPA_CREDIT_TRANSFER", "INSTANT_PAYMENT"}
		a.standingOrder = h.person.persona != student
	case "DEPOT":
		a.market, a.holding, a.closes = true, true, d.on("closes").chance(0.5)
	case "OTHER":
		a.unvalued, a.closes = true, true
	case "KREDIT_KARTE":
		a.number = "5232" + strings.Repeat("X", 8) + d.on("card").digits(4)
	}
	if d.on("icon").chance(s.odds(0.3)) {
		a.icon = ""
	}
	if d.on("unknown").chance(s.odds(0.25)) {
		a.extra.text("productColor", "grün")
		a.extra.add("limits", `{"daily":1000.00,"single":`+d.on("limit").digits(3)+`.50}`)
	}
	if a.bank.bic != "" && d.on("bic").chance(s.odds(0.1)) {
		a.bank.bic = ""
	}
}
