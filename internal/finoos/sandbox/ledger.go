package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// booking is one transaction.
type booking struct {
	src     *source
	no      int // tells apart several of one source on one day
	account int
	mirror  bool // seen from the other own account
	cents   int64
	day     day // bookingDate
	value   day // valueDate
	counts  day // from this day on it is in the balance

	// What analyses made of it, by index of the analysis.
	first      int  // appeared
	tagged     int  // got its source's tags; never if it has none
	told       bool // the tags are in banking/transactions too
	untagged   bool // the source's tags were taken away again
	untaggedAt int  // by which analysis
	more       []extraTag
	revised    int    // how often it changed
	gone       bool   // it has vanished
	extern     string // its id, where that is not ours to choose
}

// extraTag is a tag that a later analysis added.
type extraTag struct {
	tag  string
	at   int
	told bool
}

const never = 1 << 30

// bookings are a household's nominal bookings up to a day, oldest first.
func (h *household) bookings(to day) []booking {
	if h.fixed {
		return h.booked
	}
	g := generator{h: h, balance: make([]int64, len(h.accounts)), due: make([]day, len(h.sources))}
	for i, a := range h.accounts {
		g.balance[i] = a.opening
	}
	for d := h.genesis; d <= to; d++ {
		g.day(d)
	}
	slices.SortStableFunc(g.out, func(a, b booking) int { return int(a.day - b.day) })
	return g.out
}

// generator writes a ledger day by day. It runs from the genesis every time:
// a few hundred microseconds buy that nothing has to be remembered.
type generator struct {
	h       *household
	balance []int64
	due     []day // of each source this month; 0: none
	out     []booking
}

func (g *generator) day(d day) {
	y, m, dom := d.utc().Date()
	if dom == 1 || d == g.h.genesis {
		g.month(y, m)
	}
	for i, due := range g.due {
		if due == d {
			g.stand(g.h.sources[i], d)
		}
	}
	for i := range g.h.habits {
		g.spend(&g.h.habits[i], i, d)
	}
	switch dom {
	case 3:
		g.level(d.bankDay())
	case 28:
		g.settle(d.bankDay())
	}
	if dom == monthLength(y, m) && m%3 == 0 {
		g.interest(d)
	}
}

// month finds the days on which standing payments are due.
func (g *generator) month(y int, m time.Month) {
	length := monthLength(y, m)
	first := date(y, m, 1)
	for i, s := range g.h.sources {
		g.due[i] = 0
		if s.every == 0 || (y*12+int(m)+s.key)%s.every != 0 {
			continue
		}
		d := date(y, m, min(s.dom, length))
		for s.early && d.weekend() && d > first {
			d--
		}
		if d = d.bankDay(); d >= s.start && (s.stop == 0 || d < s.stop) {
			g.due[i] = d
		}
	}
}

func (g *generator) stand(s *source, d day) {
	cents := s.cents
	for _, st := range s.steps {
		if d >= st.from {
			cents = st.cents
		}
	}
	if s.jitter > 0 {
		cents += cents * int64(g.h.dice.on("jitter", s.key, int(d)).below(2*s.jitter+1)-s.jitter) / 1000
	}
	g.book(s, 0, d, d, cents)
}

// spend buys, or not. Purchases of a weekend are booked on Monday; that they
// count from their value date on is what later corrections are made of.
func (g *generator) spend(b *habit, i int, d day) {
	roll := g.h.dice.on("spend", i, int(d))
	if roll.below(3000) >= b.monthly*100 {
		return
	}
	cents := roll.on("cents").between(b.lo, b.lo+(b.hi-b.lo)*int64(roll.on("size").below(1000))/1000)
	if b.round > 1 {
		cents = cents / b.round * b.round
	}
	if cents == 0 {
		cents = b.round
	}
	s := pick(roll.on("shop"), b.shops)
	if acc := g.h.accounts[s.account]; acc.opened > d {
		return
	}
	booked := d.bankDay()
	value := d
	if booked == d && roll.on("value").chance(0.8) {
		value = booked
	} else if booked == d {
		value = d - 1
	}
	g.book(s, int(d), booked, value, -cents)
}

// book writes a payment, and its other side where that is an own account.
func (g *generator) book(s *source, no int, d, value day, cents int64) {
	if cents == 0 || d < g.h.accounts[s.account].opened {
		return
	}
	b := booking{src: s, no: no, account: s.account, cents: cents, day: d, value: value, counts: d, tagged: never}
	g.balance[b.account] += cents
	g.out = append(g.out, b)
	if s.to > 0 && d >= g.h.accounts[s.to].opened {
		b.account, b.mirror, b.cents = s.to, true, -cents
		b.value = d
		g.balance[b.account] -= cents
		g.out = append(g.out, b)
	}
}

// level keeps the GIRO within reason.
func (g *generator) level(d day) {
	have, income := g.balance[0], g.h.income
	switch {
	case have > 3*income:
		g.book(g.h.sweep, 0, d, d, -((have - 2*income) / 10000 * 10000))
	case have < -income*3/4:
		g.book(g.h.rescue, 0, d, d, (-have+income/4)/10000*10000+10000)
	}
}

// settle pays the credit card off.
func (g *generator) settle(d day) {
	if s := g.h.settle; s != nil && g.balance[s.to] < 0 {
		g.book(s, 0, d, d, g.balance[s.to])
	}
}

// interest is paid and charged at the end of a quarter.
func (g *generator) interest(d day) {
	for i, s := range g.h.interest {
		switch {
		case s == nil:
		case g.balance[i] > 0:
			g.book(s, 0, d.bankDay(), d, g.balance[i]*5/1000)
		default:
			g.book(s, 0, d.bankDay(), d, g.balance[i]*12/1000)
		}
	}
	if g.balance[0] < 0 {
		g.book(g.h.overdraft, 0, d.bankDay(), d, g.balance[0]*28/1000)
	}
}

// id names a booking. It hangs on what the booking is, not on its place in a
// list, so that it stays when others come and go.
func (t *booking) id(h *household) string {
	if t.extern != "" {
		return t.extern
	}
	side := 0
	if t.mirror {
		side = 1
	}
	return h.dice.on("booking", t.src.key, t.no, int(t.day), side).uuid()
}

var months = []string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"}

// words is the purpose as it is printed.
func (t *booking) words(h *household) string {
	if t.src.purpose == "" {
		return ""
	}
	y, m, dom := t.value.utc().Date()
	text := fill(t.src.purpose, "{m}", months[m-1])
	text = fill(text, "{y}", strconv.Itoa(y))
	if strings.Contains(text, "{n}") {
		text = fill(text, "{n}", h.dice.on("words", t.src.key, t.no, int(t.day)).digits(4))
	}
	if strings.Contains(text, "{d}") {
		text = fill(text, "{d}", strconv.Itoa(dom)+"."+strconv.Itoa(int(m))+".")
	}
	return text + strings.Repeat(" / berichtigt", t.revised)
}

func fill(text, hole, with string) string {
	if !strings.Contains(text, hole) {
		return text
	}
	return strings.ReplaceAll(text, hole, with)
}
