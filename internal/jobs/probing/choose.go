package probing

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink/cursors"
)

// order is that in which the services of one analysis finish.
var order = []finoos.Service{finoos.Banking, finoos.CategorizationService, finoos.AccountHistoryService, finoos.ContractsService}

const (
	// behindFor is how long a service is waited for that has not come to the analysis
	// of the others.
	behindFor = 24 * time.Hour
	// beganBefore is how much earlier than an audit an analysis must have begun to be one
	// that the asked service should have shown: the services of one finish apart.
	beganBefore = time.Hour
	// AuditEvery is how often a user is asked of all services to see whether the one
	// that is asked otherwise misleads.
	AuditEvery = 14 * 24 * time.Hour
)

// User is what is known of a user before anything is asked.
type User struct {
	Streams []config.Stream // that would be pulled: none in quarantine
	Cursors map[config.Stream]cursors.Cursor
	// Refresh says that a stream has to be read although its correlation is the
	// cursor's.
	Refresh func(cursors.Cursor) bool
	// Down says that a service answers nobody; nil means that all do.
	Down func(finoos.Service) bool
	// Asks says that a service that was not booked is asked, which it is now and then;
	// nil means that none is.
	Asks func(config.Stream) bool
}

// Choice is of which services a user is asked.
type Choice struct {
	// One is the service that is asked, and believed for the others while it shows
	// what Known has of it; empty means that all are asked.
	One finoos.Service
	// Known is of what analysis each service was pulled last.
	Known map[finoos.Service]finoos.Correlation
	// Owed says that all are asked since something is owed to the user.
	Owed bool
}

// Choose decides about a user. Somebody is owed something of whom a stream was never
// pulled, has failed, has no analysis, was taken back, was written to by a backfill or
// has to be read anyway; and of whom the services are not of one analysis, until
// those behind are waived.
func Choose(u *User) Choice {
	known, owed := u.known()
	c := Choice{Known: known, Owed: owed}
	if owed || len(known) == 0 {
		return c
	}
	newest := newestOf(known)
	for _, s := range order {
		k, ok := known[s]
		if ok && (u.Down == nil || !u.Down(s)) && !lags(k, newest) {
			c.One = s
		}
	}
	if c.One == "" {
		return c
	}
	waived := waivedIn(u.Cursors[config.StreamProbe])
	for s, k := range known {
		if k.ID != known[c.One].ID && waived[s] != known[c.One].ID {
			return Choice{Known: known, Owed: true}
		}
	}
	return c
}

// known is of what analysis each service was pulled last. owed says that something is
// owed whatever the services show.
func (u *User) known() (known map[finoos.Service]finoos.Correlation, owed bool) {
	known = map[finoos.Service]finoos.Correlation{}
	for _, stream := range u.Streams {
		service, ok := config.ServiceOf(stream)
		if !ok {
			continue
		}
		c, pulled := u.Cursors[stream]
		switch {
		case pulled && c.ErrorClass == pull.MarkNotBooked:
			owed = owed || u.Asks != nil && u.Asks(stream)
			continue
		case !pulled, c.MarkOnly, c.PulledAt.IsZero(), c.CorrelationID == "",
			c.Failures > 0, c.ErrorClass == pull.MarkNoAnalysis, c.Erased, c.Backfilled, u.Refresh(c):
			owed = true
			continue
		}
		of := finoos.Correlation{ID: c.CorrelationID, At: c.CorrelationAt}
		if of.At.IsZero() {
			of.At = c.PulledAt // where the API does not tell, what was pulled later is newer
		}
		if other, two := known[service]; two && other.ID != of.ID {
			owed = true // a run was killed between the two
		}
		known[service] = of
	}
	_, lost := u.Cursors[config.StreamLost]
	return known, owed || lost
}

// newestOf is the analysis that began last.
func newestOf(known map[finoos.Service]finoos.Correlation) (newest finoos.Correlation) {
	for _, s := range order {
		if k, ok := known[s]; ok && !k.At.Before(newest.At) {
			newest = k
		}
	}
	return newest
}

// lags says that a service has not come to the newest analysis: one that never does
// would tell of nothing.
func lags(k, newest finoos.Correlation) bool { return k.ID != newest.ID && k.At.Before(newest.At) }

// Equal says whether all services that were pulled were so of one analysis, whatever else
// is owed; ok is false where no two are known.
func (u *User) Equal() (equal, ok bool) {
	known, _ := u.known()
	if len(known) < 2 {
		return false, false
	}
	ids := slices.Collect(maps.Values(known))
	return !slices.ContainsFunc(ids, func(c finoos.Correlation) bool { return c.ID != ids[0].ID }), true
}

// Misled says whether the one service, which showed what was known of it, has hidden
// that another moved: by an analysis that began long enough before now. shown has the
// answers of this run.
func (c *Choice) Misled(shown map[finoos.Service]finoos.Correlation, now time.Time) (misled, audited bool) {
	one, asked := shown[c.One]
	if c.One == "" || !asked || one.ID == "" {
		return false, false
	}
	if one.ID != c.Known[c.One].ID {
		return false, true
	}
	for s, k := range c.Known {
		p, asked := shown[s]
		if asked && p.ID != "" && p.ID != k.ID && isOld(p.At, now) && (p.At.IsZero() || !p.At.Before(k.At)) {
			return true, true
		}
	}
	return false, true
}

// isOld says that an analysis began long enough ago that the others should have come to
// it. One of a time that is not told, or far ahead, is: clocks excuse nothing.
func isOld(at, now time.Time) bool {
	return now.Sub(at) > beganBefore || at.Sub(now) > beganBefore
}

// Told says that the one service has moved.
func (c *Choice) Told(shown map[finoos.Service]finoos.Correlation) bool {
	one, asked := shown[c.One]
	return asked && one.ID != "" && one.ID != c.Known[c.One].ID
}

// waivers are what a cursor of [config.StreamProbe] remembers: by service, the analysis
// that is not waited for any more.
type waivers map[finoos.Service]string

func waivedIn(c cursors.Cursor) waivers {
	var w waivers
	if len(c.State) == 0 || json.Unmarshal(c.State, &w) != nil {
		return nil
	}
	return w
}

// Waive returns the state of the user's cursor of [config.StreamProbe] once the services
// are left alone that this run has asked and that are still behind the others, a day
// after these came to their analysis. moved is false where that is what it was.
func Waive(u *User, shown map[finoos.Service]finoos.Correlation, now time.Time) (state []byte, moved bool) {
	known, _ := u.known()
	newest := newestOf(known)
	if !longAgo(newest, u, now) {
		return nil, false
	}
	before := waivedIn(u.Cursors[config.StreamProbe])
	next := waivers{}
	for s, k := range known {
		if k.ID == newest.ID {
			continue
		}
		if p, asked := shown[s]; asked && p.ID == k.ID || before[s] == newest.ID {
			next[s] = newest.ID
			moved = moved || before[s] != newest.ID
		}
	}
	if !moved {
		return nil, false
	}
	state, err := json.Marshal(next)
	return state, err == nil
}

// longAgo says that an analysis began a day ago; where it does not tell when, or of a
// time to come, that a day ago it was pulled.
func longAgo(of finoos.Correlation, u *User, now time.Time) bool {
	at := of.At
	if at.After(now) {
		at = now
		for _, stream := range u.Streams {
			if c := u.Cursors[stream]; c.CorrelationID == of.ID && c.PulledAt.Before(at) {
				at = c.PulledAt
			}
		}
	}
	return now.Sub(at) >= behindFor
}
