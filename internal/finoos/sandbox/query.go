package sandbox

import (
	"errors"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
