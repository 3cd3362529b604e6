package pull

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// Reader reads streams of users, and compares them with what the cursors
// remember. It is safe for concurrent use.
type Reader struct {
	Client *finoos.Client
	Job    *config.Job
	// Now is the clock of the data.
	Now func() time.Time
	// Full reads every stream in full.
	Full bool
	// InDoubt says that what is remembered of a stream may be wrong; nil means that none
	// is.
	InDoubt func(cursors.Cursor) bool
	// Turns bounds the rows that are held at a time, over all readers of a run.
	Turns *Turns

	// Veil keeps what is remembered from telling what the tables hide.
	Veil *Veil

	byID lookedUp
}

// Read reads a stream that has changed, and compares it with what the cursor
// remembers. A list that is shorter than it tells is read once more.
func (r *Reader) Read(ctx context.Context, u *User, res *Result) error {
	res.Outcome = Pulled
	res.NullIsEmpty = res.NullAgain || r.RemembersNothing(u.Cursor(res.Stream))
	err := r.read(ctx, u, res)
	if finoos.IsShort(err) {
		res.Forget()
		err = r.read(ctx, u, res)
	}
	if err == nil && res.state == nil && res.Upserts == 0 && (res.Whole || r.RemembersNothing(u.Cursor(res.Stream))) {
		res.state = []byte{nothingThere}
	}
	return err
}

func (r *Reader) read(ctx context.Context, u *User, res *Result) error {
	switch res.Stream {
	case config.StreamUsers:
		return r.readUser(u, res)
	case config.StreamBankLogins:
		return r.readLogins(ctx, u, res)
	case config.StreamAccounts:
		return r.readAccounts(ctx, u, res)
	case config.StreamTransactions:
		return r.readTransactions(ctx, u, res)
	case config.StreamCategorization:
		return r.readCategorization(ctx, u, res)
	case config.StreamContracts:
		return r.readContracts(ctx, u, res)
	case config.StreamAccountHistory:
		return r.readHistory(ctx, u, res)
	default:
		return fmt.Errorf("stream %s cannot be pulled", res.Stream)
	}
}

// nothingThere is the state of a cursor that keeps no fingerprints, of categorization
// in mode diff, as long as there was nothing to keep any of. It is no stateVersion.
const nothingThere = 0

// RemembersNothing says that no record of a stream is known: null in the place of
// its list hides nothing then, and means that there is none. Else it may as well
// mean that the list is not to be had.
func (r *Reader) RemembersNothing(c cursors.Cursor) bool {
	switch {
	case c.Backfilled, c.Erased:
		return false
	case c.PulledAt.IsZero():
		return true
	}
	state := r.Veil.open(c)
	if len(state) == 1 && state[0] == nothingThere {
		return true
	}
	switch config.Stream(c.Stream) {
	case config.StreamTransactions:
		w, err := decodeWindow(state)
		return err == nil && !w.hasBookings()
	case config.StreamAccountHistory:
		h, err := decodeHistory(state)
		return err == nil && len(h) == 0
	default:
		k, err := decodeKeyed(state)
		return err == nil && len(k) == 0
	}
}

// hasBookings says whether any transaction was there.
func (w window) hasBookings() bool {
	for _, newest := range w.newest {
		if newest != noDate {
			return true
		}
	}
	return len(w.seen) > 0
}

// remembered returns the fingerprints to compare with, or nil and a result
// that is set to read everything.
func (r *Reader) remembered(u *User, res *Result) keyed {
	c := u.Cursor(res.Stream)
	if !r.WantsFull(c) {
		if old, err := decodeKeyed(r.Veil.open(c)); err == nil {
			return old
		}
	}
	res.readAll()
	return nil
}

// Begin makes the result of a pull that has yet to be read: it has the instant
// of its beginning.
func (r *Reader) Begin(u *User, s config.Stream, mode table.Mode) *Result {
	return &Result{
		User: u.ID, Stream: s, mode: mode, begun: mode, ExtractedAt: u.ExtractedAt(s, r.Now()), Began: time.Now(), turn: turn{of: r.Turns}, veil: r.Veil,
	}
}
