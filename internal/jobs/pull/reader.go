package pull

import (
	"context"
	"fmt"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
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
	// Turns bounds the rows that are held at a time, over all readers of a run.
	Turns *Turns

	byID lookedUp
}

// Read reads a stream that has changed, and compares it with what the cursor
// remembers.
func (r *Reader) Read(ctx context.Context, u *User, res *Result) error {
	res.Outcome = Pulled
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

// remembered returns the fingerprints to compare with, or nil and a result
// that is set to read everything.
func (r *Reader) remembered(u *User, res *Result) keyed {
	c := u.Cursor(res.Stream)
	if !r.WantsFull(c) {
		if old, err := decodeKeyed(c.State); err == nil {
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
		User: u.ID, Stream: s, mode: mode, ExtractedAt: u.ExtractedAt(s, r.Now()), Began: time.Now(), turn: turn{of: r.Turns},
	}
}
