package jobs

import (
	"context"
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
)

// windows asks for the transactions of some days, one window after the other,
// sized so that an answer stays bounded. Both ends of a window are included;
// what a day is depends on the place, so more is asked for, and who visits
// leaves out what is not of the window's days. Each transaction has one day,
// so windows share none.
func (f *filling) windows(
	ctx context.Context, u *user, from, to int32, before func(), visit func(list *finoos.List[finoos.Transaction], from, to int32) error,
) error {
	days := int32(firstWindow)
	for from <= to {
		last := min(from+days-1, to)
		before()
		list, err := f.client.Transactions(ctx, u.ID, finoos.TransactionQuery{
			Since: pull.Midnight(from).Add(-pull.EarliestZone), Until: pull.Midnight(last + 1).Add(latestZone),
		})
		if finoos.ClassOf(err) == finoos.TooLarge && last > from {
			days = (last - from + 1) / 2
			continue
		}
		if err != nil {
			return err
		}
		size := list.Bytes()
		if err := visit(list, from, last); err != nil {
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
	ids := map[uint64]struct{}{}
	var res *pull.Result
	err := f.windows(ctx, p.user, from, f.until, func() { res = f.begin(p) }, func(list *finoos.List[finoos.Transaction], from, to int32) error {
		undated, err := f.collectBooked(ctx, res, list, from, to, ids)
		if err != nil {
			res.Close()
			return err
		}
		progress := sink.Progress{State: []byte(pull.Midnight(to + 1).Format(time.DateOnly))}
		if to == f.until {
			progress.DoneAt = f.o.Now().UTC()
		}
		if err := f.add(ctx, res, p, progress); err != nil {
			return err
		}
		f.tally.update(func(rep *report.Report) { rep.Backfill.Undated += undated })
		return nil
	})
	if err == nil && from == f.since {
		p.user.filled.inRange = ids
	}
	return err
}

// collectBooked takes the transactions of some days. Of those without a date it
// counts, with the last of the days, how many are left out.
func (f *filling) collectBooked(
	ctx context.Context, res *pull.Result, list *finoos.List[finoos.Transaction], from, to int32, ids map[uint64]struct{},
) (undated int64, err error) {
	var seen, dateless map[uint64]struct{}
	start := func() { seen, dateless = map[uint64]struct{}{}, map[uint64]struct{}{} }
	err = pull.Collect(ctx, res, list, start, func(t *finoos.Transaction, emit func(table.Row) error) error {
		id, ok := f.booking(t, from, to)
		if _, twice := seen[id]; twice {
			return nil
		}
		if !ok { // another of this id may be
			if t.BookingDate.IsZero() && to == f.until {
				dateless[id] = struct{}{}
			}
			return nil
		}
		seen[id], ids[id] = struct{}{}, struct{}{}
		return emit(pull.TransactionRow(res, t))
	})
	for id := range dateless {
		if _, booked := ids[id]; !booked {
			undated++
		}
	}
	return undated, err
}

// booking says whether a transaction is of one of these days, and what its id
// is told by. One without a date is not booked yet: it is of the present, so it
// comes with the last days of a range that reaches up to it, and once.
func (f *filling) booking(t *finoos.Transaction, from, to int32) (uint64, bool) {
	id := xxhash.Sum64String(t.ID)
	if t.BookingDate.IsZero() {
		return id, to == f.until && f.reachesPresent()
	}
	days := pull.DaysOf(t.BookingDate)
	return id, days >= from && days <= to
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
	err := f.windows(ctx, u, f.since, f.until, func() {}, func(list *finoos.List[finoos.Transaction], from, to int32) error {
		defer func() { _ = list.Close() }() // frees memory; nothing is lost by an error
		list.NullIsEmpty()
		for t, err := range list.All() {
			if err != nil {
				return err
			}
			if id, ok := f.booking(&t, from, to); ok {
				ids[id] = struct{}{}
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
		return pull.CollectTags(ctx, res, list, nil, nil, func(rec *finoos.Categorization) bool {
			_, in := inRange[xxhash.Sum64String(rec.TransactionID)]
			return in
		})
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
		type accountDay struct {
			account string
			day     int32
		}
		var seen map[accountDay]struct{}
		start := func() { seen = map[accountDay]struct{}{} }
		return pull.Collect(ctx, res, list, start, func(rec *finoos.AccountHistory, emit func(table.Row) error) error {
			for i := range rec.Balances {
				b := &rec.Balances[i]
				at := accountDay{rec.AccountID, pull.DaysOf(b.Date)}
				if _, twice := seen[at]; twice || b.Date.IsZero() || at.day < f.since || at.day > f.until {
					continue
				}
				seen[at] = struct{}{}
				if err := emit(pull.HistoryRow(res, rec, b)); err != nil {
					return err
				}
			}
			return nil
		})
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
