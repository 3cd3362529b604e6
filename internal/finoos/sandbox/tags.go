package sandbox

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
	if d := h.dice.on("confidence", t.src.key, t.no, int(t.day)); d.chance(h.user.style.odds(0.1)) {
		e.add("confidence", "0."+d.digits(2))
	}
	return e
}
