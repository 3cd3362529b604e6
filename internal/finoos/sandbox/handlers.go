package sandbox

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// array answers with a top-level array, or 204 where the user's API says
// nothing of empty ones.
func array(s style, n int, write func(w *wire, i int)) answer {
	if n == 0 && s.noContent {
		return answer{status: http.StatusNoContent}
	}
	w := wire{ascii: s.ascii, b: make([]byte, 0, 64+n*512)}
	w.open('[')
	for i := range n {
		write(&w, i)
	}
	w.close(']')
	return ok(w.b)
}

func (s *Sandbox) style(c *call) style {
	return s.world.user(c.index, s.start).style
}

// openAccounts are those that are connected at present.
func (st *state) openAccounts() []openAccount {
	return slices.DeleteFunc(slices.Clone(st.accounts), func(a openAccount) bool { return a.until != never })
}

// getAccounts answers GET …/banking/accounts; 204 stands for none.
func (s *Sandbox) getAccounts(c *call) answer {
	st, _ := s.read(c, banking)
	accounts := st.openAccounts()
	if len(accounts) == 0 {
		return answer{status: http.StatusNoContent}
	}
	w := wire{ascii: st.h.user.style.ascii}
	w.open('{')
	w.key("accounts")
	w.b = append(w.b, '[')
	for _, acc := range accounts {
		st.account(&w, acc)
	}
	w.close(']')
	w.close('}')
	return ok(w.b)
}

// getLogins answers GET …/banking/logins.
func (s *Sandbox) getLogins(c *call) answer {
	s.mu.Lock()
	l := s.lived(c.index)
	s.mu.Unlock()
	style := s.style(c)
	return array(style, len(l.logins), func(w *wire, i int) { l.logins[i].write(w, style) })
}

// getTransactions answers GET …/banking/transactions.
func (s *Sandbox) getTransactions(c *call) answer {
	st, _ := s.read(c, banking)
	want, err := parseWanted(c.r.URL.Query(), st)
	if err != nil {
		return failure(http.StatusBadRequest, "invalid_request", err.Error())
	}
	if a, refused := s.refusesWindow(c.r.URL.Query(), st); refused {
		return a
	}
	want = want.bend(s.opts.Readings)
	var some []*booking
	for i := range st.bookings {
		if t := &st.bookings[i]; want.has(st, t) {
			some = append(some, t)
		}
	}
	return array(st.h.user.style, len(some), func(w *wire, i int) { st.transaction(w, some[i]) })
}

// correlation answers GET …/{service}/correlation: the newest finished
// analysis. 404 says that there is none, for whatever reason.
func (svc service) correlation(s *Sandbox, c *call) answer {
	none := failure(http.StatusNotFound, "not_found", "no finished analysis")
	if c.fault.Kind == NeverAnalysed {
		return none
	}
	s.mu.Lock()
	l := s.lived(c.index)
	k := s.finished(l, svc, c.now)
	hidden := s.hides(l, k, svc)
	k = s.lags(l, c.index, k, svc)
	s.mu.Unlock()
	if k == 0 || hidden {
		return none
	}
	var w wire
	w.open('{')
	w.str("correlationID", s.correlationID(l.analyses[k-1], svc))
	w.instant("correlationTimestamp", l.analyses[k-1].at)
	w.close('}')
	return ok(w.b)
}

// getContracts answers GET …/contracts.
func (s *Sandbox) getContracts(c *call) answer {
	st, _ := s.read(c, contracts)
	return array(st.h.user.style, len(st.contracts), func(w *wire, i int) { st.contract(w, &st.contracts[i]) })
}

// getHistory answers GET …/account-history.
func (s *Sandbox) getHistory(c *call) answer {
	st, _ := s.read(c, accountHistory)
	w := wire{ascii: st.h.user.style.ascii}
	st.histories(&w)
	return ok(w.b)
}

// getDetection answers GET …/account-detection: small, since nothing here
// exports it.
func (s *Sandbox) getDetection(c *call) answer {
	st, _ := s.read(c, accountDetection)
	var w wire
	w.open('{')
	w.key("accountsOverview")
	w.open('{')
	w.key("accountsView")
	w.b = append(w.b, '[')
	for _, acc := range st.openAccounts() {
		w.open('{')
		w.str("accountId", acc.id)
		w.raw("additionalAnalysesInfo", `{"isUserAdded":true}`)
		w.close('}')
	}
	w.close(']')
	w.raw("creditsView", "[]")
	w.close('}')
	w.close('}')
	return ok(w.b)
}

// wanted is what a query for transactions asks for.
type wanted struct {
	since, until day
	ids          []string // nil: any
	byValue      bool     // since and until compare value dates
}

func (q wanted) has(st *state, t *booking) bool {
	if q.ids != nil {
		return slices.Contains(q.ids, st.txID(t))
	}
	if st.pending(t) {
		return true // without a date there is nothing to compare
	}
	at := t.day
	if value := t.valueDate(st.h); q.byValue && value != 0 {
		at = value
	}
	return at >= q.since && at <= q.until
}

// parseWanted reads a query. Names are read in any case, as the document
// spells them in several.
func parseWanted(query url.Values, st *state) (wanted, error) {
	q := wanted{since: math.MinInt, until: math.MaxInt}
	for name, values := range query {
		var err error
		switch value := values[0]; strings.ToLower(name) {
		case "since":
			q.since, err = firstDay(value)
		case "until":
			q.until, err = lastDay(value)
		case "lastmonths":
			q.since, err = lastMonths(value, st)
		case "transactionids":
			q.ids = strings.Split(strings.Join(values, ","), ",")
		}
		if err != nil {
			return wanted{}, errors.New(name + " cannot be read")
		}
	}
	return q, nil
}

// firstDay is the first day that begins at an instant or later: a booking
// stands at midnight of its day, German time, and both ends are included.
func firstDay(value string) (day, error) {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return 0, err
	}
	d := dayOf(berlin(at))
	if d.at(0).Before(at) {
		d++
	}
	return d, nil
}

func lastDay(value string) (day, error) {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return 0, err
	}
	return dayOf(berlin(at)), nil
}

func lastMonths(value string, st *state) (day, error) {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil || n == 0 {
		return 0, strconv.ErrRange
	}
	if len(st.analyses) == 0 {
		return 0, nil
	}
	return st.today().addMonths(-int(n)), nil
}
