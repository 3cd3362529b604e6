package sandbox

import "time"

// service is one of the analyses that a correlation belongs to.
type service int

const (
	banking service = iota
	categorization
	contracts
	accountHistory
	accountDetection
	serviceCount
)

var serviceNames = [serviceCount]string{"banking", "categorization", "contracts", "account-history", "account-detection"}

// analysis is one of a user: the only moments at which anything about the
// user's money changes. A user's list of them only ever grows, so its first k
// name a state of the user for good.
type analysis struct {
	id      string
	night   int
	seq     int // 0: at night; from 1: started by a sync session
	day     day
	at      time.Time // simulated: correlationTimestamp
	logins  uint      // bit set of those with fresh data
	started time.Time // by Options.Clock, zero at night
	only    uint      // bit set of the services that it is of, 0 for all of them
}

// loginState is what GET /banking/logins tells of a login.
type loginState struct {
	loginSpec
	status  string
	last    time.Time
	changed int // the last night that changed the status
}

const (
	statusOK     = "OK"
	statusSCA    = "SCA_REQUIRED"
	statusFailed = "SYNC_FAILED"
)

// life is what has happened to a user so far.
type life struct {
	analyses []analysis
	logins   []loginState
}

// lived replays a user's nights up to the present one. The caller holds s.mu.
func (s *Sandbox) lived(index int) life {
	born := s.bornOn(index)
	d := s.seed.on("life", index)
	l := life{logins: s.fresh(index, born)}
	syncs := s.syncs[index]
	connected := len(l.logins) > 0
	if connected && born == 0 && d.on("unconnected").chance(0.02) && !s.fixed {
		connected = false
		for i := range l.logins {
			l.logins[i].last = time.Time{}
		}
	}
	if connected {
		l.add(s.first(d, index, born))
	}
	for night := born; night <= s.nights; night++ {
		if night > born {
			s.pass(&l, d, index, night, &connected)
		}
		for len(syncs) > 0 && syncs[0].night == night {
			l.add(syncs[0])
			syncs = syncs[1:]
		}
		if a, does := s.again(l, index, night); does && night > born {
			l.add(a)
		}
	}
	if !connected {
		l.logins = nil
	}
	return l
}

// fresh are the logins before anything happened.
func (s *Sandbox) fresh(index, born int) []loginState {
	specs := s.world.logins(index)
	states := make([]loginState, len(specs))
	for i, spec := range specs {
		states[i] = loginState{loginSpec: spec, status: statusOK, changed: born}
	}
	return states
}

// first is the analysis that found all of the past. It may be a few days old
// when the simulation starts.
func (s *Sandbox) first(d dice, index, born int) analysis {
	on := s.start + day(born)
	if born == 0 && !s.fixed {
		on -= day(d.on("lag").below(4))
	}
	a := s.nightly(index, born, on)
	a.logins = ^uint(0)
	return a
}

func (s *Sandbox) nightly(index, night int, on day) analysis {
	d := s.seed.on("analysis", index, night)
	return analysis{
		id: d.uuid(), night: night, day: on,
		at: on.at(30*time.Minute + time.Duration(d.on("second").below(5*3600))*time.Second),
	}
}

// pass lets one night go by.
func (s *Sandbox) pass(l *life, d dice, index, night int, connected *bool) {
	on := s.start + day(night)
	if !*connected {
		if d.on("connects", night).chance(0.1) {
			*connected = true
			l.add(s.first(d, index, night))
		}
		return
	}
	if !s.fixed {
		l.turn(d, night, s.opts.Nightly.Login)
	}
	a := s.nightly(index, night, on)
	for i, login := range l.logins {
		if login.active && login.status == statusOK {
			a.logins |= 1 << i
		}
	}
	if a.logins != 0 && s.world.stirs(index, night, on) {
		l.add(a)
	}
}

// turn changes the status of logins: consents run out, banks have bad days,
// and most of it mends.
func (l *life) turn(d dice, night int, odds float64) {
	for i := range l.logins {
		login, roll := &l.logins[i], d.on("login", i, night)
		switch {
		case login.status == statusOK && roll.chance(odds):
			login.status = pick(roll.on("status"), []string{statusSCA, statusFailed})
		case login.status != statusOK && roll.chance(0.2):
			login.status = statusOK
		default:
			continue
		}
		login.changed = night
	}
}

func (l *life) add(a analysis) {
	l.analyses = append(l.analyses, a)
	for i := range l.logins {
		if a.logins&(1<<i) != 0 {
			l.logins[i].last = a.at
			if a.seq > 0 && l.logins[i].status != statusOK {
				l.logins[i].status = statusOK
			}
		}
	}
}

// finished is the newest analysis of a service that is finished, counted from
// 1; 0 for none. Services come after one another, the banking data first; a later
// analysis that is finished has overtaken those before it.
func (s *Sandbox) finished(l life, svc service, now time.Time) int {
	for k := len(l.analyses); k > 0; k-- {
		a := l.analyses[k-1]
		took := s.opts.AnalysisDelay * time.Duration(1+s.opts.Readings.turn(svc)) / time.Duration(serviceCount)
		if !a.concerns(svc) || s.unfinished(l, k, svc) {
			continue
		}
		if a.started.IsZero() || !now.Before(a.started.Add(took)) {
			return k
		}
	}
	return 0
}
