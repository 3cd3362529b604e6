package sandbox

import "net/http"

// getCategorization answers GET …/categorization: in full, or with
// ?correlation-id= only the tags that were added since that analysis.
func (s *Sandbox) getCategorization(c *call) answer {
	st, _ := s.state(c.index, categorization)
	since, known := s.since(c, st)
	if !known {
		return failure(s.opts.UnknownCorrelation, "unknown_correlation", "there is no such analysis, or it is too old")
	}
	n, valid := s.pageAsked(c, s.listing())
	if !valid {
		return failure(http.StatusBadRequest, "invalid_request", "there is no such page")
	}
	var some []*booking
	for i := range st.bookings {
		if t := &st.bookings[i]; s.opts.Readings.changed(t, since, st.last()) {
			some = append(some, t)
		}
	}
	return s.writeCategorization(st, some, since, n)
}

// since is the index of the analysis that a diff starts from, -1 for none.
func (s *Sandbox) since(c *call, st *state) (int, bool) {
	id := c.r.URL.Query().Get("correlation-id")
	if id == "" {
		return -1, true
	}
	for k := st.last(); k >= 0 && k > st.last()-s.opts.KeepAnalyses; k-- {
		if s.correlationID(st.analyses[k], categorization) == id {
			return s.opts.Readings.from(k, true)
		}
	}
	return s.opts.Readings.from(0, false)
}

func (s *Sandbox) writeCategorization(st *state, some []*booking, since, n int) answer {
	f := s.listing()
	size := s.opts.CategorizationPageSize
	if f.NoContext || s.opts.Readings.Context == "null" {
		size = max(1, len(some)) // without metaData nobody could know of a second page
	}
	if len(some) == 0 && st.h.user.style.noContent {
		return answer{status: http.StatusNoContent}
	}
	f.Shift = ShiftNone
	p := s.cutAround("categorization", n, size, len(some), f)
	p.number = n + s.firstPage(f)
	w := wire{ascii: st.h.user.style.ascii}
	w.open('{')
	w.key("categorization")
	w.b = append(w.b, '[')
	for _, t := range some[p.from:p.to] {
		told := since
		if s.opts.DiffWholeTags {
			told = -1
		}
		st.categorize(&w, t, t.tags(told, st.last()))
	}
	w.close(']')
	s.meta(&w, f, p, "metaData")
	w.close('}')
	return ok(w.b)
}

// getCategorized answers GET …/categorization/transactions.
func (s *Sandbox) getCategorized(c *call) answer {
	st, _ := s.state(c.index, categorization)
	w := wire{ascii: st.h.user.style.ascii}
	w.open('{')
	w.key("accounts")
	w.b = append(w.b, '[')
	for _, acc := range st.openAccounts() {
		st.account(&w, acc)
		w.b = w.b[:len(w.b)-1] // reopen the object
		w.key("transactions")
		w.b = append(w.b, '[')
		for i := range st.bookings {
			if t := &st.bookings[i]; t.account == acc.index {
				st.categorize(&w, t, t.tags(-1, st.last()))
			}
		}
		w.close(']')
		w.close('}')
	}
	w.close(']')
	w.close('}')
	return ok(w.b)
}
