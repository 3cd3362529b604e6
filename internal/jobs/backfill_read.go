package jobs

import (
	"context"
	"math"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/table"

	"github.com/cespare/xxhash/v2"
)

const (
	// latestZone is how long after midnight UTC a day ends somewhere.
	latestZone = 12 * time.Hour
	// firstWindow is how many days of transactions are asked for at once,
	// before it is known how many a user has.
	firstWindow = 90
	// largeAnswer and smallAnswer are the sizes of an answer beyond and below
	// which the next window is half or double as long.
	largeAnswer = 4 << 20
	smallAnswer = 1 << 20
	// dateMargin is how many days more are asked for at both ends of a range: the
	// API may compare another date than that of booking.
	dateMargin = 10
)

// dayWindow is the days from and to last, both included, of which transactions are
// taken; what was asked for begins with since and ends before until.
type dayWindow struct{ from, last, since, until int32 }

// unwindowed is that of an answer to which no days were asked for: it shows
// nothing of which date the API compares.
func unwindowed(from, last int32) dayWindow {
	return dayWindow{from, last, math.MinInt32 + 1, math.MaxInt32}
}

func (w dayWindow) holds(day int32) bool { return day >= w.from && day <= w.last }

// asked says whether a day may have been asked for, wherever it began.
func (w dayWindow) asked(day int32) bool { return day >= w.since-1 && day <= w.until }

// windows asks for the transactions of some days, one window after the other,
// sized so that an answer stays bounded; or for all at once where windows are
// refused. What a day is depends on the place, and which date the API compares is
// not documented, so more is asked for: an answer may hold transactions of other
// days.
func (f *filling) windows(
	ctx context.Context, u *user, from, to int32, before func(), visit func(list *finoos.List[finoos.Transaction], w dayWindow) error,
) error {
	days := int32(firstWindow)
	for from <= to {
		last := min(from+days-1, to)
		before()
		since, until := from, last+1
		if from == f.since {
			since -= dateMargin
		}
		if last == f.until {
			until += dateMargin
		}
		list, err := f.client.Transactions(ctx, u.ID, finoos.TransactionQuery{
			Since: pull.Midnight(since).Add(-pull.EarliestZone), Until: pull.Midnight(until).Add(latestZone),
		})
		if finoos.ClassOf(err) == finoos.TooLarge && last > from {
			days = (last - from + 1) / 2
			continue
		}
		of := dayWindow{from, last, since, until}
		if pull.RefusesWindow(err) {
			last, of = to, unwindowed(from, to)
			list, err = f.client.Transactions(ctx, u.ID, finoos.TransactionQuery{})
		}
		if err != nil {
			return err
		}
		size := list.Bytes()
		if err := visit(list, of); err != nil {
			return err
		}
		switch {
		case size > largeAnswer && days > 1:
			days /= 2
		case size < smallAnswer:
			days = min(2*days, to-from+1)
		}
		from = last + 1
	}
	return nil
}

// fillTransactions reads the transactions by windows, and commits to each.
func (f *filling) fillTransactions(ctx context.Context, p *filledPull) error {
	from := f.since
	if done := string(p.user.filled.progress[p.stream].State); done != "" {
		next, err := dayOf("progress", done)
		if err != nil {
			return err
		}
		from = next
	}
	all := &broughtBookings{ids: map[uint64]struct{}{}, keys: map[uint64]struct{}{}}
	var res *pull.Result
	err := f.windows(ctx, p.user, from, f.until, func() { res = f.begin(p) }, func(list *finoos.List[finoos.Transaction], w dayWindow) error {
		undated, err := f.collectBooked(ctx, res, list, w, all)
		if err != nil {
			res.Close()
			return err
		}
		progress := sink.Progress{State: []byte(pull.Midnight(w.last + 1).Format(time.DateOnly))}
		if w.last == f.until {
			progress.DoneAt = f.o.Now().UTC()
		}
		if err := f.add(ctx, res, p, progress); err != nil {
			return err
		}
		f.tally.update(func(rep *report.Report) { rep.Backfill.Undated += undated })
		return nil
	})
	if err == nil && from == f.since {
		p.user.filled.inRange = all.ids
	}
	return err
}

// broughtBookings are the transactions that the windows so far have brought.
type broughtBookings struct {
	ids  map[uint64]struct{} // of any account
	keys map[uint64]struct{} // of account and id
}

// collectBooked takes the transactions of a window that none before has brought. Of
// those without a date it counts, with the last window, how many are left out.
func (f *filling) collectBooked(
	ctx context.Context, res *pull.Result, list *finoos.List[finoos.Transaction], w dayWindow, all *broughtBookings,
) (undated int64, err error) {
	var dateless map[uint64]struct{}
	var taken map[uint64]uint64 // hashes, by what they are told by
	settled := false            // what is written later is what was taken, whatever is known by then
	start := func() {
		if !settled {
			dateless, taken = map[uint64]struct{}{}, map[uint64]uint64{}
		}
	}
	err = pull.CollectPicked(ctx, res, list, start, func(t *finoos.Transaction, stands func(hash uint64, key ...string) bool, emit func(table.Row) error) error {
		if settled {
			if hash, is := taken[bookingID(t.AccountID, t.ID)]; is && hash == t.Hash && stands(hash, t.AccountID, t.ID) {
				return emit(pull.TransactionRow(res, t))
			}
			return nil
		}
		id, ok := f.booking(t, w)
		if !ok { // another of this key may be
			if t.BookingDate.IsZero() && w.last == f.until {
				dateless[id] = struct{}{}
			}
			return nil
		}
		addBooking(all.ids, t)
		if _, before := all.keys[id]; before || !stands(t.Hash, t.AccountID, t.ID) {
			return nil
		}
		taken[id] = t.Hash
		return emit(pull.TransactionRow(res, t))
	})
	settled = true
	for id := range dateless {
		if _, booked := all.ids[id]; !booked {
			undated++
		}
	}
	for id := range taken {
		all.keys[id] = struct{}{}
	}
	return undated, err
}

// bookingID is what a transaction is told by: ids are an account's own.
func bookingID(account, transaction string) uint64 {
	return xxhash.Sum64String(account + "\x00" + transaction)
}

// addBooking notes a transaction, by its id alone as well: a tag may leave the
// account out.
func addBooking(ids map[uint64]struct{}, t *finoos.Transaction) {
	ids[bookingID(t.AccountID, t.ID)] = struct{}{}
	ids[xxhash.Sum64String(t.ID)] = struct{}{}
}

// isTagged says whether an entry of categorization is of one of the transactions
// that were noted. Either may leave the account out.
func isTagged(ids map[uint64]struct{}, c *finoos.Categorization) bool {
	if c.AccountID == "" {
		_, in := ids[xxhash.Sum64String(c.TransactionID)]
		return in
	}
	_, in := ids[bookingID(c.AccountID, c.TransactionID)]
	_, accountless := ids[bookingID("", c.TransactionID)]
	return in || accountless
}

// booking says whether a transaction is to be taken from a window, and what it is
// told by. One without a date is not booked yet: it is of the present, so it
// comes with the last days of a range that reaches up to it, and once.
//
// Where the API compares the date of value, one that is booked within the range may
// come with no window but that of its value. Which date that is shows by the first
// transaction of which only the other one was asked for.
func (f *filling) booking(t *finoos.Transaction, w dayWindow) (uint64, bool) {
	id := bookingID(t.AccountID, t.ID)
	if t.BookingDate.IsZero() && t.Unreadable > 0 {
		return id, true // on which day cannot be told: the API says that it is one of these
	}
	if t.BookingDate.IsZero() {
		return id, w.last == f.until && f.reachesPresent()
	}
	days := pull.DaysOf(t.BookingDate)
	switch {
	case days < f.since || days > f.until:
		return id, false
	case t.ValueDate.IsZero():
		return id, w.holds(days)
	}
	value := pull.DaysOf(t.ValueDate)
	if w.holds(days) {
		if !w.asked(value) {
			f.compares.CompareAndSwap(notSeenYet, dateOfBooking)
		}
		return id, true
	}
	if value < min(w.from, w.since) || value > max(w.last, w.until-1) {
		return id, false
	}
	if !w.asked(days) {
		f.compares.Store(dateOfValue)
	}
	return id, f.compares.Load() != dateOfBooking
}

// reachesPresent says whether the last day of the range is the day on which the
// backfill began; however much later it goes on.
func (f *filling) reachesPresent() bool {
	return f.until >= pull.DaysOf(f.def.CreatedAt.In(f.job.Timezone))
}

// booked returns what the transactions in the range are told by: those that
// were read just now, or else all of the range is asked for again.
func (f *filling) booked(ctx context.Context, u *user) (map[uint64]struct{}, error) {
	if u.filled.inRange != nil {
		return u.filled.inRange, nil
	}
	ids := map[uint64]struct{}{}
	err := f.windows(ctx, u, f.since, f.until, func() {}, func(list *finoos.List[finoos.Transaction], w dayWindow) error {
		defer func() { _ = list.Close() }() // frees memory; nothing is lost by an error
		list.NullIsEmpty()
		for t, err := range list.All() {
			if err != nil {
				return err
			}
			if _, ok := f.booking(&t, w); ok {
				addBooking(ids, &t)
			}
		}
		return nil
	})
	return ids, err
}

// fillCategorization reads all tags, and takes those of the transactions in
// the range.
func (f *filling) fillCategorization(ctx context.Context, p *filledPull) error {
	inRange, err := f.booked(ctx, p.user)
	if err != nil {
		return err
	}
	return fillWhole(ctx, f, p, func() (*finoos.List[finoos.Categorization], error) {
		return f.client.Categorization(ctx, p.user.ID, "")
	}, func(res *pull.Result, list *finoos.List[finoos.Categorization]) error {
		return pull.CollectTags(ctx, res, list, nil, nil, func(rec *finoos.Categorization) bool { return isTagged(inRange, rec) })
	})
}

// fillContracts reads all contracts: they have no day.
func (f *filling) fillContracts(ctx context.Context, p *filledPull) error {
	return fillWhole(ctx, f, p, func() (*finoos.List[finoos.Contract], error) {
		return f.client.Contracts(ctx, p.user.ID)
	}, func(res *pull.Result, list *finoos.List[finoos.Contract]) error {
		return pull.CollectKeyed(ctx, res, list, nil,
			func(c *finoos.Contract) (string, uint64) { return c.ID, c.Hash },
			func(c *finoos.Contract) table.Row { return pull.ContractRow(res, c) }, nil)
	})
}

// fillHistory reads all balances, and takes those of the days in the range.
func (f *filling) fillHistory(ctx context.Context, p *filledPull) error {
	return fillWhole(ctx, f, p, func() (*finoos.List[finoos.AccountHistory], error) {
		return f.client.AccountHistory(ctx, p.user.ID)
	}, func(res *pull.Result, list *finoos.List[finoos.AccountHistory]) error {
		return pull.CollectDays(ctx, res, list, f.since, f.until)
	})
}

// fillWhole reads a stream with one request, and is done with it.
func fillWhole[T any](
	ctx context.Context, f *filling, p *filledPull, ask func() (*finoos.List[T], error), collect func(res *pull.Result, list *finoos.List[T]) error,
) error {
	res := f.begin(p)
	list, err := ask()
	if err != nil {
		return err
	}
	if err := collect(res, list); err != nil {
		res.Close()
		return err
	}
	return f.add(ctx, res, p, sink.Progress{DoneAt: f.o.Now().UTC()})
}
