package pull

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"

	"github.com/cespare/xxhash/v2"
)

// readHistory reads the daily balances of all accounts and writes the months
// that differ from what is remembered. The window of the answer slides: days
// that leave it at its beginning stay in the lake, days that are missing
// within it are deleted, and an account that is missing deletes nothing. The
// mode is always diff, so that a full pull does not drop the days that the API
// no longer tells.
func (r *Reader) readHistory(ctx context.Context, u *User, res *Result) error {
	list, err := r.Client.AccountHistory(ctx, u.ID)
	if err != nil {
		return err
	}
	res.unfiltered = true
	c := u.Cursor(res.Stream)
	old, err := decodeHistory(r.Veil.open(c))
	if err != nil {
		old = history{}
	}
	res.Whole = err != nil || r.WantsFull(c)
	lost := err != nil && !c.PulledAt.IsZero()
	if r.Veil.hasOtherKeys(c) { // days under the keys of before would stand beside these
		old, lost = history{}, false
		res.readAll()
	}
	h := &historyPass{res: res, old: old, unsure: c.Backfilled || c.Erased || lost}
	if err := Collect(ctx, res, list, h.pass()); err != nil {
		return err
	}
	h.endRenamed()
	for _, row := range h.deletes {
		res.remove(row)
	}
	res.state = h.next.encode()
	return nil
}

// CollectDays collects the balances of the days from since to until.
func CollectDays(ctx context.Context, res *Result, list *finoos.List[finoos.AccountHistory], since, until int32) error {
	return CollectPicked(ctx, res, list, nil, func(rec *finoos.AccountHistory, stands func(uint64, ...string) bool, emit func(table.Row) error) error {
		if rec.Currency == "" {
			res.Issues.NoCurrency++
		}
		hash := dayHasher(res, rec)
		for i := range rec.Balances {
			b := &rec.Balances[i]
			day := DaysOf(b.Date)
			if b.Date.IsZero() || day < since || day > until || !stands(hash(b), rec.AccountID, rec.Currency, b.Date.Format(time.DateOnly)) {
				continue
			}
			if err := emit(HistoryRow(res, rec, b)); err != nil {
				return err
			}
		}
		return nil
	})
}

// historyPass goes through an answer of balances, series by series. Most have one
// entry for each, and one balance a day; where an entry goes on with a series, or
// has a day twice, it has to be known first which balance stands on each day:
//
//	write ──> as it should be ──> done
//	      └─> scattered ──> gather ──> write, of each day the balance that stands
type historyPass struct {
	res *Result
	old history
	// unsure says that the lake may hold days that the fingerprints do not know: of a
	// backfill, deleted by a pull that was taken back, or remembered under another key.
	unsure bool

	next      history
	deletes   []table.Row
	met       map[series]bool
	extents   map[string]answered
	scattered bool
	gathered  map[series]*gatheredDays // nil until all entries have been gone through for it
	gathering bool
}

// gatheredDays are what all entries of a series hold together.
type gatheredDays struct {
	days    map[int32]uint64 // the hash that stands on each
	partial bool
	written map[int32]bool // in this pass
	months  *seriesMonths
}

func (h *historyPass) pass() Pass[finoos.AccountHistory] {
	return Pass[finoos.AccountHistory]{Start: h.start, Visit: h.visit, Again: h.again}
}

func (h *historyPass) start() {
	h.next, h.deletes = maps.Clone(h.old), nil
	h.met, h.extents = map[series]bool{}, map[string]answered{}
	for _, g := range h.gathered {
		g.written = map[int32]bool{}
	}
}

func (h *historyPass) again() bool {
	switch {
	case h.gathering:
		h.gathering = false
		for of, g := range h.gathered {
			g.months = monthsOf(of, g)
		}
		return true
	case h.scattered && h.gathered == nil:
		h.gathering, h.gathered = true, map[series]*gatheredDays{}
		return true
	}
	return false
}

func (h *historyPass) visit(rec *finoos.AccountHistory, emit func(table.Row) error) error {
	of := series{rec.AccountID, rec.Currency}
	switch {
	case h.gathering:
		h.gather(of, rec)
		return nil
	case h.gathered != nil:
		return h.writeGathered(of, rec, emit)
	case h.met[of]:
		h.scattered = true
		return nil
	}
	h.met[of] = true
	if rec.Currency == "" {
		h.res.Issues.NoCurrency++
	}
	a := newSeriesMonths(h.res, rec)
	if a.twice {
		h.scattered = true
		return nil
	}
	h.replace(a)
	for _, key := range slices.SortedFunc(maps.Keys(a.months), func(x, y monthKey) int { return int(x.month - y.month) }) {
		if !h.changed(a, key) {
			continue
		}
		for _, i := range a.balances[key] {
			if err := emit(HistoryRow(h.res, rec, &rec.Balances[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// changed says whether a month of the answer has to be written.
func (h *historyPass) changed(a *seriesMonths, key monthKey) bool {
	before, known := h.old[key]
	return !known || h.res.Whole || !a.same(key, before)
}

// replace remembers a series, and deletes the days that have vanished from it.
func (h *historyPass) replace(a *seriesMonths) {
	h.extend(a)
	a.replace(h.next)
	known := h.old
	if h.unsure {
		known = a.everyDay()
	}
	if a.partial { // which days are not known cannot be told: a later answer does
		for _, date := range a.vanished(known) {
			at := Midnight(date)
			key := monthKey{series: a.series, month: monthOf(at)}
			m := h.next[key]
			m.beyond |= 1 << at.Day()
			h.next[key] = m
		}
		return
	}
	for _, date := range a.vanished(known) {
		h.remove(a.series, date)
	}
}

func (h *historyPass) remove(of series, date int32) {
	h.deletes = append(h.deletes, &table.AccountHistory{
		UserID: h.res.User, AccountID: of.account, Currency: of.currency, Date: table.DateOf(Midnight(date)), Meta: h.res.meta(table.Delete, ""),
	})
}

// gather adds an entry to what is known of its series.
func (h *historyPass) gather(of series, rec *finoos.AccountHistory) {
	g := h.gathered[of]
	if g == nil {
		g = &gatheredDays{days: map[int32]uint64{}}
		h.gathered[of] = g
	}
	g.partial = g.partial || !rec.Complete()
	hash := dayHasher(h.res, rec)
	for i := range rec.Balances {
		b := &rec.Balances[i]
		if b.Date.IsZero() {
			continue
		}
		day := DaysOf(b.Date)
		before, twice := g.days[day]
		if is := hash(b); !twice || is > before {
			g.days[day] = is
		}
	}
}

// writeGathered writes what stands of an entry, once its whole series is known.
func (h *historyPass) writeGathered(of series, rec *finoos.AccountHistory, emit func(table.Row) error) error {
	g := h.gathered[of]
	if !h.met[of] {
		h.met[of] = true
		h.replace(g.months)
		if rec.Currency == "" {
			h.res.Issues.NoCurrency++
		}
	}
	hash := dayHasher(h.res, rec)
	for i := range rec.Balances {
		b := &rec.Balances[i]
		if b.Date.IsZero() {
			continue
		}
		day := DaysOf(b.Date)
		switch {
		case hash(b) != g.days[day]:
			h.res.Issues.Repeated++
			continue
		case g.written[day]:
			continue
		}
		g.written[day] = true
		if !h.changed(g.months, monthKey{series: of, month: monthOf(b.Date)}) {
			continue
		}
		if err := emit(HistoryRow(h.res, rec, b)); err != nil {
			return err
		}
	}
	return nil
}

// seriesMonths is the answer of one series, cut into months.
type seriesMonths struct {
	series

	first, last int32 // days since 1970; the range that the answer covers
	months      map[monthKey]month
	balances    map[monthKey][]int // indexes into the entry
	partial     bool               // some of its days are not known
	twice       bool               // a day is told more than once
}

// monthsOf is what is gathered of a series.
func monthsOf(of series, g *gatheredDays) *seriesMonths {
	a := &seriesMonths{series: of, months: map[monthKey]month{}, partial: g.partial}
	for i, day := range slices.Sorted(maps.Keys(g.days)) {
		if i == 0 {
			a.first = day
		}
		a.last = day
		date := Midnight(day)
		key := monthKey{series: of, month: monthOf(date)}
		m := a.months[key]
		m.add(date.Day(), g.days[day], key.month < monthOf(Midnight(a.first))+daysKept)
		a.months[key] = m
	}
	return a
}

// add puts a day into a month; own keeps a hash of it beside the sum.
func (m *month) add(day int, hash uint64, own bool) {
	m.bitmap |= 1 << day
	m.hash += hash
	if own {
		if m.days == nil {
			m.days = make(map[int]uint32, 31)
		}
		m.days[day] = uint32(hash) // half of the hash is enough for a day
	}
}

// daysKept is how many of the oldest months of an answer keep a hash of each
// day: those from which the sliding window takes days away before the next
// pull can see the month again.
const daysKept = 2

func newSeriesMonths(res *Result, rec *finoos.AccountHistory) *seriesMonths {
	a := &seriesMonths{series: series{rec.AccountID, rec.Currency}, months: map[monthKey]month{}, balances: map[monthKey][]int{}, partial: !rec.Complete()}
	if !a.span(rec) {
		return a
	}
	oldest := monthOf(Midnight(a.first))
	hash := dayHasher(res, rec)
	var key monthKey // of the day before, as it is for most
	var m month
	var days []int
	for i := range rec.Balances {
		b := &rec.Balances[i]
		if b.Date.IsZero() {
			continue
		}
		if at := (monthKey{series: a.series, month: monthOf(b.Date)}); at != key {
			a.keep(key, m, days)
			key = at
			m, days = a.months[key], a.balances[key]
			if days == nil {
				days = make([]int, 0, 31)
			}
		}
		on := b.Date.Day()
		if m.bitmap&(1<<on) != 0 {
			a.twice = true
			break
		}
		m.add(on, hash(b), key.month < oldest+daysKept)
		days = append(days, i)
	}
	a.keep(key, m, days)
	return a
}

// span finds the first and the last day; false where there is none. A balance
// of no day has no row.
func (a *seriesMonths) span(rec *finoos.AccountHistory) (found bool) {
	for i := range rec.Balances {
		if rec.Balances[i].Date.IsZero() {
			continue
		}
		days := DaysOf(rec.Balances[i].Date)
		if !found {
			found, a.first, a.last = true, days, days
		}
		a.first, a.last = min(a.first, days), max(a.last, days)
	}
	return found
}

func (a *seriesMonths) keep(key monthKey, m month, days []int) {
	if len(days) > 0 {
		a.months[key], a.balances[key] = m, days
	}
}

// dayHasher returns the hash of a day of an account: it covers the balance,
// its day, and what the answer says of the whole account, all of which stand
// in the day's row.
func dayHasher(res *Result, rec *finoos.AccountHistory) func(*finoos.Balance) uint64 {
	text := []byte(rec.Currency + "\x00" + rec.Extra + "\x00")
	return func(b *finoos.Balance) uint64 {
		return res.fingerprint(xxhash.Sum64(binary.LittleEndian.AppendUint64(text, b.Hash)), func() table.Row { return HistoryRow(res, rec, b) })
	}
}

func monthOf(t time.Time) int32 {
	y, m, _ := t.Date()
	return int32(y)*12 + int32(m) - 1 // a year of four digits
}

// replace puts the answer's months into what will be remembered, and takes
// out the months that lie before or within the answer and are not in it.
func (a *seriesMonths) replace(next history) {
	if len(a.months) == 0 {
		return
	}
	last := monthOf(Midnight(a.last))
	newest := monthKey{series: a.series, month: last}
	m, before := a.months[newest], next[newest]
	m.beyond = (before.bitmap | before.beyond) &^ (1<<(Midnight(a.last).Day()+1) - 1)
	a.months[newest] = m
	maps.DeleteFunc(next, func(k monthKey, _ month) bool { return k.series == a.series && k.month <= last })
	maps.Copy(next, a.months)
}

// same says whether a month of the answer is what is remembered, but for days
// that the sliding window has taken away at its beginning.
func (a *seriesMonths) same(key monthKey, before month) bool {
	now := a.months[key]
	if now.bitmap == before.bitmap {
		return now.hash == before.hash
	}
	if key.month != monthOf(Midnight(a.first)) || before.days == nil || now.bitmap&^before.bitmap != 0 {
		return false
	}
	for day, hash := range now.days {
		if before.days[day] != hash {
			return false
		}
	}
	return true
}

// everyDay is what would be remembered of an account with a balance on every
// day of the answer's range.
func (a *seriesMonths) everyDay() history {
	all := history{}
	if len(a.months) == 0 {
		return all
	}
	for days := a.first; days <= a.last; days++ {
		date := Midnight(days)
		key := monthKey{series: a.series, month: monthOf(date)}
		m := all[key]
		m.bitmap |= 1 << date.Day()
		all[key] = m
	}
	return all
}

// vanished returns the remembered days that lie between the first and the
// last day of the answer and are not in it, in order.
func (a *seriesMonths) vanished(old history) []int32 {
	var gone []int32
	for key, before := range old {
		if key.series != a.series || len(a.months) == 0 {
			continue
		}
		before.bitmap = (before.bitmap | before.beyond) &^ a.months[key].bitmap
		for days := range before.each(key) {
			if days > a.first && days < a.last {
				gone = append(gone, days)
			}
		}
	}
	slices.Sort(gone)
	return gone
}
