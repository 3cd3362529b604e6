package sandbox

import "slices"

// state is what finoOS knows of a user after the first k analyses. It never
// changes once built: requests share it.
type state struct {
	h         *household
	analyses  []analysis
	accounts  []openAccount
	bookings  []booking // by day
	hidden    []booking // those that count in balances alone: a first analysis has not found them yet
	contracts []contract
}

// openAccount is an account that the user has connected.
type openAccount struct {
	*accountSpec
	since   int // the analysis that found it
	until   int // the one that no longer did, or never
	through day // the day of the newest data
}

// contract is a deal as the newest analysis sees it.
type contract struct {
	*source
	bookings []*booking
	revision int
	active   bool
	next     day // 0: none
}

// last is the index of the newest analysis.
func (st *state) last() int { return len(st.analyses) - 1 }

// today is the day of the newest analysis.
func (st *state) today() day { return st.analyses[st.last()].day }

// build replays the analyses, one by one. The result is a pure function of
// its arguments.
func build(h *household, analyses []analysis, o Options) *state {
	b := builder{
		state: state{h: h, analyses: analyses}, removeTags: o.RemoveTags, correctOld: o.OldCorrections, inTwo: o.Readings.FirstAnalysis != "",
		found: make([]bool, len(h.sources)), dismissed: make([]bool, len(h.sources)), revisions: make([]int, len(h.sources)),
	}
	if len(analyses) == 0 {
		return &b.state
	}
	b.rest = h.bookings(b.today())
	for j := range analyses {
		b.analyse(j)
	}
	b.bookings = slices.DeleteFunc(b.bookings, func(t booking) bool { return t.gone })
	slices.SortStableFunc(b.bookings, func(a, c booking) int { return int(a.day - c.day) })
	b.findContracts()
	return &b.state
}

// builder makes a state.
type builder struct {
	state
	removeTags bool
	correctOld int
	inTwo      bool      // the first analysis finds what is of its month alone
	rest       []booking // not yet seen by an analysis, by day
	found      []bool    // by source: a hidden contract has been found
	dismissed  []bool    // by source: the contract is no longer listed
	revisions  []int     // by source
}

// analyse is what one analysis finds. Everything that a night changes is
// listed here, in this order.
func (b *builder) analyse(j int) {
	a := b.analyses[j]
	d := b.h.dice.on("analyse", a.night, a.seq)
	b.meet(j, d)
	fresh := b.reveal(j)
	if j == 0 || b.h.fixed {
		return
	}
	if !fresh && (a.seq == 0 || d.on("shop").chance(0.7)) {
		b.shop(j)
	}
	b.tagOld(j, d)
	b.alter(j, d)
	b.correct(j, d)
	b.revise(d)
	if b.removeTags && d.on("untag").chance(0.3) {
		b.untag(j, d)
	}
	if a.night <= b.correctOld {
		b.rewrite(j, d)
	}
}

// meet connects accounts, and closes some that leave no bookings behind.
func (b *builder) meet(j int, d dice) {
	for _, spec := range b.h.accounts {
		have := slices.ContainsFunc(b.accounts, func(o openAccount) bool { return o.accountSpec == spec })
		if !have && (!spec.late || j > 0 && d.on("late").chance(0.3)) {
			b.accounts = append(b.accounts, openAccount{accountSpec: spec, since: j, until: never})
		}
	}
	for i := range b.accounts {
		acc := &b.accounts[i]
		if acc.closes && j > acc.since && acc.until == never && !b.h.fixed && d.on("close", i).chance(0.06) {
			acc.until = j
		}
		if acc.until == never && (acc.since == j || b.analyses[j].logins&(1<<acc.login) != 0) {
			acc.through = b.analyses[j].day
		}
	}
}

// reveal takes over the bookings that the banks have by now; it tells whether
// there were any.
func (b *builder) reveal(j int) bool {
	n := len(b.bookings)
	kept := b.rest[:0:0]
	for i, t := range b.rest {
		if t.day > b.analyses[j].day {
			kept = append(kept, b.rest[i:]...)
			break
		}
		k := b.open(t.account)
		there := k >= 0 && t.day <= b.accounts[k].through
		hides := b.inTwo && j == 0 && t.day <= b.analyses[0].day-month
		switch {
		case there && !hides:
			b.take(t, j)
			continue
		case there && len(b.analyses) == 1:
			b.hidden = append(b.hidden, t)
		}
		kept = append(kept, t)
	}
	b.rest = kept
	return len(b.bookings) > n
}

// month is how many days back a first analysis goes that finds the rest later.
const month = 30

func (b *builder) open(account int) int {
	return slices.IndexFunc(b.accounts, func(o openAccount) bool { return o.index == account && o.until == never })
}

// take adds a booking as analysis j finds it. What is fresh may have to wait
// for its tags; a few never get any.
func (b *builder) take(t booking, j int) {
	t.first = j
	if len(t.src.tags) > 0 {
		t.tagged = j
		roll := b.roll(&t, "tagged").below(100)
		switch fresh := t.day > b.analyses[j].day-7; {
		case b.h.fixed || t.src.deal != nil:
		case roll < 3:
			t.tagged = never
		case fresh && roll < 20:
			t.tagged = j + 1
		case fresh && roll < 25:
			t.tagged = j + 2
		}
		t.told = t.tagged == j || t.tagged != never && b.recentAt(t.day, t.tagged)
	}
	b.bookings = append(b.bookings, t)
}

// recentAt tells whether a nightly pull that follows analysis j still reads
// bookings of a day: it goes back ten days from the newest booking that the
// pull before has seen. Older bookings are never touched, in any way that
// banking/transactions shows, since nobody would notice.
func (b *builder) recentAt(d day, j int) bool {
	return j < len(b.analyses) && d > b.analyses[j-1].day-7
}

// findContracts lists the contracts as the newest analysis sees them.
func (b *builder) findContracts() {
	paid := make([][]*booking, len(b.h.sources))
	for i := range b.bookings {
		if t := &b.bookings[i]; !t.mirror && t.src.deal != nil {
			paid[t.src.key] = append(paid[t.src.key], t)
		}
	}
	for k, s := range b.h.sources {
		if s.deal == nil || b.dismissed[k] || s.deal.hidden && !b.found[k] || len(paid[k]) < 2 && !s.deal.always {
			continue
		}
		c := contract{source: s, bookings: paid[k], revision: b.revisions[k], active: true}
		if n := len(paid[k]); n > 0 {
			c.next = paid[k][n-1].day.addMonths(s.deal.months)
			if c.next+day(15*s.deal.months) < b.today() {
				c.active, c.next = false, 0
			}
		}
		b.contracts = append(b.contracts, c)
	}
}
