package jobs

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

const (
	// oldestWindow is how far back a window begins at most, less the overlap:
	// an account without a booking since then holds back nobody's window.
	oldestWindow = 90 * 24 * time.Hour
	// earliestZone is how long before midnight UTC a day begins somewhere: a
	// window is asked for as an instant, but a date has no offset.
	earliestZone = 14 * time.Hour
)

// readTransactions reads a window of transactions that reaches back behind the
// newest known booking of every account, and compares it with what was there;
// or all of them, the first time and when an account has appeared.
func (r *run) readTransactions(ctx context.Context, u *user, res *result) error {
	c := u.cursor(res.stream)
	old, err := decodeWindow(c.State)
	if r.wantsFull(c) || err != nil || r.accountAppeared(u, old) {
		return r.readAllTransactions(ctx, u, res)
	}
	start := windowStart(old.newest, r.o.Now(), r.job.Timezone, r.job.Overlap)
	list, err := r.client.Transactions(ctx, u.id, finoos.TransactionQuery{Since: midnight(start).Add(-earliestZone)})
	if err != nil {
		return err
	}
	next, err := r.collectTransactions(ctx, res, list, old.seen, start)
	if err != nil {
		return err
	}
	for account := range next.newest {
		if _, known := old.newest[account]; !known {
			res.forget()
			return r.readAllTransactions(ctx, u, res)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old.seen)) {
		before := old.seen[id]
		if _, there := next.seen[id]; there || before.days == noDate || before.days < start {
			continue
		}
		res.remove(&table.Transaction{UserID: u.id, TransactionID: id, Meta: res.meta(table.Delete, "")})
	}
	r.rememberWindow(u, res, next)
	return nil
}

func (r *run) readAllTransactions(ctx context.Context, u *user, res *result) error {
	list, err := r.client.Transactions(ctx, u.id, finoos.TransactionQuery{})
	if err != nil {
		return err
	}
	res.readAll()
	next, err := r.collectTransactions(ctx, res, list, nil, noDate)
	if err != nil {
		return err
	}
	r.rememberWindow(u, res, next)
	return nil
}

// accountAppeared says whether the user has an account now that the cursor of
// transactions does not know. The accounts are those that this run has pulled,
// or those of the last time.
func (r *run) accountAppeared(u *user, old window) bool {
	if !r.has(StreamAccounts) {
		return false // seen from the transactions themselves
	}
	for _, id := range u.accounts() {
		if _, known := old.newest[id]; !known {
			return true
		}
	}
	return false
}

// accounts returns the ids of the user's accounts, as the cursor knows them.
func (u *user) accounts() []string {
	known, err := decodeKeyed(u.cursor(StreamAccounts).State)
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(known))
}

// windowStart is the first day of the next window, in days since 1970: the
// oldest of the accounts' newest booking dates, each at most today and at
// least oldestWindow ago, less the overlap.
func windowStart(newest map[string]int32, now time.Time, zone *time.Location, overlap time.Duration) int32 {
	today := daysOf(now.In(zone))
	floor := today - int32(oldestWindow/day)
	start := today
	for _, days := range newest {
		start = min(start, max(min(days, today), floor))
	}
	return start - int32(overlap/day) //nolint:gosec // an overlap of five million years is refused elsewhere
}

const day = 24 * time.Hour

// daysOf counts the days from 1970 to the calendar day that t shows.
func daysOf(t time.Time) int32 {
	const seconds = int64(day / time.Second)
	_, offset := t.Zone()
	shown := t.Unix() + int64(offset)
	return int32((shown - (shown%seconds+seconds)%seconds) / seconds) //nolint:gosec // fits for any year of four digits
}

func midnight(days int32) time.Time { return time.Unix(int64(days)*int64(day/time.Second), 0).UTC() }

// collectTransactions emits the transactions from start on that are new or
// differ. What is older came along because a day begins earlier elsewhere: it
// is outside of what the fingerprints cover, unless it has just moved there.
func (r *run) collectTransactions(
	ctx context.Context, res *result, list *finoos.List[finoos.Transaction], old map[string]booked, start int32,
) (next window, err error) {
	keepFrom := daysOf(r.o.Now().In(r.job.Timezone)) - int32((oldestWindow+2*r.job.Overlap)/day) - 1 //nolint:gosec // see windowStart
	var seen map[uint64]struct{}
	var account string // of the transaction before, as it is for most
	var newest int32   // that is known of it
	begin := func() {
		next = window{newest: map[string]int32{}, seen: map[string]booked{}}
		seen = res.slabs.nothingSeen()
	}
	err = collect(ctx, res, list, begin, func(t *finoos.Transaction, emit func(table.Row) error) error {
		id := xxhash.Sum64String(t.ID)
		if _, twice := seen[id]; twice {
			return nil
		}
		seen[id] = struct{}{}
		b := booked{days: noDate, hash: t.Hash}
		if !t.BookingDate.IsZero() {
			b.days = daysOf(t.BookingDate)
		}
		if len(seen) == 1 || t.AccountID != account {
			last, known := next.newest[t.AccountID]
			if !known {
				last = noDate
				next.newest[t.AccountID] = last
			}
			account, newest = t.AccountID, last
		}
		if b.days > newest {
			next.newest[account], newest = b.days, b.days
		}
		before, known := old[t.ID]
		if !known && b.days != noDate && b.days < start {
			return nil
		}
		if b.days == noDate || b.days >= keepFrom {
			next.seen[t.ID] = b
		}
		if known && before == b {
			return nil
		}
		return emit(transactionRow(res, t))
	})
	return next, err
}

// rememberWindow keeps what the next pull needs: the newest booking of each
// account that there is, and the fingerprints that its window can reach. An
// account is there when the user has it, or when its transactions still come.
func (r *run) rememberWindow(u *user, res *result, next window) {
	there := next.newest
	if r.has(StreamAccounts) {
		for _, account := range u.accounts() {
			if _, booked := there[account]; !booked {
				there[account] = noDate
			}
		}
	}
	if old, err := decodeWindow(u.cursor(res.stream).State); err == nil && !res.whole {
		for account, days := range old.newest {
			if last, known := there[account]; known {
				there[account] = max(last, days)
			} else if !r.has(StreamAccounts) {
				there[account] = days
			}
		}
	}
	from := windowStart(there, r.o.Now(), r.job.Timezone, 2*r.job.Overlap)
	maps.DeleteFunc(next.seen, func(_ string, b booked) bool { return b.days != noDate && b.days < from })
	res.state = next.encode()
}
