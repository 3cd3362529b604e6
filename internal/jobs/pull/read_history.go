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
	old, err := decodeHistory(c.State)
	if err != nil {
		old = history{}
	}
	res.Whole = err != nil || r.WantsFull(c)
	var next history
	var deletes []table.Row
	start := func() { next, deletes = maps.Clone(old), nil }
	err = Collect(ctx, res, list, start, func(rec *finoos.AccountHistory, emit func(table.Row) error) error {
		a := newAccountMonths(rec)
		a.replace(next)
		for _, key := range slices.SortedFunc(maps.Keys(a.months), func(x, y monthKey) int { return int(x.month - y.month) }) {
			if before, known := old[key]; known && !res.Whole && a.same(key, before) {
				continue
			}
			for _, i := range a.balances[key] {
				if err := emit(HistoryRow(res, rec, &rec.Balances[i])); err != nil {
					return err
				}
			}
		}
		known := old
		if c.Backfilled {
			known = a.everyDay() // it may have brought days that the fingerprints do not know
		}
		for _, date := range a.vanished(known) {
			deletes = append(deletes, &table.AccountHistory{
				UserID: u.ID, AccountID: rec.AccountID, Date: table.DateOf(Midnight(date)), Meta: res.meta(table.Delete, ""),
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range deletes {
		res.remove(row)
	}
	res.state = next.encode()
	return nil
}

// accountMonths is one account's answer, cut into months.
type accountMonths struct {
	account     string
	first, last int32 // days since 1970; the range that the answer covers
	months      map[monthKey]month
	balances    map[monthKey][]int // indexes into the answer, each day once
}

// daysKept is how many of the oldest months of an answer keep a hash of each
// day: those from which the sliding window takes days away before the next
// pull can see the month again.
const daysKept = 2

func newAccountMonths(rec *finoos.AccountHistory) *accountMonths {
	a := &accountMonths{account: rec.AccountID, months: map[monthKey]month{}, balances: map[monthKey][]int{}}
	if !a.span(rec) {
		return a
	}
	oldest := monthOf(Midnight(a.first))
	hash := dayHasher(rec)
	var key monthKey // of the day before, as it is for most
	var m month
	var days []int
	for i := range rec.Balances {
		b := &rec.Balances[i]
		if b.Date.IsZero() {
			continue
		}
		if at := (monthKey{account: a.account, month: monthOf(b.Date)}); at != key {
			a.keep(key, m, days)
			key = at
			m, days = a.months[key], a.balances[key]
			if days == nil {
				days = make([]int, 0, 31)
			}
		}
		on := b.Date.Day()
		if m.bitmap&(1<<on) != 0 {
			continue
		}
		h := hash(b)
		m.bitmap |= 1 << on
		m.hash += h
		if key.month < oldest+daysKept {
			if m.days == nil {
				m.days = make(map[int]uint32, 31)
			}
			m.days[on] = uint32(h) // half of the hash is enough for a day
		}
		days = append(days, i)
	}
	a.keep(key, m, days)
	return a
}

// span finds the first and the last day; false where there is none. A balance
// of no day has no row.
func (a *accountMonths) span(rec *finoos.AccountHistory) (found bool) {
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

func (a *accountMonths) keep(key monthKey, m month, days []int) {
	if len(days) > 0 {
		a.months[key], a.balances[key] = m, days
	}
}

// dayHasher returns the hash of a day of an account: it covers the balance,
// its day, and what the answer says of the whole account, all of which stand
// in the day's row.
func dayHasher(rec *finoos.AccountHistory) func(*finoos.Balance) uint64 {
	text := []byte(rec.Currency + "\x00" + rec.Extra + "\x00")
	return func(b *finoos.Balance) uint64 {
		return xxhash.Sum64(binary.LittleEndian.AppendUint64(text, b.Hash))
	}
}

func monthOf(t time.Time) int32 {
	y, m, _ := t.Date()
	return int32(y)*12 + int32(m) - 1 // a year of four digits
}

// replace puts the answer's months into what will be remembered, and takes
// out the months that lie before or within the answer and are not in it.
func (a *accountMonths) replace(next history) {
	if len(a.months) == 0 {
		return
	}
	last := monthOf(Midnight(a.last))
	maps.DeleteFunc(next, func(k monthKey, _ month) bool { return k.account == a.account && k.month <= last })
	maps.Copy(next, a.months)
}

// same says whether a month of the answer is what is remembered, but for days
// that the sliding window has taken away at its beginning.
func (a *accountMonths) same(key monthKey, before month) bool {
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
func (a *accountMonths) everyDay() history {
	all := history{}
	if len(a.months) == 0 {
		return all
	}
	for days := a.first; days <= a.last; days++ {
		date := Midnight(days)
		key := monthKey{account: a.account, month: monthOf(date)}
		m := all[key]
		m.bitmap |= 1 << date.Day()
		all[key] = m
	}
	return all
}

// vanished returns the remembered days that lie between the first and the
// last day of the answer and are not in it, in order.
func (a *accountMonths) vanished(old history) []int32 {
	var gone []int32
	for key, before := range old {
		if key.account != a.account || len(a.months) == 0 {
			continue
		}
		missing := before.bitmap &^ a.months[key].bitmap
		first := DaysOf(time.Date(int(key.month/12), time.Month(key.month%12+1), 1, 0, 0, 0, 0, time.UTC))
		for d := int32(1); d <= 31; d++ {
			if days := first + d - 1; missing&(1<<d) != 0 && days > a.first && days < a.last {
				gone = append(gone, days)
			}
		}
	}
	slices.Sort(gone)
	return gone
}
