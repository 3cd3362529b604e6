package pull

import (
	"context"
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/table"

	"github.com/cespare/xxhash/v2"
)

const (
	// oldestWindow is how far back a window begins at most, less the overlap:
	// an account without a booking since then holds back nobody's window.
	oldestWindow = 90 * 24 * time.Hour
	// EarliestZone is how long before midnight UTC a day begins somewhere: a
	// window is asked for as an instant, but a date has no offset.
	EarliestZone = 14 * time.Hour
)

// readTransactions reads a window of transactions that reaches back behind the
// newest known booking of every account, and compares it with what was there;
// or all of them, the first time and when an account has appeared. An account that
// never had a booking counts as one that appears when it has the first: years of
// them may have come with it.
func (r *Reader) readTransactions(ctx context.Context, u *User, res *Result) error {
	c := u.Cursor(res.Stream)
	old, err := decodeWindow(c.State)
	if r.WantsFull(c) || err != nil || r.accountAppeared(u, old) {
		return r.readAllTransactions(ctx, u, res)
	}
	start := windowStart(old.newest, r.Now(), r.Job.Timezone, r.Job.Overlap)
	list, err := r.Client.Transactions(ctx, u.ID, finoos.TransactionQuery{Since: Midnight(start).Add(-EarliestZone)})
	if err != nil {
		return err
	}
	next, err := r.collectTransactions(ctx, res, list, old.seen, start)
	if err != nil {
		return err
	}
	if next.hasMoreAccounts(old) {
		res.Forget()
		return r.readAllTransactions(ctx, u, res)
	}
	for _, id := range slices.Sorted(maps.Keys(old.seen)) {
		before := old.seen[id]
		if _, there := next.seen[id]; there || before.days == noDate || before.days < start {
			continue
		}
		res.remove(&table.Transaction{UserID: u.ID, TransactionID: id, Meta: res.meta(table.Delete, "")})
	}
	r.rememberWindow(u, res, next)
	return nil
}

func (r *Reader) readAllTransactions(ctx context.Context, u *User, res *Result) error {
	list, err := r.Client.Transactions(ctx, u.ID, finoos.TransactionQuery{})
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
func (r *Reader) accountAppeared(u *User, old window) bool {
	if !slices.Contains(r.Job.Streams, config.StreamAccounts) {
		return false // seen from the transactions themselves
	}
	for _, id := range u.accounts() {
		if _, known := old.newest[id]; !known {
			return true
		}
	}
	return false
}

// hasMoreAccounts says whether the answer has an account that is not known, or the
// first booking of one.
func (w window) hasMoreAccounts(known window) bool {
	for account, newest := range w.newest {
		if before, ok := known.newest[account]; !ok || before == noDate && newest != noDate {
			return true
		}
	}
	return false
}

// windowStart is the first day of the next window, in days since 1970: the
// oldest of the accounts' newest booking dates, each at most today and at
// least oldestWindow ago, less the overlap.
func windowStart(newest map[string]int32, now time.Time, zone *time.Location, overlap time.Duration) int32 {
	today := DaysOf(now.In(zone))
	floor := today - int32(oldestWindow/day)
	start := today
	for _, days := range newest {
		start = min(start, max(min(days, today), floor))
	}
	return start - int32(overlap/day) // an overlap of five million years is refused elsewhere
}

const day = 24 * time.Hour

// DaysOf counts the days from 1970 to the calendar day that t shows.
func DaysOf(t time.Time) int32 {
	const seconds = int64(day / time.Second)
	_, offset := t.Zone()
	shown := t.Unix() + int64(offset)
	return int32((shown - (shown%seconds+seconds)%seconds) / seconds) // fits for any year of four digits
}

// Midnight is the beginning of a day in UTC, by its days since 1970.
func Midnight(days int32) time.Time { return time.Unix(int64(days)*int64(day/time.Second), 0).UTC() }

// collectTransactions emits the transactions from start on that are new or
// differ. What is older came along because a day begins earlier elsewhere: it
// is outside of what the fingerprints cover, unless it has just moved there.
func (r *Reader) collectTransactions(
	ctx context.Context, res *Result, list *finoos.List[finoos.Transaction], old map[string]booked, start int32,
) (next window, err error) {
	keepFrom := DaysOf(r.Now().In(r.Job.Timezone)) - int32((oldestWindow+2*r.Job.Overlap)/day) - 1 // see windowStart
	var seen map[uint64]struct{}
	var account string // of the transaction before, as it is for most
	var newest int32   // that is known of it
	begin := func() {
		next = window{newest: map[string]int32{}, seen: map[string]booked{}}
		seen = res.turn.slabs.nothingSeen()
	}
	err = Collect(ctx, res, list, begin, func(t *finoos.Transaction, emit func(table.Row) error) error {
		id := xxhash.Sum64String(t.ID)
		if _, twice := seen[id]; twice {
			return nil
		}
		seen[id] = struct{}{}
		b := booked{days: noDate, hash: t.Hash}
		if !t.BookingDate.IsZero() {
			b.days = DaysOf(t.BookingDate)
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
		return emit(TransactionRow(res, t))
	})
	return next, err
}

// rememberWindow keeps what the next pull needs: the newest booking of each
// account that there is, and the fingerprints that its window can reach. An
// account is there when the user has it, or when its transactions still come.
func (r *Reader) rememberWindow(u *User, res *Result, next window) {
	there := next.newest
	if slices.Contains(r.Job.Streams, config.StreamAccounts) {
		for _, account := range u.accounts() {
			if _, booked := there[account]; !booked {
				there[account] = noDate
			}
		}
	}
	if old, err := decodeWindow(u.Cursor(res.Stream).State); err == nil && !res.Whole {
		for account, days := range old.newest {
			if last, known := there[account]; known {
				there[account] = max(last, days)
			} else if !slices.Contains(r.Job.Streams, config.StreamAccounts) {
				there[account] = days
			}
		}
	}
	from := windowStart(there, r.Now(), r.Job.Timezone, 2*r.Job.Overlap)
	maps.DeleteFunc(next.seen, func(_ string, b booked) bool { return b.days != noDate && b.days < from })
	res.state = next.encode()
}
