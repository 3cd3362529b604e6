package pull

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// A window leaves out what has moved out of it, and what the API compares by
// another date: what it no longer holds is therefore no delete yet. It is looked up
// by its id; only what does not come back is gone (docs/design.md, "What a window no
// longer holds").

// lookedUp is what became of asking for transactions by their ids: an API that
// has done as it was asked for nobody yet is not asked for ever.
type lookedUp struct {
	done, ignored atomic.Int32
	undated       atomic.Bool // what has no date was seen, in a window or by its id
}

func (l *lookedUp) useless() bool { return l.done.Load() == 0 && l.ignored.Load() >= 3 }

// bookingID names a transaction of a user.
type bookingID struct{ account, id string }

// missing are the remembered transactions that the window should hold and the
// answer does not, in order. What has no date is pending, and in every window.
func (b *bookedPass) missing() (list []bookingID) {
	for account, seen := range b.old {
		for id, before := range seen {
			if (before.days == noDate || before.days >= b.from) && !b.met(b.key.of(account, id)) {
				list = append(list, bookingID{account, id})
			}
		}
	}
	slices.SortFunc(list, func(x, y bookingID) int { return cmp.Or(cmp.Compare(x.account, y.account), cmp.Compare(x.id, y.id)) })
	return list
}

// witness is the id of a transaction that is there, and is none of those missing;
// "" if there is none. It is as unusual as they are: what becomes of it on its way
// shows what becomes of them.
func (b *bookedPass) witness(missing []string) (id string) {
	var signs []rune
	for _, m := range missing {
		for _, sign := range m {
			if !slices.Contains(signs, sign) && finoos.Unusual(sign) {
				signs = append(signs, sign)
			}
		}
	}
	most := -1
	for _, seen := range b.next.seen {
		for other := range seen {
			if _, is := slices.BinarySearch(missing, other); is || !finoos.CanAskFor(other) {
				continue
			}
			n := 0
			for _, sign := range signs {
				if strings.ContainsRune(other, sign) {
					n++
				}
			}
			if n > most || n == most && other < id {
				id, most = other, n
			}
		}
	}
	return id
}

// noticed is called after a window or a second look was gone through.
func (l *lookedUp) noticed(b *bookedPass) {
	if b.undated && !l.undated.Load() {
		l.undated.Store(true)
	}
}

// foundBookings are what a second look has found and the window does not hold.
type foundBookings struct {
	list *finoos.List[finoos.Transaction]
	of   *bookedPass
}

func (f foundBookings) Spilled() bool { return f.list.Spilled() }
func (f foundBookings) NullIsEmpty()  { f.list.NullIsEmpty() }
func (f foundBookings) WasNull() bool { return f.list.WasNull() }
func (f foundBookings) Close() error  { return f.list.Close() }

// Each comes after the window was gone through. What that holds, too, was seen
// there. A key that nobody knows, of an id that is not found under the account that
// it was missed in, has moved.
func (f foundBookings) Each(visit func(*finoos.Transaction) error) error {
	b, own, stayed := f.of, map[uint64]bool{}, map[string]bool{}
	err := f.list.Each(func(t *finoos.Transaction) error {
		if key := b.key.of(t.AccountID, t.ID); !b.met(key) {
			own[key] = true
		}
		if _, known := b.old.get(t.AccountID, t.ID); known {
			stayed[t.ID] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f.list.Each(func(t *finoos.Transaction) error {
		if !own[b.key.of(t.AccountID, t.ID)] {
			return nil
		}
		b.moved = !stayed[t.ID]
		return visit(t)
	})
}

// failsOverIDs says whether it may be the ids that the API fails over, night after
// night. Where it fails over everything, a full pull fails, too.
func failsOverIDs(err error) bool {
	switch finoos.ClassOf(err) {
	case finoos.Server, finoos.Network, finoos.Timeout, finoos.NotReady:
		return true
	default:
		return false
	}
}

// lookAgain asks for what is missing from a window by its ids, and collects both
// answers: what comes back has moved, or was only left out; what does not is
// deleted. It returns false where the API did not do as it was asked, so that only
// a full pull can tell.
func (r *Reader) lookAgain(
	ctx context.Context, u *User, res *Result, window *finoos.List[finoos.Transaction], b *bookedPass, missing []bookingID,
) (told bool, err error) {
	ids := make([]string, 0, len(missing))
	for _, m := range missing {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	witness := b.witness(ids)
	if witness == "" || r.byID.useless() {
		return false, nil
	}
	res.rewind()
	found, err := r.Client.TransactionsByID(ctx, u.ID, ids, witness)
	if errors.Is(err, finoos.ErrNotAsked) {
		return false, nil
	}
	if errors.Is(err, finoos.ErrNotByID) || ctx.Err() == nil && failsOverIDs(err) {
		r.byID.ignored.Add(1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.byID.done.Add(1)
	res.turn.closers = append(res.turn.closers, found)
	b.picks = picks{res: res} // there may be more that differ
	if err := collect(ctx, res, answers[finoos.Transaction]{window, foundBookings{found, b}}, b.pass()); err != nil {
		return false, err
	}
	r.byID.noticed(b)
	for _, m := range missing {
		if !b.met(b.key.of(m.account, m.id)) {
			if b.old[m.account][m.id].days == noDate && !r.byID.undated.Load() {
				return false, nil // perhaps windows and ids find only what is booked
			}
			res.remove(&table.Transaction{UserID: u.ID, AccountID: m.account, TransactionID: m.id, Meta: res.meta(table.Delete, "")})
		}
	}
	return true, nil
}
