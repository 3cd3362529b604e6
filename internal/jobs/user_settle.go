package jobs

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/probing"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/cursors"
)

// settling is a user's wait for the analysis that its sync sessions started.
// Times are real time.
type settling struct {
	began    time.Time
	deadline time.Time
	wait     time.Duration
	before   map[finoos.Service]finoos.Correlation // read before the first session
	named    map[string]bool                       // the analyses that the sessions named
	open     map[finoos.Service]bool               // services that have not shown one of these
}

const (
	firstPoll   = 2 * time.Second
	slowestPoll = time.Minute
)

// startSettling begins the wait, or lets it know of one more session.
func (u *user) startSettling(services []finoos.Service, correlationID string, timeout time.Duration) {
	if u.settle == nil {
		u.one, u.choice, u.audited = "", probing.Choice{}, false // what comes is of all services
		u.settle = &settling{
			began: time.Now(), deadline: time.Now().Add(timeout), wait: firstPoll,
			before: map[finoos.Service]finoos.Correlation{}, named: map[string]bool{}, open: map[finoos.Service]bool{},
		}
		for _, service := range services {
			p, asked := u.probes[service]
			before := p.correlation
			if !asked || p.err != nil {
				before = u.lastCorrelation(service)
			}
			u.settle.before[service] = before
			u.settle.open[service] = true
		}
	}
	if correlationID != "" {
		u.settle.named[correlationID] = true
	}
}

// lastCorrelation is the newest of a service that an earlier run has pulled.
func (u *user) lastCorrelation(service finoos.Service) (last finoos.Correlation) {
	for s, c := range u.Cursors {
		if of, ok := config.ServiceOf(s); ok && of == service && !c.CorrelationAt.Before(last.At) && c.CorrelationID != "" {
			last = finoos.Correlation{ID: c.CorrelationID, At: c.CorrelationAt}
		}
	}
	return last
}

// next is how long to wait until the next look, longer each time, and not
// beyond the deadline.
func (s *settling) next() time.Duration {
	wait := min(s.wait, time.Until(s.deadline))
	s.wait = min(s.wait*8/5, slowestPoll)
	return max(wait, 0)
}

// done says whether a correlation is the analysis that is waited for.
func (s *settling) done(service finoos.Service, c finoos.Correlation) bool {
	return c.ID != "" && (s.named[c.ID] || c.ID != s.before[service].ID)
}

// countProbe lets a failure count before the pull that would say it: many may
// settle at the same time.
func (n *nightly) countProbe(ctx context.Context, u *user, service finoos.Service, cause error) {
	n.health.failed(ctx, apiPart{service: service}, u.ID, cause, !u.failedBefore())
}

// pollAnalysis asks a settling user once for the correlation of each service that has not
// finished. When none is left, or the time is up, the user no longer settles:
// what was read last is what it is pulled by.
func (n *nightly) pollAnalysis(ctx context.Context, u *user) error {
	s := u.settle
	if s == nil {
		return nil
	}
	defer func() {
		if u.settle == nil {
			n.tally.took(report.StageSettle, u.ID, time.Since(s.began))
		}
	}()
	for _, service := range u.services {
		if !s.open[service] {
			continue
		}
		if n.health.isDown(apiPart{service: service}) {
			delete(s.open, service) // what needs it is passed over
			delete(u.probes, service)
			continue
		}
		delete(u.probes, service)
		c, err := n.probe(ctx, u, service)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if what, _ := consequenceOf(err); what == endRun {
				return fmt.Errorf("wait for the analysis: %w", err)
			}
			n.countProbe(ctx, u, service, err)
			continue // asked again; if it stays so, the pull says it
		}
		if s.done(service, c) {
			delete(s.open, service)
		}
	}
	if len(s.open) == 0 {
		u.settle = nil
		return n.hasWaited(ctx, u)
	}
	if time.Now().Before(s.deadline) {
		return nil
	}
	u.settle = nil
	n.tally.update(func(rep *report.Report) { rep.Unsettled++ })
	for service := range s.open {
		// An analysis that is still running may hide the one before it.
		if p := u.probes[service]; p.err == nil && p.correlation.ID == "" {
			u.probes[service] = probe{correlation: s.before[service]}
		}
	}
	return n.hasWaited(ctx, u)
}

// hasWaited lets go of what holds sessions whose outcome is unknown while the bank may
// be at work.
func (n *nightly) hasWaited(ctx context.Context, u *user) error {
	c := u.Cursor(config.StreamSyncSessions)
	memory := n.recall(u)
	if !memory.LetGo() {
		return nil
	}
	return n.addSessions(ctx, u, memory, nil, c.ExtractedAt, nil)
}

// park lets a user wait for its analysis. It lies on disk meanwhile, with all that is
// known of it; in memory there is its id, and when it is due. Where the disk has no
// room, it waits in memory, of which fewer may.
func (n *nightly) park(ctx context.Context, u *user, due time.Time) {
	if !u.plain() {
		n.flow.queue.push(u, due)
		return
	}
	at, err := n.shelf.Put(encodeSettling(u, n.began))
	if err != nil {
		if n.saidNoRoom.CompareAndSwap(false, true) {
			n.log.WarnContext(ctx, "users who wait for an analysis cannot be held on disk: they wait in memory, fewer at a time", "error", err)
		}
		n.flow.queue.push(u, due)
		return
	}
	n.flow.queue.park(at, due)
}

func (n *nightly) unpark(at scratch.Place) (*user, error) {
	piece, err := n.shelf.Take(at)
	if err != nil {
		return nil, fmt.Errorf("read users who wait for an analysis: %w", err)
	}
	u, err := decodeSettling(piece, n.began)
	if err != nil {
		return nil, fmt.Errorf("read users who wait for an analysis: %w", err)
	}
	return u, nil
}

// plain says that there is nothing about a settling user but what is written of it on
// disk: nothing has failed or was passed over.
func (u *user) plain() bool {
	a := &u.attempts
	tried := len(a.soon)+len(a.later)+len(a.doubts)+len(a.retry)+len(a.triedBefore)+len(a.tries) > 0 || a.lastTry || a.turned
	return !tried && len(u.parts) == 0 && u.Listed == nil && u.filled == nil && !u.again && !u.gone && u.begun
}

// flags are what is true or false of a settling user, in the order of their bits.
func (u *user) flags() []*bool {
	return []*bool{&u.logins.read, &u.early, &u.checked, &u.lost, &u.noAddress, &u.pulled, &u.failed, &u.noAnalysis, &u.notBooked, &u.quarantined}
}

func encodeSettling(u *user, began time.Time) []byte {
	b := scratch.AppendString(nil, u.ID)
	b = appendInstant(b, u.LastWritten)
	var bits uint64
	for i, flag := range u.flags() {
		if *flag {
			bits |= 1 << i
		}
	}
	b = append(binary.AppendUvarint(b, bits), u.returns)
	b = binary.AppendUvarint(b, uint64(len(u.pulledAt)))
	for _, at := range u.pulledAt {
		b = appendInstant(b, at)
	}
	b = appendWords(appendWords(b, u.streams), u.services)
	b = appendWords(binary.AppendUvarint(b, u.scopes.hash), u.scopes.without)
	known := slices.Collect(maps.Values(u.Cursors))
	if u.missing != nil {
		known = append(known, *u.missing) // as it came
	}
	b = binary.AppendUvarint(b, uint64(len(known)))
	for _, c := range known {
		b = cursors.Append(b, &c)
	}
	b = appendCorrelations(b, u.asked())

	s := u.settle // real times, which have to stay apart from those of the clock
	for _, d := range []time.Duration{s.began.Sub(began), s.deadline.Sub(began), s.wait} {
		b = binary.AppendVarint(b, int64(d))
	}
	b = appendCorrelations(b, s.before)
	b = appendWords(b, slices.Collect(maps.Keys(s.named)))
	return appendWords(b, slices.Collect(maps.Keys(s.open)))
}

// asked are the correlations that have been asked for: one that could not be read is
// asked for again.
func (u *user) asked() map[finoos.Service]finoos.Correlation {
	asked := map[finoos.Service]finoos.Correlation{}
	for service, p := range u.probes {
		if p.err == nil {
			asked[service] = p.correlation
		}
	}
	return asked
}

func decodeSettling(b []byte, began time.Time) (*user, error) {
	r := scratch.NewReader(b)
	id, last := r.String(), readInstant(r)
	bits, returns := r.Uvarint(), r.Byte()
	pulledAt := make([]time.Time, r.Count(1))
	for i := range pulledAt {
		pulledAt[i] = readInstant(r)
	}
	streams, services := readWords[config.Stream](r), readWords[finoos.Service](r)
	allowed := scopes{hash: r.Uvarint(), without: readWords[config.Stream](r)}
	known := make([]cursors.Cursor, r.Count(1))
	for i := range known {
		var err error
		if known[i], err = cursors.Read(r); err != nil {
			return nil, err
		}
	}
	u := newUser(id, nil, known)
	u.LastWritten, u.returns, u.pulledAt, u.streams, u.services, u.scopes, u.begun = last, returns, pulledAt, streams, services, allowed, true
	for i, flag := range u.flags() {
		*flag = bits>>i&1 > 0
	}
	for service, c := range readCorrelations(r) {
		u.probes[service] = probe{correlation: c}
	}
	s := &settling{
		began: began.Add(time.Duration(r.Varint())), deadline: began.Add(time.Duration(r.Varint())), wait: time.Duration(r.Varint()),
		before: readCorrelations(r), named: map[string]bool{}, open: map[finoos.Service]bool{},
	}
	for _, name := range readWords[string](r) {
		s.named[name] = true
	}
	for _, service := range readWords[finoos.Service](r) {
		s.open[service] = true
	}
	u.settle = s
	if r.Failed() || len(r.Rest()) > 0 || id == "" {
		return nil, errHeld
	}
	return u, nil
}

func appendInstant(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), at.UnixMicro())
}

func readInstant(r *scratch.Reader) time.Time {
	if r.Byte() == 0 {
		return time.Time{}
	}
	return time.UnixMicro(r.Varint()).UTC()
}

func appendWords[T ~string](b []byte, words []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(words)))
	for _, w := range words {
		b = scratch.AppendString(b, string(w))
	}
	return b
}

func readWords[T ~string](r *scratch.Reader) []T {
	var words []T
	for range r.Count(1) {
		words = append(words, T(r.String()))
	}
	return words
}

func appendCorrelations(b []byte, of map[finoos.Service]finoos.Correlation) []byte {
	b = binary.AppendUvarint(b, uint64(len(of)))
	for service, c := range of {
		b = appendInstant(scratch.AppendString(scratch.AppendString(b, string(service)), c.ID), c.At)
	}
	return b
}

func readCorrelations(r *scratch.Reader) map[finoos.Service]finoos.Correlation {
	of := map[finoos.Service]finoos.Correlation{}
	for range r.Count(3) {
		service := finoos.Service(r.String())
		of[service] = finoos.Correlation{ID: r.String(), At: readInstant(r)}
	}
	return of
}
