package banksync

import (
	"encoding/json"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

// Seen is what a login was like when it was looked at last.
type Seen struct {
	Status string    `json:"status,omitempty"`
	Active *bool     `json:"active,omitempty"` // nil where the API does not tell
	Last   time.Time `json:"last_synchronization,omitzero"`
	// Gone says that the login was not there: what is remembered of it may be of use yet.
	Gone bool `json:"gone,omitempty"`
}

// SeenOf is what is remembered of a login as it is.
func SeenOf(l *finoos.BankLogin) *Seen {
	s := &Seen{Status: l.Status, Last: l.LastSynchronization.UTC()}
	if l.LastSynchronization.IsZero() {
		s.Last = time.Time{}
	}
	if l.Active.Valid {
		s.Active = &l.Active.V
	}
	return s
}

// login is the login as it was seen.
func (s *Seen) login(id string) *finoos.BankLogin {
	l := &finoos.BankLogin{ID: id, Status: s.Status, LastSynchronization: s.Last}
	if s.Active != nil {
		l.Active.V, l.Active.Valid = *s.Active, true
	}
	return l
}

// AllSeen says that what every login was like is remembered.
func (l Logins) AllSeen() bool {
	for _, m := range l {
		if m.Seen == nil {
			return false
		}
	}
	return true
}

// Due says what the policy wants of a user's logins, if they still are as they were
// seen: of any [Ask], else of any [NoteSCA].
func (l Logins) Due(p *config.Sync, now time.Time) Decision {
	due := Leave
	for id, m := range l {
		if m.Seen == nil || m.Seen.Gone {
			continue
		}
		switch Decide(p, m.Seen.login(id), m, now) {
		case Ask:
			return Ask
		case NoteSCA:
			due = NoteSCA
		case Leave:
		}
	}
	return due
}

// See takes in what the logins of a user are like, nil for one that is another since,
// and that others are not there any more; changed is false where that is what was
// remembered. That there is none at all is believed when it is seen a second time.
func (l Logins) See(seen map[string]*Seen) (changed bool) {
	if len(seen) == 0 && l.isThere() {
		for id, m := range l {
			m.Seen = nil
			l[id] = m
		}
		return true
	}
	note := func(id string, s *Seen) {
		if m := l[id]; m.Seen.Text() != s.Text() {
			m.Seen, changed = s, true
			l[id] = m
		}
	}
	for id, s := range seen {
		note(id, s)
	}
	for id := range l {
		if _, there := seen[id]; !there {
			note(id, &Seen{Gone: true})
		}
		if m := l[id]; m.Seen != nil && m.Seen.Gone && m.Outcome == "" && !m.Unsure {
			delete(l, id) // nothing else is known of it
			changed = true
		}
	}
	return changed
}

// isThere says that a login was there when it was looked at last.
func (l Logins) isThere() bool {
	for _, m := range l {
		if m.Seen != nil && !m.Seen.Gone {
			return true
		}
	}
	return false
}

// Text is what was seen in one text.
func (s *Seen) Text() string {
	text, err := json.Marshal(s)
	if err != nil {
		return "" // as one that was not seen
	}
	return string(text)
}

// ReadSeen reads [Seen.Text], nil where it is none.
func ReadSeen(text string) *Seen {
	var s *Seen
	if json.Unmarshal([]byte(text), &s) != nil {
		return nil
	}
	return s
}
