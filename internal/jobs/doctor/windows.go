package doctor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

const day = 24 * time.Hour

// recent is how far back before the newest booking windows begin: APIs were seen that
// answer none beyond 90 days.
const recent = 80 * day

// transactions finds out how a user's transactions may be asked for in part. A run
// has another way for each that fails; none of them is a failure.
func (d *doctor) transactions(ctx context.Context) {
	if d.user == "" || !slices.Contains(d.streams, config.StreamTransactions) {
		return
	}
	all, err := d.bookings(ctx, finoos.TransactionQuery{})
	if err != nil {
		return // the endpoint's own line says it
	}
	if len(all) == 0 {
		d.note("windows", "choose a user who has some with --user", "not looked at: this user has no transactions")
		return
	}
	slices.SortFunc(all, func(a, b datedBooking) int { return cmp.Or(a.booked.Compare(b.booked), cmp.Compare(a.id, b.id)) })
	since := all[len(all)-1].booked.Add(-recent)
	if d.windows(ctx, all, since) {
		d.comparedDate(ctx, all, since)
	}
	d.byID(ctx, all)
}

// datedBooking is what is looked at of a transaction.
type datedBooking struct {
	id, account   string
	booked, value time.Time
}

func (d *doctor) bookings(ctx context.Context, q finoos.TransactionQuery) ([]datedBooking, error) {
	list, err := d.client.Transactions(ctx, d.user, q)
	if err != nil {
		return nil, err
	}
	defer list.Close() //nolint:errcheck // frees memory; nothing is lost by an error
	list.NullIsEmpty()
	var all []datedBooking
	err = list.Each(func(t *finoos.Transaction) error {
		all = append(all, datedBooking{t.ID, t.AccountID, t.BookingDate, t.ValueDate})
		return nil
	})
	return all, err
}

// windows looks whether since is taken, and reports whether anything can be found
// out by it.
func (d *doctor) windows(ctx context.Context, all []datedBooking, since time.Time) bool {
	const what = "windows"
	some, err := d.bookings(ctx, finoos.TransactionQuery{Since: since})
	if err != nil {
		if _, monthsErr := d.bookings(ctx, finoos.TransactionQuery{LastMonths: 3}); monthsErr == nil {
			d.note(what, "nothing: a run asks in the other way", "since is refused (%v), lastMonths is taken", err)
		} else {
			d.note(what, "nothing, but ask the API's operator: a run reads such users in full, which costs time", "since is refused (%v), and so is lastMonths", err)
		}
		return false
	}
	isOld := func(b datedBooking) bool {
		last := since.Add(-2 * day) // of any date, in any zone
		return !b.booked.IsZero() && b.booked.Before(last) && b.value.Before(last)
	}
	switch {
	case !slices.ContainsFunc(all, isOld):
		d.note(what, "choose a user with older ones with --user", "cannot be told with this user: since is taken, but all bookings are young")
		return false
	case slices.ContainsFunc(some, isOld):
		d.note(what, "nothing, but it costs time: everything is answered each night", "since is ignored")
		return false
	}
	d.ok(what, "since is taken: %d of %d transactions", len(some), len(all))
	return true
}

// comparedDate finds out which date since and until compare, by a transaction whose
// dates differ: a window begins, or ends, between them.
func (d *doctor) comparedDate(ctx context.Context, all []datedBooking, from time.Time) {
	const what = "date of a window"
	var best datedBooking
	apart := func(b datedBooking) time.Duration { return b.value.Sub(b.booked).Abs() }
	for _, b := range all {
		if b.booked.After(from.Add(2*day)) && b.value.After(from.Add(2*day)) && apart(b) > apart(best) {
			best = b
		}
	}
	if apart(best) < day {
		d.note(what, "choose another with --user", "cannot be told with this user: of no young transaction the dates differ")
		return
	}
	between := best.booked // noon of the earlier day: it has begun everywhere, the next has not
	if best.value.Before(between) {
		between = best.value
	}
	between = between.Add(day / 2)
	later, err := d.bookings(ctx, finoos.TransactionQuery{Since: between})
	var earlier []datedBooking
	if err == nil {
		earlier, err = d.bookings(ctx, finoos.TransactionQuery{Since: from, Until: between})
	}
	if err != nil {
		d.note(what, "ask again", "not found out: %v", err)
		return
	}
	is := func(b datedBooking) bool { return b.id == best.id && b.account == best.account }
	inLater, inEarlier := slices.ContainsFunc(later, is), slices.ContainsFunc(earlier, is)
	switch {
	case inLater == inEarlier:
		d.note(what, "choose another with --user", "cannot be told: a transaction whose dates differ is in both windows, or in none")
	case inLater == best.booked.After(between):
		d.ok(what, "since and until compare the booking date")
	default:
		d.note(what, "nothing: what such a window leaves out is looked up before it counts as deleted",
			"since and until compare the value date, where we expect the booking date")
	}
}

// byID finds out whether transactions are looked up by their ids.
func (d *doctor) byID(ctx context.Context, all []datedBooking) {
	const what = "transactions by id"
	all = slices.DeleteFunc(all, func(b datedBooking) bool { return !finoos.CanAskFor(b.id) })
	if len(all) < 2 {
		d.note(what, "choose a user who has more with --user", "not looked at: it takes two transactions")
		return
	}
	const few = 5
	asked := map[string]bool{"no-such-transaction": false}
	ids := []string{"no-such-transaction"}
	for _, b := range all[:min(few, len(all)-1)] { // the oldest, which no window has
		asked[b.id] = true
		ids = append(ids, b.id)
	}
	list, err := d.client.TransactionsByID(ctx, d.user, ids, all[len(all)-1].id)
	switch {
	case errors.Is(err, finoos.ErrNotByID):
		d.note(what, "nothing: a run reads a user in full where it would look something up", "transactionIds is not to be relied on: %v", err)
		return
	case err != nil:
		d.failed(what, err, "try again")
		return
	}
	defer list.Close() //nolint:errcheck // frees memory; nothing is lost by an error
	err = list.Each(func(t *finoos.Transaction) error { asked[t.ID] = false; return nil })
	missing := 0
	for _, isMissing := range asked {
		if isMissing {
			missing++
		}
	}
	switch {
	case err != nil:
		d.failed(what, err, "try again")
	case missing > 0:
		d.fail(jobs.ReasonAPI, what, "report it as an issue: a run would take them for deleted", "transactionIds is taken, but %d of %d that are there do not come", missing, len(ids)-1)
	default:
		d.ok(what, "transactionIds is taken")
	}
}

// totals looks whether categorization tells how much there is, and is right.
func (d *doctor) totals(ctx context.Context) {
	const what = "total of categorization"
	if d.user == "" || !slices.Contains(d.streams, config.StreamCategorization) {
		return
	}
	list, err := d.client.Categorization(ctx, d.user, "")
	if err == nil {
		defer list.Close() //nolint:errcheck // frees memory; nothing is lost by an error
		list.NullIsEmpty()
		err = list.Each(func(*finoos.Categorization) error { return nil })
	}
	if err != nil {
		return // the endpoint's own line says it
	}
	switch told, held := list.Total(); {
	case !told.Valid:
		d.note(what, "", "is not told: an answer that lacks something cannot be known by it")
	case told.V != held:
		d.note(what, "nothing: a run relies on a total only where it is right for three users", "tells of %d, and holds %d", told.V, held)
	default:
		d.ok(what, "is right: %d", held)
	}
}
