package sandbox

// window is how many days of history an analysis computes.
const window = 730

// balances are an account's balances at the end of each day, from the day it
// was opened to the user's newest analysis. They follow from the bookings.
func (st *state) balances(acc openAccount) []int64 {
	days := int(st.ends(acc)-acc.opened) + 1
	if days <= 0 || acc.unvalued {
		return nil
	}
	out := make([]int64, days)
	switch {
	case acc.eod != nil:
		acc.recorded(out)
	case acc.market:
		st.follow(acc, out)
	default:
		st.sum(acc, out)
	}
	return out
}

// ends is the last day of an account's history.
func (st *state) ends(acc openAccount) day {
	if acc.until != never {
		return st.analyses[acc.until-1].day
	}
	return st.today()
}

// sum adds up bookings, each from the day on which it counts.
func (st *state) sum(acc openAccount, out []int64) {
	for _, list := range [][]booking{st.bookings, st.hidden} {
		for i := range list {
			if t := &list[i]; t.account == acc.index {
				if k := int(t.counts - acc.opened); k < len(out) {
					out[max(k, 0)] += t.cents
				}
			}
		}
	}
	have := acc.opening
	for i := range out {
		have += out[i]
		out[i] = have
	}
}

// follow lets the balance of a depot walk with the market, week by week; it
// stands still where the bank was not asked.
func (st *state) follow(acc openAccount, out []int64) {
	have := acc.opening
	for i := range out {
		if d := acc.opened + day(i); d%7 == 0 && d <= acc.through {
			have += have * int64(st.h.dice.on("market", acc.index, int(d)).below(61)-28) / 1000
		}
		out[i] = have
	}
}

// recorded fills recorded balances forward.
func (a *accountSpec) recorded(out []int64) {
	next, have := 0, a.opening
	for i := range out {
		for next < len(a.eod) && a.eod[next].day <= a.opened+day(i) {
			have = a.eod[next].cents
			next++
		}
		out[i] = have
	}
}

// balance is the newest one.
func (st *state) balance(acc openAccount) (int64, bool) {
	all := st.balances(acc)
	if len(all) == 0 {
		return 0, false
	}
	return all[len(all)-1], true
}

// history writes an account's entry: one balance a day within the window.
func (st *state) history(w *wire, acc openAccount) {
	s := st.h.user.style
	all := st.balances(acc)
	from := max(acc.opened, st.today()-window+1)
	w.open('{')
	w.str(s.id("account"), acc.id)
	w.str("currency", acc.currency)
	w.key("balances")
	w.b = append(w.b, '[')
	for i := int(from - acc.opened); i < len(all); i++ {
		w.open('{')
		s.date(w, "date", acc.opened+day(i))
		w.cents("balance", all[i])
		w.close('}')
	}
	w.close(']')
	w.close('}')
}

// histories writes the answer of account-history.
func (st *state) histories(w *wire) {
	w.open('{')
	w.key("histories")
	w.b = append(w.b, '[')
	for _, acc := range st.accounts {
		if acc.until == never && !acc.unvalued {
			st.history(w, acc)
		}
	}
	w.close(']')
	w.close('}')
}
