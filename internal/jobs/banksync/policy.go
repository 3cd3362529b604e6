package banksync

import (
	"encoding/json"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

// Memory is what a user's cursor remembers of the last sync session of a login, so
// that none is wasted: an outcome that needs the user, or a daily limit, holds until
// its time or until the login's status has changed.
type Memory struct {
	Outcome finoos.Outcome `json:"outcome"`
	Status  string         `json:"status"` // of the login, when the session was asked for
	At      time.Time      `json:"at"`
	Until   time.Time      `json:"until,omitzero"`
	// Unsure says that the bank may have been asked though no answer of its own came
	// back.
	Unsure bool `json:"unsure,omitempty"`
	// Seen is nil where nobody has looked at the login since it was asked for last, or
	// what it is like is not to be kept.
	Seen *Seen `json:"seen,omitempty"`
	// SeenSealed is Seen where what is kept of records is sealed.
	SeenSealed string `json:"seen_sealed,omitempty"`
}

// NeedsUser says that the login works again only if its user does something.
func (m Memory) NeedsUser() bool {
	switch m.Outcome {
	case finoos.InterfaceDeprecated, finoos.CredentialsRequired, finoos.Blocked, finoos.SCARequired:
		return true
	default:
		return false
	}
}

// Logins is what is remembered of a user's logins, by their ids.
type Logins map[string]Memory

// Recall reads what a cursor of sync sessions remembers.
func Recall(state []byte) Logins {
	memory := Logins{}
	if len(state) > 0 && json.Unmarshal(state, &memory) != nil || memory == nil {
		return Logins{}
	}
	return memory
}

// Decision is what the policy says of one login.
type Decision int

// The decisions.
const (
	Leave   Decision = iota
	Ask              // a sync session is due
	NoteSCA          // the login waits for its user: that is known without asking
)

// StatusSCARequired is that of a login that waits for its user.
const StatusSCARequired = "SCA_REQUIRED"

// ahead is by how much a remembered instant may lie ahead: beyond, it is of a clock
// that was wrong, and counts as if there were none.
const ahead = 24 * time.Hour

func (m Memory) isAhead(now time.Time) bool { return m.At.Sub(now) > ahead }

// AttemptAt is the instant of a session that is about to be asked for: later than what
// is remembered of the login, though the clock was put back.
func AttemptAt(last Memory, now time.Time) time.Time {
	if now.After(last.At) || last.isAhead(now) {
		return now
	}
	return last.At.Add(time.Microsecond)
}

// Knows reports whether what is remembered is of a session that was asked for at an
// instant, or of a later one.
func (m Memory) Knows(asked, now time.Time) bool { return !asked.After(m.At) && !m.isAhead(now) }

// Decide is the policy of sync sessions (docs/design.md, "Bank synchronisations"). now is the
// clock of the data.
func Decide(p *config.Sync, l *finoos.BankLogin, last Memory, now time.Time) Decision {
	if last.isAhead(now) {
		last = Memory{}
	}
	sameStatus := last.Status == l.Status
	held := !last.Until.IsZero() && now.Before(last.Until)
	if l.Status == StatusSCARequired {
		if last.Outcome == finoos.SCARequired && held {
			return Leave
		}
		return NoteSCA
	}
	if held && (sameStatus || last.Outcome == finoos.DailyLimit || last.Unsure) {
		return Leave
	}
	if mayHaveGoneThrough(p, l, last, now) {
		return Leave
	}
	if p.When == config.SyncAlways {
		return Ask
	}
	if l.Active.Valid && l.Active.V {
		return Leave // finoOS keeps it fresh in the background
	}
	if now.Sub(lastSync(l, last, now)) <= p.StaleAfter {
		return Leave
	}
	return Ask
}

// lastSync is when a login was synchronised last: by our own memory where the API does
// not tell, or tells of a day to come.
func lastSync(l *finoos.BankLogin, last Memory, now time.Time) time.Time {
	told := l.LastSynchronization
	if told.IsZero() || told.Sub(now) > ahead {
		told = time.Time{}
		if last.Outcome == finoos.Synced {
			told = last.At
		}
	}
	return told
}

// mayHaveGoneThrough says that the last session may be one that the bank counts.
// For as long as a login is fresh, lastSynchronization tells; where the API has none,
// the session counts as one that went through.
func mayHaveGoneThrough(p *config.Sync, l *finoos.BankLogin, last Memory, now time.Time) bool {
	if !last.Unsure && last.Outcome != finoos.Unknown {
		return false
	}
	since, done := now.Sub(last.At), lastSync(l, Memory{}, now)
	if since > p.StaleAfter {
		return false
	}
	return done.IsZero() || done.After(last.At.Add(-clocksDiffer))
}

// clocksDiffer is by how much the bank's clock and ours may, and how long a session
// may take: last.At is when it was given up.
const clocksDiffer = time.Hour

// Remember says what holds after a session that was asked for at an instant, zero
// where none was.
func Remember(p *config.Sync, res *finoos.SyncResult, status string, asked, now time.Time, zone *time.Location) Memory {
	m := Memory{Outcome: res.Outcome, Status: status, At: now.UTC(), Unsure: res.MayHaveReached()}
	if asked.After(now) { // the clock was put back: it must not seem to be of an attempt after it
		m.At = asked.UTC()
	}
	switch res.Outcome {
	case finoos.InterfaceDeprecated, finoos.CredentialsRequired, finoos.Blocked, finoos.SCARequired,
		finoos.Rejected, finoos.SyncForbidden:
		m.Until = now.Add(p.NeedsUserRetry).UTC()
	case finoos.DailyLimit:
		y, month, d := now.In(zone).Date()
		m.Until = time.Date(y, month, d+1, 0, 0, 0, 0, zone).UTC()
	case finoos.Unknown:
		m = m.UnderWay(p) // for as long as the run waits, or is cut while it does
	case finoos.Synced, finoos.Gone, finoos.Failed:
		// Whether another one is due is seen from lastSynchronization.
	}
	return m
}

// UnderWay is a memory of a session that nobody waits for any more: for as long as a run
// would have, the bank may be at work on it, which lastSynchronization does not show.
func (m Memory) UnderWay(p *config.Sync) Memory {
	if m.Unsure {
		m.Until = m.At.Add(p.SettleTimeout)
	}
	return m
}

// LetGo ends what [Memory.UnderWay] holds, and reports whether it did.
func (l Logins) LetGo() (some bool) {
	for id, m := range l {
		if m.Unsure && !m.Until.IsZero() {
			m.Until = time.Time{}
			l[id], some = m, true
		}
	}
	return some
}

// RememberAttempt says what holds of a session that was asked for at an instant by a
// run that has ended since, without a word of what came of it.
func RememberAttempt(p *config.Sync, last Memory, asked, now time.Time) Memory {
	if asked.After(now) {
		asked = now // of a clock that was wrong
	}
	return Memory{Outcome: finoos.Unknown, Status: last.Status, At: asked.UTC(), Unsure: true}.UnderWay(p)
}

// LikelyDue guesses from the last session of a login whether another one is due, as
// [Decide] does who has seen the login.
func LikelyDue(p *config.Sync, last Memory, now time.Time) bool {
	switch {
	case last.Seen != nil:
		return !last.Seen.Gone && Decide(p, last.Seen.login(""), last, now) == Ask
	case now.Before(last.Until), last.Status == StatusSCARequired:
		return false
	case last.Unsure, last.Outcome == finoos.Unknown:
		return now.Sub(last.At) > p.StaleAfter
	case p.When == config.SyncAlways, last.Outcome == finoos.Failed, last.Outcome == finoos.Gone:
		return true
	default:
		return now.Sub(last.At) > p.StaleAfter
	}
}
