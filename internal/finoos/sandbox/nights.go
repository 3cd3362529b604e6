package sandbox

// What analyses change beside the plain passing of time. Two rules bind all
// of it, so that Truth can be reached by a reader who follows the document:
// banking/transactions changes only where a nightly pull looks (see
// recentAt), and nothing that carries tags vanishes, since a categorization
// diff does not tell what is gone.

// shop makes sure that an analysis has something new: one purchase today.
func (b *builder) shop(j int) {
	a := b.analyses[j]
	for _, bought := range b.h.habits {
		s := bought.shops[0]
		if k := b.open(s.account); k < 0 || b.accounts[k].through != a.day {
			continue
		}
		roll := b.h.dice.on("shop", a.night, a.seq)
		cents := roll.between(bought.lo, bought.hi)
		if cents == 0 {
			cents = 100
		}
		b.take(booking{
			src: s, no: never + a.night*100 + a.seq, account: s.account, cents: -cents,
			day: a.day, value: a.day, counts: a.day, tagged: never,
		}, j)
		return
	}
}

var laterTags = []string{"Steuerrelevant", "Urlaub", "Gemeinsam", "Geschäftlich", "Fixkosten", "Überprüfen"}

// tagOld adds tags to bookings of the past.
func (b *builder) tagOld(j int, d dice) {
	for n := range 1 + d.on("tags").below(3) {
		t := &b.bookings[d.on("tag which", n).below(len(b.bookings))]
		tag := pick(d.on("tag", n), laterTags)
		if t.gone || t.tagged > j || len(t.more) > 0 {
			continue
		}
		t.more = append(t.more, extraTag{tag, j, t.first == j || b.recentAt(t.day, j)})
	}
}

// alter lets a recent booking vanish, or come back with another amount and
// purpose: what was only reserved is settled.
func (b *builder) alter(j int, d dice) {
	vanish, change := d.on("vanish").chance(0.15), d.on("change").chance(0.25)
	for i := len(b.bookings) - 1; i >= 0 && (vanish || change); i-- {
		t := &b.bookings[i]
		if t.first == j || t.gone || t.src.deal != nil || t.src.every > 0 || t.src.to > 0 || !b.recentAt(t.day, j) {
			continue
		}
		switch {
		case vanish && t.tagged >= j && len(t.more) == 0:
			t.gone, vanish = true, false
		case change:
			t.revised++
			t.cents += t.cents / 20
			change = false
		}
	}
}

// correct lets a payment of the last two months count from its value date on,
// which corrects the balances of the days between.
func (b *builder) correct(j int, d dice) {
	if !d.on("correct").chance(0.4) {
		return
	}
	today := b.analyses[j].day
	for i := len(b.bookings) - 1; i >= 0; i-- {
		t := &b.bookings[i]
		if t.day < today-57 {
			continue // a few may stand out of order, so go on
		}
		if t.counts != t.value && t.value > today-60 && t.day < today-7 && b.roll(t, "correct").chance(0.3) {
			t.counts = t.value
			return
		}
	}
}

// revise changes contracts: one is found, one is dropped, one is seen with
// other eyes.
func (b *builder) revise(d dice) {
	for k, s := range b.h.sources {
		if s.deal == nil {
			continue
		}
		switch roll := d.on("revise", k).below(100); {
		case s.deal.hidden && !b.found[k] && roll < 12:
			b.found[k] = true
		case s.deal.category != "Einkommen" && roll == 99:
			b.dismissed[k] = true
		case roll < 4:
			b.revisions[k]++
		}
	}
}

// oldest is how many days back no window of a nightly pull reaches.
const oldest = 150

// rewrite corrects the purpose of a booking from long ago.
func (b *builder) rewrite(j int, d dice) {
	n := d.on("rewrite").below(len(b.bookings))
	for i := range b.bookings {
		t := &b.bookings[(n+i)%len(b.bookings)]
		if t.day < b.analyses[j].day-oldest && t.src.purpose != "" && !t.gone {
			t.revised++
			return
		}
	}
}

// untag takes tags away from categorization. banking/transactions goes on
// showing them, as it does with all old bookings.
func (b *builder) untag(j int, d dice) {
	t := &b.bookings[d.on("untag which").below(len(b.bookings))]
	if t.tagged <= j {
		t.untagged, t.untaggedAt = true, j
	}
}
