package pull

import (
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

// User is what is known of a user before one of its streams is read.
type User struct {
	ID      string
	Listed  *finoos.User // what the list said; nil where nothing is to be compared with it
	Cursors map[config.Stream]cursors.Cursor
	Logins  *finoos.List[finoos.BankLogin] // read already, for the stream bank_logins
	Joined  *Joined                        // read already, for several; nil where each is read from its endpoint
	// LastWritten is the last _extracted_at of any stream in this run.
	LastWritten time.Time
}

// Cursor returns what is remembered of a stream, or an empty cursor.
func (u *User) Cursor(s config.Stream) cursors.Cursor {
	c, ok := u.Cursors[s]
	if !ok {
		c = cursors.Cursor{UserID: u.ID, Stream: string(s)}
	}
	return c
}

// ExtractedAt is the _extracted_at of a new pull: now, but always later than
// the one before, whatever the clock does.
func (u *User) ExtractedAt(s config.Stream, now time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	for _, last := range []time.Time{u.Cursors[s].ExtractedAt, u.Cursors[s].BackfilledAt, u.LastWritten} {
		if !now.After(last) {
			now = last.Add(time.Microsecond)
		}
	}
	return now
}

// CloseLogins gives back the logins that nobody has taken.
func (u *User) CloseLogins() {
	if list := u.takeLogins(); list != nil {
		_ = list.Close() // frees memory; nothing is lost by an error
	}
}

func (u *User) takeLogins() *finoos.List[finoos.BankLogin] {
	list := u.Logins
	u.Logins = nil
	return list
}

// accounts returns the ids of the user's accounts, as the cursor knows them.
func (r *Reader) accounts(u *User) []string {
	known, err := decodeKeyed(r.Veil.open(u.Cursor(config.StreamAccounts)))
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(known))
}
