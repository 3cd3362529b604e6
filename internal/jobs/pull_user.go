package jobs

import (
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
)

// known is what is known of a user before one of its streams is read.
type known struct {
	id      string
	listed  *finoos.User // what the list said; nil where nothing is to be compared with it
	cursors map[config.Stream]sink.Cursor
	logins  *finoos.List[finoos.BankLogin] // read already, for the stream bank_logins
	// lastWritten is the last _extracted_at of any stream in this run.
	lastWritten time.Time
}

// cursor returns what is remembered of a stream, or an empty cursor.
func (u *known) cursor(s config.Stream) sink.Cursor {
	c, ok := u.cursors[s]
	if !ok {
		c = sink.Cursor{UserID: u.id, Stream: string(s)}
	}
	return c
}

// extractedAt is the _extracted_at of a new pull: now, but always later than
// the one before, whatever the clock does.
func (u *known) extractedAt(s config.Stream, now time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	for _, last := range []time.Time{u.cursors[s].ExtractedAt, u.cursors[s].BackfilledAt, u.lastWritten} {
		if !now.After(last) {
			now = last.Add(time.Microsecond)
		}
	}
	return now
}

// closeLogins gives back the logins that nobody has taken.
func (u *known) closeLogins() {
	if list := u.takeLogins(); list != nil {
		_ = list.Close() // frees memory; nothing is lost by an error
	}
}

func (u *known) takeLogins() *finoos.List[finoos.BankLogin] {
	list := u.logins
	u.logins = nil
	return list
}

// accounts returns the ids of the user's accounts, as the cursor knows them.
func (u *known) accounts() []string {
	known, err := decodeKeyed(u.cursor(config.StreamAccounts).State)
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(known))
}
