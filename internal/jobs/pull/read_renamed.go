package pull

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// An account has one balance a day in each currency. Where the currency is told on
// one night and not on another, the same balances come under another key, and those
// of before would stand beside them for ever: they are deleted, as far as the
// answer reaches (docs/design.md, "What a row means"). Of two names neither is the
// other's, and a currency that is absent deletes nothing.

// answered is what an answer has of an account, whatever the currency.
type answered struct {
	first, last int32 // days since 1970
	days        bool  // there are some
	nameless    bool  // in no currency
	partial     bool  // some of them are not known
}

// extend takes a series of the answer in.
func (h *historyPass) extend(a *seriesMonths) {
	e := h.extents[a.account]
	e.partial = e.partial || a.partial
	if len(a.months) > 0 {
		if !e.days {
			e.first, e.last, e.days = a.first, a.last, true
		}
		e.first, e.last = min(e.first, a.first), max(e.last, a.last)
		e.nameless = e.nameless || a.currency == ""
	}
	h.extents[a.account] = e
}

// endRenamed deletes the series that the answer has under another key.
func (h *historyPass) endRenamed() {
	renamed := func(of series) bool {
		e := h.extents[of.account]
		return e.days && !e.partial && !h.met[of] && (of.currency == "" || e.nameless)
	}
	for _, key := range keysOfMonths(h.old) {
		if !renamed(key.series) {
			continue
		}
		e, left := h.extents[key.account], month{}
		before := h.old[key]
		before.bitmap |= before.beyond
		for days := range before.each(key) {
			switch {
			case days > e.last:
				left.beyond |= 1 << Midnight(days).Day()
			case days >= e.first:
				h.remove(key.series, days)
			}
		}
		if delete(h.next, key); left.beyond != 0 {
			h.next[key] = left
		}
	}
}

// keysOfMonths returns what is remembered, in order.
func keysOfMonths(h history) []monthKey {
	return slices.SortedFunc(maps.Keys(h), func(a, b monthKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.currency, b.currency), cmp.Compare(a.month, b.month))
	})
}

// each yields the days of a month, since 1970.
func (m month) each(of monthKey) func(yield func(days int32) bool) {
	first := DaysOf(time.Date(int(of.month/12), time.Month(of.month%12+1), 1, 0, 0, 0, 0, time.UTC))
	return func(yield func(int32) bool) {
		for d := int32(1); d <= 31; d++ {
			if m.bitmap&(1<<d) != 0 && !yield(first+d-1) {
				return
			}
		}
	}
}
