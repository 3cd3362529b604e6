package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// transactionReadings are about which transactions are answered, and how they
// are named.
func transactionReadings() []reading {
	return []reading{
		{"transaction_ids", "own shared number", "banks repeat an id in several accounts of a user, own transfers above all; others have numbers too long for a float", "", func(r *Readings) *string { return &r.TransactionIDs }},
		{"pending", "none undated", "what is only reserved has no date, and comes back booked under another id", "", func(r *Readings) *string { return &r.Pending }},
		{"since_compares", "booking_date value_date", "which date since and until compare is not documented", "", func(r *Readings) *string { return &r.SinceCompares }},
		{"window", "taken 400 403 416 old_400 ignored", "banks refuse windows, or those that reach back more than 90 days, or ignore them", "", func(r *Readings) *string { return &r.Window }},
		{"by_id", "taken ignored 400 404", "transactionIds may be ignored or refused", "", func(r *Readings) *string { return &r.ByID }},
	}
}

// txID is what the newest analysis calls a booking.
func (st *state) txID(t *booking) string {
	switch {
	case st.pending(t):
		return "pending-" + st.roll(t, "pending").uuid()
	case t.extern != "":
		return t.extern
	case st.h.transactionIDs == "shared" && t.mirror:
		other := *t
		other.mirror = false
		return other.id(st.h)
	case st.h.transactionIDs == "number":
		side := 0
		if t.mirror {
			side = 1
		}
		return "9" + st.roll(t, "number").on("side", side).digits(19)
	default:
		return t.id(st.h)
	}
}

func (st *state) roll(t *booking, what string) dice {
	return st.h.dice.on(what, t.src.key, t.no, int(t.day), t.account)
}

// pending tells whether a booking is only reserved as yet: it is fresh, and
// nothing knows it but banking/transactions, since what has tags or belongs to
// a contract must not come back under another id.
func (st *state) pending(t *booking) bool {
	return st.h.pending && t.extern == "" && t.first == st.last() && t.day > st.today()-7 &&
		t.tagged > st.last() && len(t.more) == 0 && t.src.deal == nil && t.src.every == 0 && t.src.to <= 0 && !t.mirror
}

// numbersIn writes the ids of transactions as number literals.
func numbersIn(records *node) {
	for _, rec := range records.items {
		literal(rec.get("transactionId"))
		if of := rec.get("transactions"); of != nil {
			numbersIn(of)
		}
	}
}

// literal takes the quotes off a number.
func literal(n *node) {
	if n != nil && strings.Trim(n.raw, `"0123456789`) == "" {
		n.raw = strings.Trim(n.raw, `"`)
	}
}

// refusesWindow answers queries that this reading of the API does not take.
func (s *Sandbox) refusesWindow(query url.Values, st *state) (answer, bool) {
	given := map[string]string{}
	for name, values := range query {
		given[strings.ToLower(name)] = values[0]
	}
	r := s.opts.Readings
	refuse := func(status, kind string) (answer, bool) {
		codes := map[string]int{"400": http.StatusBadRequest, "403": http.StatusForbidden, "404": http.StatusNotFound, "416": http.StatusRequestedRangeNotSatisfiable}
		code, refused := codes[status]
		return failure(code, kind, "the parameter is not accepted"), refused
	}
	if given["transactionids"] != "" {
		return refuse(r.ByID, "invalid_parameter")
	}
	since := given["since"]
	if since == "" && given["until"] == "" {
		return answer{}, false
	}
	if r.Window != "old_400" {
		return refuse(r.Window, "invalid_period")
	}
	at, err := time.Parse(time.RFC3339, since)
	if since != "" && (err != nil || len(st.analyses) == 0 || !at.Before((st.today() - 92).at(0))) {
		return answer{}, false
	}
	return refuse("400", "invalid_period")
}

// bend makes of a query what this reading of the API takes it for.
func (q wanted) bend(r Readings) wanted {
	q.byValue = r.SinceCompares == "value_date"
	if r.ByID == "ignored" {
		q.ids = nil
	}
	if r.Window == "ignored" && q.ids == nil {
		all, err := parseWanted(nil, nil)
		if err == nil {
			return all
		}
	}
	return q
}

// bend turns readings that are options, too, into these.
func (o *Options) bend() {
	r := o.Readings
	switch r.UnknownCorrelation {
	case "400":
		o.UnknownCorrelation = http.StatusBadRequest
	case "404":
		o.UnknownCorrelation = http.StatusNotFound
	case "410":
		o.UnknownCorrelation = http.StatusGone
	}
	if r.Diff != "" {
		o.DiffWholeTags = r.Diff == "whole" || r.Diff == "replaces"
	}
	if r.RemovedTags != "" {
		o.RemoveTags = r.RemovedTags == "removed"
	}
}

// from is the index of the analysis that a diff starts from, as the readings
// have it: -1 for none.
func (r Readings) from(k int, known bool) (int, bool) {
	switch {
	case k < 0 || r.Diff == "ignored":
		return -1, true
	case r.Diff == "refused":
		return 0, false
	case !known && r.UnknownCorrelation == "whole":
		return -1, true
	default:
		return k, known
	}
}

// changed tells whether a diff names a booking.
func (r Readings) changed(t *booking, since, last int) bool {
	return since < 0 || t.tags(since, last) != nil || r.Diff == "replaces" && t.untagged && t.untaggedAt > since
}

// joinedReadings are about the one body that holds accounts, transactions and tags. All
// but given say the same as the separate endpoints, or would but for what they name.
func joinedReadings() []reading {
	return []reading{
		{"joined", "given whole entries few_fields few_account_fields no_account_ids no_tags bank_tags lacks_booking lacks_account recent amounts_text cents behind 404", "categorization/transactions says other things than the separate endpoints: it lacks fields, tags, a booking, accounts without bookings, what is old or of the newest analysis, writes amounts otherwise, or is not there", "", func(r *Readings) *string { return &r.Joined }},
	}
}

// readJoined is what the one body is of: categorization's newest analysis; behind, some
// get the one before for a night, which of a first one is nothing.
func (s *Sandbox) readJoined(c *call) *state {
	st, l := s.read(c, categorization)
	s.mu.Lock()
	nights := s.nights
	s.mu.Unlock()
	n := len(st.analyses)
	if s.opts.Readings.Joined != "behind" || n == 0 || st.analyses[n-1].night < nights || !s.rewriter(c.id).joinedOddly() {
		return st
	}
	return s.stateAt(c.index, l, l.before(n, categorization))
}

// joinedOddly tells whether a user is one of those for whom the one body is odd.
func (x rewriter) joinedOddly() bool { return x.dice.on("joined").chance(0.35) }

// lately is how many days back the one body goes where it does not hold what is old.
const lately = 30

// joined writes a transaction of the one body.
func (st *state) joined(w *wire, t *booking, how string) {
	tags := t.tags(-1, st.last())
	switch listed := t.listed(st.h, st.last()); {
	case how == "recent" && t.day <= st.today()-lately:
		return
	case how == "entries":
		st.categorize(w, t, tags)
		return
	case how == "bank_tags", tags == nil && len(listed) == 0: // where there are none, they are missing as they are there
		tags = listed
	case tags == nil:
		tags = []string{}
	}
	st.tagged(w, t, tags)
	if e := t.categorizationExtra(st.h); len(e) > 0 {
		w.b = w.b[:len(w.b)-1] // reopen the object
		e.write(w)
		w.close('}')
	}
}

// join changes the one body: its records as those of the separate endpoints, and then
// what a reading says of it alone.
func (x rewriter) join(c *call, accounts *node) {
	if x.rewrites() {
		for _, acc := range accounts.items {
			x.record("accounts", acc)
			if of := acc.get("transactions"); len(of.items) > 0 {
				nested := *c
				nested.op.name = "transactions"
				x.records(&nested, of)
			}
		}
		x.repeat("accounts", accounts)
		x.reorder(c, accounts)
	}
	switch odd := x.joinedOddly(); x.Joined {
	case "few_account_fields":
		for _, acc := range accounts.items {
			acc.keepOnly("accountId", "name", "currency", "transactions")
		}
	case "lacks_account":
		accounts.items = slices.DeleteFunc(accounts.items, func(acc *node) bool { return len(acc.get("transactions").items) == 0 })
	case "lacks_booking":
		for _, acc := range accounts.items {
			if of := acc.get("transactions"); odd && len(of.items) > 0 {
				of.items = slices.Delete(of.items, len(of.items)/2, len(of.items)/2+1)
				break
			}
		}
	case "no_tags":
		if odd {
			x.eachJoined(accounts, func(t *node) { t.remove("tags") })
		}
	case "no_account_ids":
		x.eachJoined(accounts, func(t *node) { t.remove("accountId") })
	case "few_fields":
		x.eachJoined(accounts, func(t *node) {
			t.keepOnly("transactionId", "accountId", "amount", "currency", "bookingDate", "purpose", "tags")
		})
	case "amounts_text":
		x.eachJoined(accounts, func(t *node) {
			if amount := t.get("amount"); amount.open == 0 {
				amount.raw = quoted(strings.Trim(amount.raw, `"`))
			}
		})
	case "cents":
		x.eachJoined(accounts, func(t *node) {
			amount := t.get("amount")
			if cents, err := strconv.ParseInt(strings.Replace(amount.raw, ".", "", 1), 10, 64); err == nil {
				amount.raw = strconv.FormatInt(cents, 10)
			}
		})
	}
}

func (rewriter) eachJoined(accounts *node, change func(t *node)) {
	for _, acc := range accounts.items {
		for _, t := range acc.get("transactions").items {
			change(t)
		}
	}
}

// keepOnly drops all other fields.
func (n *node) keepOnly(names ...string) {
	n.fields = slices.DeleteFunc(n.fields, func(m member) bool { return !among(names, m.name) })
}
