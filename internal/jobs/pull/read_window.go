package pull

import (
	"context"
	"errors"
	"time"

	"finoos-syncer/internal/finoos"
)

// way is how a window of transactions is asked for. Banks refuse windows, and
// some of them all that reach back more than 90 days: what follows is tried next.
type way byte

const (
	waySince      way = iota // from the first day of the window on
	wayMonthsAgo             // from three months ago on
	wayLastMonths            // the last three months, by their number
	wayFull                  // without a window
)

// route is the way in which a user's windows were had, since a day in days since
// 1970: a refused one is asked for again by the next refresh.
type route struct {
	way   way
	since int32
}

const (
	monthsBack = 3
	// threeMonths is in days, below the 90 that banks count.
	threeMonths = 89
	// neverRefreshed is how long a way is kept where nothing is refreshed.
	neverRefreshed = 30 * day
)

func (r *Reader) today() int32 { return DaysOf(r.Now().In(r.Job.Timezone)) }

// monthsAgo is the first day of the windows that are had by a way other than since.
func (r *Reader) monthsAgo(by route) int32 {
	if by.way == waySince {
		return noDate
	}
	return r.today() - threeMonths
}

// stillBy is the way in which to ask next.
func (r *Reader) stillBy(last route) route {
	period := r.Job.FullRefreshEvery
	if period <= 0 {
		period = neverRefreshed
	}
	age := time.Duration(r.today()-last.since) * day
	if age < 0 || age >= period {
		return route{}
	}
	return last
}

// askWindow asks for the transactions from a day on, in one way after the other
// where one is refused. The answer may reach back further.
func (r *Reader) askWindow(ctx context.Context, u *User, from int32, by route) (*finoos.List[finoos.Transaction], route, error) {
	for {
		var q finoos.TransactionQuery
		switch by.way {
		case waySince:
			q.Since = Midnight(from).Add(-EarliestZone)
		case wayMonthsAgo:
			q.Since = Midnight(r.today() - threeMonths).Add(-EarliestZone)
		case wayLastMonths:
			q.LastMonths = monthsBack
		case wayFull:
		}
		list, err := r.Client.Transactions(ctx, u.ID, q)
		if err == nil || by.way == wayFull || !RefusesWindow(err) {
			return list, by, err
		}
		by = route{way: by.way + 1, since: r.today()}
	}
}

// RefusesWindow says whether it may be the window that is refused, and not the
// transactions.
func RefusesWindow(err error) bool {
	api, ok := errors.AsType[*finoos.Error](err)
	return ok && api.RefusesWindow()
}
