package sandbox

import (
	"net/http"
)

// tags are those of a booking as categorization tells them, of all analyses
// after one: all of them for since = -1.
func (t *booking) tags(since, last int) []string {
	var tags []string
	if t.tagged > since && t.tagged <= last && !t.untagged {
		tags = append(tags, t.src.tags...)
	}
	for _, m := range t.more {
		if m.at > since {
			tags = append(tags, m.tag)
		}
	}
	return tags
}

// bankTags are those that banking/transactions tells: the same, but for what
// was added to a booking that had grown old by then.
func (t *booking) bankTags(last int) []string {
	var tags []string
	if t.told && t.tagged <= last {
		tags = append(tags, t.src.tags...)
	}
	for _, m := range t.more {
		if m.told {
			tags = append(tags, m.tag)
		}
	}
	return tags
}

// categorize writes one entry of categorization.
func (st *state) categorize(w *wire, t *booking, tags []string) {
	s := st.h.user.style
	w.open('{')
	w.str(s.id("transaction"), st.txID(t))
	w.str(s.id("account"), st.h.accounts[t.account].id)
	switch {
	case tags == nil:
		s.gap(w, "tags", 2)
	case s.tagObjects == 0:
		w.strs("tags", tags)
	default:
		st.tagObjects(w, tags)
	}
	t.categorizationExtra(st.h).write(w)
	w.close('}')
}

// tagObjects writes tags as objects, which the document does not show but
// its readers must accept.
func (st *state) tagObjects(w *wire, tags []string) {
	w.key("tags")
	w.b = append(w.b, '[')
	for _, tag := range tags {
		w.open('{')
		if st.h.user.style.tagObjects == 2 {
			w.str("name", tag)
		} else {
			w.str("id", tag)
			if st.h.tagNames {
				w.str("name", tag+" (Kategorie)")
			}
		}
		w.close('}')
	}
	w.close(']')
}

// categorizationExtra hangs on the booking alone: every diff tells it again,
// with the same value, or the rows of older tags would be wrong.
func (t *booking) categorizationExtra(h *household) extras {
	var e extras
	if h.joined {
		return nil
	}
	if d := h.dice.on("confidence", t.src.key, t.no, int(t.day)); d.chance(h.user.style.odds(0.1)) {
		e.add("confidence", "0."+d.digits(2))
	}
	return e
}

// getCategorization answers GET …/categorization: in full, or with
// ?correlation-id= only the tags that were added since that analysis.
func (s *Sandbox) getCategorization(c *call) answer {
	st, _ := s.read(c, categorization)
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

// getCategorized answers GET …/categorization/transactions: the accounts, each with its
// transactions, and the tags of these as categorization tells them.
func (s *Sandbox) getCategorized(c *call) answer {
	if s.opts.Readings.Joined == "404" {
		return failure(http.StatusNotFound, "not_found", "there is nothing here")
	}
	st := s.readJoined(c)
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
				st.joined(&w, t, s.opts.Readings.Joined)
			}
		}
		w.close(']')
		w.close('}')
	}
	w.close(']')
	w.close('}')
	return ok(w.b)
}
