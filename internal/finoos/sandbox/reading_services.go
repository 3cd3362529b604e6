package sandbox

import "time"

// analysisReadings are about correlations, the services that finish an analysis
// one after the other, and the diffs between two.
func analysisReadings() []reading {
	return []reading{
		{"correlation_ids", "shared per_service", "whether the services of one analysis share its id is not documented", "", func(r *Readings) *string { return &r.CorrelationIDs }},
		{"services", "together late never in_turn analysing_404 other_order hours stuck stuck_some alone retagged", "services finish an analysis one after the other, hours or a night later, never, in another order, with a 404 meanwhile; contracts, or tags by new patterns, are analysed alone", "", func(r *Readings) *string { return &r.Services }},
		{"replicas", "one stale_ids stale_data", "load-balanced replicas lag: an id goes back to an older one; what is read first after an analysis is what was there before", "", func(r *Readings) *string { return &r.Replicas }},
		{"unknown_correlation", "given 400 404 410 whole", "what an unknown or too old correlation-id is answered with is not documented", "", func(r *Readings) *string { return &r.UnknownCorrelation }},
		{"diff", "given added whole replaces ignored refused", "a diff adds tags, names all of a transaction that changed, counts those that lost one too, or is none", "", func(r *Readings) *string { return &r.Diff }},
		{"removed_tags", "given kept removed", "a diff does not promise the tags that were removed", "", func(r *Readings) *string { return &r.RemovedTags }},
	}
}

// correlationID is what a service calls an analysis.
func (s *Sandbox) correlationID(a analysis, svc service) string {
	if s.opts.Readings.CorrelationIDs == "" || svc == banking {
		return a.id
	}
	return s.seed.on("correlation "+a.id, int(svc)).uuid()
}

// inTurn is the order in which the services finish an analysis, otherTurn another one,
// in which what is there first comes last.
var (
	inTurn    = [serviceCount]service{banking, categorization, accountDetection, accountHistory, contracts}
	otherTurn = [serviceCount]service{contracts, accountHistory, banking, accountDetection, categorization}
)

// turn is the place of a service in that order.
func (r Readings) turn(svc service) int {
	order := inTurn
	if r.Services == "other_order" {
		order = otherTurn
	}
	for i, of := range order {
		if of == svc {
			return i
		}
	}
	panic("a service without a place")
}

const (
	// eachTakes is how long a service takes after the one before: of the analyses of a
	// night, which begin until half past five, most are under way at six.
	eachTakes = 40 * time.Minute
	// hoursLater is long enough for no run of six o'clock to see it.
	hoursLater = 6 * time.Hour
)

// tardy are the services that may finish a night later than the others.
func (svc service) tardy() bool { return svc == contracts || svc == accountHistory }

// unfinished tells whether a service has not come to an analysis of the night yet. The
// caller holds s.mu.
func (s *Sandbox) unfinished(l life, k int, svc service) bool {
	a := l.analyses[k-1]
	since := s.now().Sub(a.at)
	switch r := s.opts.Readings; r.Services {
	case "late":
		return svc.tardy() && k > 1 && a.night == s.nights
	case "never":
		return svc.tardy() && s.seed.on("never "+l.analyses[0].id).chance(0.35)
	case "in_turn", "analysing_404", "other_order":
		return a.seq == 0 && since < eachTakes*time.Duration(r.turn(svc))
	case "hours":
		return svc == contracts && a.seq == 0 && since < hoursLater
	case "stuck":
		return svc == contracts && k > 1
	case "stuck_some":
		return svc == contracts && k > 1 && s.seed.on("stuck "+l.analyses[0].id).chance(0.35)
	default:
		return false
	}
}

// hides tells whether a service has no correlation while it is at work on an analysis
// that is newer than the finished one.
func (s *Sandbox) hides(l life, k int, svc service) bool {
	if !s.opts.AnalysingIs404 && s.opts.Readings.Services != "analysing_404" {
		return false
	}
	for _, a := range l.analyses[k:] {
		if a.concerns(svc) {
			return true
		}
	}
	return false
}

// alone is the service that analyses of its own concern; false where there are none.
func (r Readings) alone() (service, bool) {
	switch r.Services {
	case "alone":
		return contracts, true
	case "retagged":
		return categorization, true
	default:
		return 0, false
	}
}

// again is the analysis of one service alone that a night brings to some of those whom
// it brings no other: the banks were not asked, so that nothing else is new.
func (s *Sandbox) again(l life, index, night int) (analysis, bool) {
	svc, does := s.opts.Readings.alone()
	d := s.seed.on("again", index, night)
	n := len(l.analyses)
	if !does || n == 0 || l.analyses[n-1].night == night || !d.on("does").chance(0.3) {
		return analysis{}, false
	}
	on := s.start + day(night)
	return analysis{
		id: d.uuid(), night: night, seq: aloneSeq, day: on, only: 1 << svc,
		at: on.at(30*time.Minute + time.Duration(d.on("second").below(5*3600))*time.Second),
	}, true
}

// aloneSeq tells analyses of one service apart from those that sync sessions start.
const aloneSeq = 90

// concerns tells whether an analysis is one of a service.
func (a analysis) concerns(svc service) bool { return a.only == 0 || a.only&(1<<svc) != 0 }

// before is the analysis that a service had finished before its k-th, 0 for none.
func (l life) before(k int, svc service) int {
	for k--; k > 0 && !l.analyses[k-1].concerns(svc); k-- {
	}
	return max(k, 0)
}

// lags is which analysis the correlation of a service shows whose newest is the k-th:
// tonight, some are asked of a replica that has not heard of it, though others have
// shown it in a night before. The caller holds s.mu.
func (s *Sandbox) lags(l life, index, k int, svc service) int {
	if s.opts.Readings.Replicas != "stale_ids" || k == 0 || l.analyses[k-1].night == s.nights ||
		!s.seed.on("replica", index, int(svc), s.nights).chance(0.3) {
		return k
	}
	if earlier := l.before(k, svc); earlier > 0 {
		return earlier
	}
	return k
}

// read is what a request reads of a service: state, but where replicas lag, what is
// read first after an analysis is what was there before.
func (s *Sandbox) read(c *call, svc service) (*state, life) {
	if s.opts.Readings.Replicas != "stale_data" {
		return s.state(c.index, svc)
	}
	s.mu.Lock()
	l := s.lived(c.index)
	k := s.finished(l, svc, c.now)
	earlier := 0
	if k > 0 {
		earlier = l.before(k, svc)
	}
	key := "replica " + c.op.name + " " + c.id + " " + l.idOf(k)
	first := earlier > 0 && !s.ready[key]
	s.ready[key] = true
	s.mu.Unlock()
	if first {
		return s.stateAt(c.index, l, earlier), l
	}
	return s.stateAt(c.index, l, k), l
}

// idOf is the id of the k-th analysis.
func (l life) idOf(k int) string {
	if k == 0 {
		return ""
	}
	return l.analyses[k-1].id
}
