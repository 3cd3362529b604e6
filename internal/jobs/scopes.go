package jobs

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink/cursors"

	"github.com/cespare/xxhash/v2"
)

// Names of scopes are not dependable; only answers count. A service that refuses a
// user in the API's own words was not booked for that user, if somebody else gets
// it; if nobody does, that is said, and no row is written.

// grants knows who gets which service. It guards itself.
type grants struct {
	mu       sync.Mutex
	services map[finoos.Service]*granting
}

// granting is how a service has answered the users of this run.
type granting struct {
	granted bool                // somebody gets it
	other   bool                // somebody is not refused in the API's own words
	denied  map[string]struct{} // users who are, at most inRow
}

func (b *grants) at(service finoos.Service) *granting {
	if b.services == nil {
		b.services = map[finoos.Service]*granting{}
	}
	g := b.services[service]
	if g == nil {
		g = &granting{denied: map[string]struct{}{}}
		b.services[service] = g
	}
	return g
}

// note takes in what became of a stream of a user.
func (b *grants) note(service finoos.Service, user, outcome string, denied bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.at(service)
	switch {
	case denied && len(g.denied) < inRow:
		g.denied[user] = struct{}{}
	case denied:
	case outcome == pull.Pulled, outcome == pull.Unchanged:
		g.granted, g.other = true, true
	default:
		g.other = true
	}
}

func (b *grants) isGranted(service finoos.Service) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at(service).granted
}

// refused says that every service refuses everybody: at least that many users.
func (b *grants) refused(services []finoos.Service, atLeast int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range services {
		if g := b.at(s); g.other || len(g.denied) < atLeast {
			return false
		}
	}
	return len(services) > 0
}

// noteBooked takes in a result, and ends the run where every service of the job
// refuses everybody.
func (n *nightly) noteBooked(res *pull.Result) error {
	service, ok := config.ServiceOf(res.Stream)
	if !ok || res.Outcome == "" {
		return nil
	}
	n.booked.note(service, res.User, res.Outcome, res.Outcome == pull.NotBooked || deniedInOwnWords(res.Err))
	return n.nothingGranted(inRow)
}

func (n *nightly) nothingGranted(atLeast int) error {
	if n.o.Shard.Index != 0 || n.o.OnlyFailed || len(n.o.Users) > 0 || !n.booked.refused(n.services, atLeast) {
		return nil
	}
	return Stopf(ReasonCredentials, "every service of the job refuses every user (403 forbidden): have the scopes %s granted to the client, or to the users (userScopes)",
		strings.Join(scopesOf(n.streams), ", "))
}

func scopesOf(streams []config.Stream) []string {
	need := map[string]bool{}
	for _, s := range streams {
		if scope := config.ScopeOf(s); scope != "" {
			need[scope] = true
		}
	}
	return slices.Sorted(maps.Keys(need))
}

func deniedInOwnWords(err error) bool {
	api, ok := errors.AsType[*finoos.Error](err)
	return ok && api.Class == finoos.Forbidden && api.Own
}

// isNotBooked says whether a refusal means that the user does not have the
// service: the API says so itself, and the stream was never pulled.
func isNotBooked(u *user, res *pull.Result, err error) bool {
	_, correlated := config.ServiceOf(res.Stream)
	return correlated && deniedInOwnWords(err) && u.Cursor(res.Stream).PulledAt.IsZero()
}

// notBooked writes that a stream was not booked for a user, once somebody is known
// who gets it; until then it is held.
func (n *nightly) notBooked(ctx context.Context, u *user, res *pull.Result) error {
	service, _ := config.ServiceOf(res.Stream)
	res.Outcome, res.Note = pull.NotBooked, u.scopes.note(res.Stream, n.o.Now())
	if err := n.noteBooked(res); err != nil {
		return err
	}
	if n.booked.isGranted(service) || u.Cursor(res.Stream).ErrorClass == pull.MarkNotBooked {
		return n.record(ctx, u, res)
	}
	u.notBooked = true
	n.tally.pulled(res, cursors.Cursor{})
	return n.unsaid.add(heldUser{id: u.ID, parts: []heldPart{{stream: res.Stream, what: notBooked, note: string(res.Note)}}})
}

// scopes are those that the list names for a user: a hint of what it has not booked.
type scopes struct {
	hash    uint64 // 0 where the list names none
	without []config.Stream
}

// hintable are the scopes that users have of their own (User, userScopes).
var hintable = []string{"banking", "categorization", "contracts"}

func (s *session) scopesOfUser(listed *finoos.User) scopes {
	if listed == nil || len(listed.UserScopes) == 0 {
		return scopes{}
	}
	names := slices.Sorted(slices.Values(listed.UserScopes))
	named := scopes{hash: s.reader.Veil.Fingerprint(xxhash.Sum64String(strings.Join(names, "\x00")))}
	for _, stream := range config.Streams() {
		scope := config.ScopeOf(stream)
		_, correlated := config.ServiceOf(stream)
		if !correlated || !slices.Contains(hintable, scope) {
			continue
		}
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(strings.ToLower(name), scope) }) {
			named.without = append(named.without, stream)
		}
	}
	return named
}

const noteSize = 16

// note is what a cursor remembers of them and of when the user was asked; nil where
// they do not leave the stream out.
func (s scopes) note(stream config.Stream, now time.Time) []byte {
	if !slices.Contains(s.without, stream) {
		return nil
	}
	note := binary.LittleEndian.AppendUint64(make([]byte, 0, noteSize), s.hash)
	return binary.LittleEndian.AppendUint64(note, uint64(now.Unix())) // after 1970
}

// haveChanged says that a service was not booked by other scopes than the user has now.
func (s scopes) haveChanged(c cursors.Cursor) bool {
	return len(c.State) == noteSize && binary.LittleEndian.Uint64(c.State) != s.hash
}

// hinted says whether a stream is passed by: the user's scopes leave it out, it was
// refused before, and neither has the user's instant of the week passed since nor
// have the scopes changed.
func (n *nightly) hinted(u *user, res *pull.Result) bool {
	c := u.Cursor(res.Stream)
	if c.ErrorClass != pull.MarkNotBooked || len(c.State) != noteSize || !slices.Contains(u.scopes.without, res.Stream) || n.o.Full || n.o.OnlyFailed {
		return false
	}
	asked := time.Unix(int64(binary.LittleEndian.Uint64(c.State[8:])), 0)
	if binary.LittleEndian.Uint64(c.State) != u.scopes.hash || pull.Due(u.ID, week, asked, n.o.Now()) {
		return false
	}
	res.Outcome, res.Note = pull.NotBooked, c.State
	return true
}
