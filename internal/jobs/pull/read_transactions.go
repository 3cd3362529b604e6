package pull

import (
	"context"
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
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
	old, err := decodeWindow(r.Veil.open(c))
	if r.WantsFull(c) || err != nil {
		return r.readAllTransactions(ctx, u, res, route{})
	}
	by := r.stillBy(old.route)
	if r.accountAppeared(u, old) {
		return r.readAllTransactions(ctx, u, res, by)
	}
	from := windowStart(old.newest, r.Now(), r.Job.Timezone, r.Job.Overlap)
	list, by, err := r.askWindow(ctx, u, from, by)
	if err != nil {
		return err
	}
	if by.way == wayFull {
		return r.collectAllTransactions(ctx, u, res, list, by)
	}
	b := r.newBookedPass(res, old.seen, max(from, r.monthsAgo(by)))
	if err := Collect(ctx, res, list, b.pass()); err != nil {
		return err
	}
	r.byID.noticed(b)
	whole := !b.next.hasMoreAccounts(old)
	if missing := b.missing(); whole && len(missing) > 0 {
		if whole, err = r.lookAgain(ctx, u, res, list, b, missing); err != nil {
			return err
		}
		whole = whole && !b.next.hasMoreAccounts(old)
	}
	if !whole {
		res.Forget()
		return r.readAllTransactions(ctx, u, res, by)
	}
	r.rememberWindow(u, res, b.next, by)
	return nil
}

func (r *Reader) readAllTransactions(ctx context.Context, u *User, res *Result, by route) error {
	list, err := wholeOf(u, res,
		func(j *Joined) *finoos.List[finoos.Transaction] { return j.Body.Transactions(j.View) },
		func() (*finoos.List[finoos.Transaction], error) {
			return r.Client.Transactions(ctx, u.ID, finoos.TransactionQuery{})
		},
		func(c *joined.Comparison, l *finoos.List[finoos.Transaction]) error { return c.Transactions(l) })
	if err != nil {
		return err
	}
	return r.collectAllTransactions(ctx, u, res, list, by)
}

func (r *Reader) collectAllTransactions(ctx context.Context, u *User, res *Result, list *finoos.List[finoos.Transaction], by route) error {
	res.readAll()
	b := r.newBookedPass(res, nil, noDate)
	if err := Collect(ctx, res, list, b.pass()); err != nil {
		return err
	}
	r.rememberWindow(u, res, b.next, by)
	return nil
}

// accountAppeared says whether the user has an account now that the cursor of
// transactions does not know. The accounts are those that this run has pulled,
// or those of the last time.
func (r *Reader) accountAppeared(u *User, old window) bool {
	if !slices.Contains(r.Job.Streams, config.StreamAccounts) {
		return false // seen from the transactions themselves
	}
	for _, id := range r.accounts(u) {
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

// rememberWindow keeps what the next pull needs: the newest booking of each
// account that there is, and the fingerprints that its window can reach. An
// account is there when the user has it, or when its transactions still come.
func (r *Reader) rememberWindow(u *User, res *Result, next window, by route) {
	there := next.newest
	if slices.Contains(r.Job.Streams, config.StreamAccounts) {
		for _, account := range r.accounts(u) {
			if _, booked := there[account]; !booked {
				there[account] = noDate
			}
		}
	}
	if old, err := decodeWindow(r.Veil.open(u.Cursor(res.Stream))); err == nil && !res.Whole {
		for account, days := range old.newest {
			if last, known := there[account]; known {
				there[account] = max(last, days)
			} else if !slices.Contains(r.Job.Streams, config.StreamAccounts) {
				there[account] = days
			}
		}
	}
	from := windowStart(there, r.Now(), r.Job.Timezone, 2*r.Job.Overlap)
	for _, seen := range next.seen {
		maps.DeleteFunc(seen, func(_ string, b booked) bool { return b.days != noDate && b.days < from })
	}
	next.route = by
	res.state = next.encode()
}

// bookedPass goes through answers of transactions, and collects those that are new
// or differ.
type bookedPass struct {
	picks

	old  bookings
	next window
	from int32 // the first day of the window, noDate where there is none

	keepFrom int32 // what is older no window can reach
	key      bookingKey
	account  string            // of the transaction before, as it is for most
	newest   int32             // booking of it
	own      map[string]booked // its transactions

	undated bool // there is one without a date
	moved   bool // the one at hand is new to its account, wherever the window begins
}

// bookingKey makes what an account's booking is told by.
type bookingKey struct {
	account string
	hash    uint64
}

func (k *bookingKey) of(account, id string) uint64 {
	if account != k.account || k.hash == 0 {
		k.account, k.hash = account, xxhash.Sum64String(account)
	}
	return joinHashes(xxhash.Sum64String(id), k.hash)
}

// joinHashes is the hash of two texts from those of each.
func joinHashes(a, b uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15 // spreads the one over the other
	return a + b*odd
}

func (r *Reader) newBookedPass(res *Result, old bookings, from int32) *bookedPass {
	return &bookedPass{
		picks: picks{res: res}, old: old, from: from,
		keepFrom: DaysOf(r.Now().In(r.Job.Timezone)) - int32((oldestWindow+2*r.Job.Overlap)/day) - 1, // see windowStart
	}
}

func (b *bookedPass) pass() Pass[finoos.Transaction] {
	return Pass[finoos.Transaction]{Start: b.begin, Visit: b.visit, Again: b.again}
}

func (b *bookedPass) begin() {
	b.next = window{newest: map[string]int32{}, seen: bookings{}}
	b.own, b.moved = nil, false
	b.start()
}

// visit takes a transaction. What is older than the window came along because a
// day begins earlier elsewhere: it is outside of what the fingerprints cover,
// unless it has just moved there.
func (b *bookedPass) visit(t *finoos.Transaction, emit func(table.Row) error) error {
	is := booked{days: noDate, hash: b.res.fingerprint(t.Hash, func() table.Row { return TransactionRow(b.res, t) })}
	if !t.BookingDate.IsZero() {
		is.days = DaysOf(t.BookingDate)
	}
	if is.days == noDate && t.Unreadable == 0 { // else it may have one
		b.undated = true
	}
	if !b.stands(b.key.of(t.AccountID, t.ID), is.hash) {
		return nil
	}
	b.enter(t.AccountID)
	if is.days > b.newest {
		b.next.newest[b.account], b.newest = is.days, is.days
	}
	before, known := b.old.get(t.AccountID, t.ID)
	if !known && is.days != noDate && is.days < b.from && !b.moved {
		return nil
	}
	if is.days == noDate || is.days >= b.keepFrom {
		b.own[t.ID] = is
	}
	if known && before == is {
		return nil
	}
	return emit(TransactionRow(b.res, t))
}

// enter makes an account the one at hand.
func (b *bookedPass) enter(account string) {
	if b.own != nil && account == b.account {
		return
	}
	newest, known := b.next.newest[account]
	if !known {
		newest = noDate
		b.next.newest[account], b.next.seen[account] = noDate, map[string]booked{}
	}
	b.account, b.newest, b.own = account, newest, b.next.seen[account]
}
