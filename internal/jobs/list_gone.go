package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// missingUsers are those whose own path answered 404. Nothing is said of them
// before everybody has been pulled: who is gone is judged at the end, by the list.
type missingUsers struct {
	mu   sync.Mutex
	held userList // as missingUser.hold has it

	// Of those who were not listed, fresh were not found missing long enough ago;
	// unlikely are those who were listed.
	fresh, unlikely int64

	known, listed int64 // users whom the cursors know, and of these those on the list
}

// missingUser is one of them. It is held as a listed user is, so that any number
// of them costs no memory.
type missingUser struct {
	id        string
	wasListed bool
	since     time.Time // an earlier run found it missing
	written   time.Time // the last instant that this run has written for it
}

func (m *missingUser) hold() *finoos.User {
	u := &finoos.User{ID: m.id, CreatedAt: m.since}
	if m.wasListed {
		u.Type = "listed"
	}
	if !m.written.IsZero() {
		u.Hash = uint64(m.written.UnixMicro()) // after 1970
	}
	return u
}

func missingUserOf(u *finoos.User) *missingUser {
	m := &missingUser{id: u.ID, wasListed: u.Type != "", since: u.CreatedAt}
	if u.Hash != 0 {
		m.written = time.UnixMicro(int64(u.Hash)).UTC() // as it was held
	}
	return m
}

// confirmedAfter is how long after it was first found missing a user has to be
// found missing again, where more are missing than max_gone.
const confirmedAfter = 12 * time.Hour

func (n *nightly) wasMissingBefore(m *missingUser) bool {
	return !m.since.IsZero() && n.o.Now().Sub(m.since) >= confirmedAfter
}

// miss notes that the API does not know a known user.
func (n *nightly) miss(u *user) error {
	listed, err := n.isListed(u)
	if err != nil {
		return err
	}
	m := &missingUser{id: u.ID, wasListed: listed, written: u.LastWritten}
	if u.missing != nil && !u.missing.Erased && !isAhead(u.missing.ExtractedAt, n.o.Now()) {
		m.since = u.missing.ExtractedAt
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Missing++ })
	n.missing.mu.Lock()
	defer n.missing.mu.Unlock()
	switch {
	case m.wasListed:
		n.missing.unlikely++
	case !n.wasMissingBefore(m):
		n.missing.fresh++
	}
	return n.missing.held.add(m.hold())
}

// isListed says that a user is on the list. One who was passed over in the round
// of the listed may come back in that of the others.
func (n *nightly) isListed(u *user) (bool, error) {
	if !u.begun || !n.second || !u.again {
		return u.begun && !n.second, nil
	}
	listed, err := n.list.held.bucket(cursors.BucketOf(u.ID))
	return slices.ContainsFunc(listed, func(l *finoos.User) bool { return l.ID == u.ID }), err
}

// judgeGone decides what becomes of the users who answered 404 (docs/design.md,
// "Users that come and go"): they are declared gone, or marked, or neither.
func (n *nightly) judgeGone(ctx context.Context) error {
	if len(n.o.Users) > 0 {
		return n.eachMissingUser(ctx, n.mark) // there is no list to judge by
	}
	if plausible := n.weighList(ctx); !plausible {
		return nil
	}
	unlisted, listed := n.declare, n.markListed
	if allowed, appeared := n.mayGo(); n.missing.fresh > allowed && n.missing.fresh > appeared && !n.o.AcceptGone {
		n.log.WarnContext(ctx, "more known users are missing than max_gone: they are gone once a run twelve hours from now or later misses them, too",
			"missing", n.missing.fresh, "allowed", allowed, "new", appeared)
		unlisted = n.declareConfirmed
	}
	if n.pathIsWrong() {
		n.reserve("%d of %d listed users answer 404 by their own path: nothing was concluded from that; check finoos.paths, finoos.base_url and finoos.tenant",
			n.missing.unlikely, n.listed())
		listed = func(context.Context, *user, *missingUser) error { return nil }
	}
	return n.eachMissingUser(ctx, func(ctx context.Context, u *user, m *missingUser) error {
		if m.wasListed {
			return listed(ctx, u, m)
		}
		return unlisted(ctx, u, m)
	})
}

// mayGo is how many users may be gone at once, and how many are new on the list.
func (n *nightly) mayGo() (allowed, appeared int64) {
	allowed = max(1, int64(math.Floor(n.job.MaxGone*float64(n.missing.known)+1e-9)))
	return allowed, n.list.here - n.missing.listed
}

// pathIsWrong says that most of the listed users are not to be found by their own
// path.
func (n *nightly) pathIsWrong() bool {
	allowed, _ := n.mayGo()
	return n.missing.unlikely > allowed && 2*n.missing.unlikely > n.listed()
}

func (n *nightly) listed() int64 { return n.list.here }

// eachMissingUser calls f for each of them, with its cursors.
func (n *nightly) eachMissingUser(ctx context.Context, f func(context.Context, *user, *missingUser) error) error {
	n.missing.mu.Lock()
	defer n.missing.mu.Unlock()
	for _, b := range n.o.Shard.Buckets() {
		held, err := n.missing.held.bucket(b)
		if err != nil {
			return err
		}
		for len(held) > 0 {
			chunk := held[:min(chunkMissing, len(held))]
			held = held[len(chunk):]
			ids := make([]string, len(chunk))
			for i, u := range chunk {
				ids[i] = u.ID
			}
			known, err := n.w.Cursors(ctx, b, ids...)
			if err != nil {
				return n.sinkError(ctx, fmt.Errorf("read cursors: %w", err))
			}
			for _, h := range chunk {
				m := missingUserOf(h)
				u := newUser(m.id, nil, known[m.id])
				u.LastWritten = m.written
				if err := f(ctx, u, m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mark remembers that a user is missing, and since when.
func (n *nightly) mark(ctx context.Context, u *user, m *missingUser) error {
	if !m.since.IsZero() {
		return nil
	}
	return n.addCursors(ctx, []cursors.Cursor{{
		UserID: u.ID, Stream: string(config.StreamMissing), ExtractedAt: n.o.Now().UTC(), PulledAt: n.lastSeen(u),
	}})
}

// markListed does so with a user who was listed. One that is listed still, long
// after, is no user who goes: its own path fails.
func (n *nightly) markListed(ctx context.Context, u *user, m *missingUser) error {
	if !n.wasMissingBefore(m) {
		return n.mark(ctx, u, m)
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Missing--; rep.Users.Failed++ })
	return n.pathFailed(ctx, u, finoos.NotFound, errListedButMissing)
}

var errListedButMissing = errors.New("the user is listed, but its own path answers 404")

// declareConfirmed declares those gone whom an earlier run missed, too.
func (n *nightly) declareConfirmed(ctx context.Context, u *user, m *missingUser) error {
	if n.wasMissingBefore(m) {
		return n.declare(ctx, u, m)
	}
	return n.mark(ctx, u, m)
}

// declare writes what is left to say of a user who is gone, and ends its cursors.
func (n *nightly) declare(ctx context.Context, u *user, _ *missingUser) error {
	at, seen := u.ExtractedAt(config.StreamUsers, n.o.Now()), n.lastSeen(u)
	if u.missing != nil {
		seen = u.missing.PulledAt
	}
	batch := sink.Batch{Rows: []table.Row{
		&table.User{
			UserID: u.ID, FirstSeenAt: u.Cursor(config.StreamUsers).FirstSeenAt, LastSeenAt: seen,
			Meta: table.Meta{Op: table.Delete, Pull: table.Diff, ExtractedAt: at},
		},
		&table.Pull{UserID: u.ID, Stream: string(config.StreamUsers), Outcome: pull.Gone, Deletes: 1, Meta: table.Meta{Op: table.Upsert, ExtractedAt: at}},
	}}
	streams := slices.AppendSeq(config.Remembered(), maps.Keys(u.Cursors)) // whatever another version has left
	slices.Sort(streams)
	for _, s := range slices.Compact(streams) {
		batch.Cursors = append(batch.Cursors, cursors.Cursor{UserID: u.ID, Stream: string(s), ExtractedAt: at, Ended: true})
	}
	if err := n.w.Add(ctx, batch); err != nil {
		return n.sinkError(ctx, err)
	}
	n.tally.update(func(rep *report.Report) { rep.Users.Missing--; rep.Users.Gone++ })
	n.tally.pulled(&pull.Result{User: u.ID, Stream: config.StreamUsers, Outcome: pull.Gone, Deletes: 1}, cursors.Cursor{})
	return nil
}

// lastSeen is when a user who is missing was seen last: in the last run that
// reached all, or later, when something of it was pulled for the first time.
func (n *nightly) lastSeen(u *user) time.Time {
	seen := n.lastWhole(u.ID)
	if first := u.Cursor(config.StreamUsers).FirstSeenAt; first.After(seen) {
		seen = first
	}
	if !seen.IsZero() {
		return seen
	}
	for _, c := range u.Cursors {
		if c.PulledAt.After(seen) {
			seen = c.PulledAt
		}
	}
	return seen
}

// addCursors hands cursors to the sink that no rows come with.
func (n *nightly) addCursors(ctx context.Context, moved []cursors.Cursor) error {
	if len(moved) == 0 {
		return nil
	}
	if err := n.w.Add(ctx, sink.Batch{Cursors: moved}); err != nil {
		return n.sinkError(ctx, err)
	}
	return nil
}

// lastList is what is remembered of the lists of users, before sharding: how many
// the last plausible one named, and since when those after it were not.
type lastList struct {
	stamp
	Named int64 `json:"named"`
	// Accepted says that somebody has taken it for the truth, even if it was empty.
	Accepted bool `json:"accepted,omitempty"`
	// Unlike is how many the first of the lists named that have been implausible
	// since then, and much of the same length.
	Unlike int64     `json:"implausible_named,omitempty"`
	Since  time.Time `json:"implausible_since,omitzero"`
}

// believedAfter is how long lists have to be alike until an implausible one is
// taken for the truth.
const believedAfter = week

// weigh compares a list with the last plausible one, and says what is then to be
// remembered. doubt is why it is implausible, empty where it is not.
func (l *lastList) weigh(list listExtent, now time.Time) (next lastList, doubt string) {
	now = now.UTC()
	switch {
	case !list.Whole:
		return *l, "the list of users is not whole: " + list.Reason
	case list.Named == 0:
		return lastList{Named: l.Named}, "the list of users is empty" // it is like no other, and is never believed
	case 2*list.Named >= l.Named:
		return lastList{Named: list.Named}, ""
	}
	next = *l
	if l.Since.IsZero() || isAhead(l.Since, now) || 2*list.Named < l.Unlike || list.Named > 2*l.Unlike {
		next.Since, next.Unlike = now, list.Named
	}
	if believed := next.Since.Add(believedAfter); now.Before(believed) {
		return next, fmt.Sprintf("the list names %d users, and the last plausible one named %d; if it stays so it is taken for the truth from %s on",
			list.Named, l.Named, believed.Format(time.RFC3339))
	}
	return lastList{Named: list.Named}, ""
}

// weighList decides whether the list of users is one to judge by. If it is not, the
// run has to say so.
func (n *nightly) weighList(ctx context.Context) (plausible bool) {
	last, known := n.recallList(ctx)
	list := n.list.extent
	next, doubt := last.weigh(list, n.o.Now())
	if list.Whole && (n.o.AcceptGone || known && last.Accepted && list.Named == last.Named) {
		next, doubt = lastList{Named: list.Named, Accepted: true}, ""
	}
	if n.weighed = &next; doubt == "" {
		return true
	}
	if !list.Whole { // which is said already
		n.log.WarnContext(ctx, "nobody is declared gone by a list that is not whole")
		return false
	}
	if list.Named == 0 && n.w.Opened() == 0 {
		return false // so it was when the list was read
	}
	hint := "`run --accept-gone` takes it for the truth at once"
	n.reserve("%s (%s): nobody was declared gone; check finoos.tenant (%q) and the credentials; %s", doubt, n.source().BaseURL, n.source().Tenant, hint)
	return false
}

// recallList reads what is remembered. Where that is nothing, or cannot be read,
// the users that are known stand in for the last list. known says that somebody
// has seen a list.
func (n *nightly) recallList(ctx context.Context) (last lastList, known bool) {
	body, err := sink.ReadState(ctx, n.store, n.o.Job, stateList)
	if err == nil && body != nil {
		err = json.Unmarshal(body, &last)
		known = err == nil && last.Named >= 0
	}
	if err != nil {
		n.log.WarnContext(ctx, "it is not known how many users the last list named: it is compared with the known users", "error", err)
	}
	if known {
		return last, true
	}
	last = lastList{}
	if 2*n.list.here < n.missing.known {
		last.Named = n.missing.known * int64(n.o.Shard.Count)
	}
	return last, false
}

// update remembers it, unless a later run has done so.
func (l *lastList) update(ctx context.Context, w *sink.Writer) error {
	return w.UpdateState(ctx, stateList, func(old []byte) ([]byte, error) {
		var standing lastList
		if old != nil && json.Unmarshal(old, &standing) == nil && l.isBefore(standing.stamp) {
			return nil, nil //nolint:nilnil // what stands is left
		}
		return json.Marshal(l)
	})
}
