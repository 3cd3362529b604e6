package sandbox

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Sandbox is one simulated finoOS. It is safe for concurrent use.
type Sandbox struct {
	opts  Options
	seed  dice
	ids   userIDs
	world world
	start day
	fixed bool // the world's data is taken as it is
	mux   *http.ServeMux
	all   []operation
	known map[string]bool // scopes that the token grants
	log   *slog.Logger
	asked requestHistory
	cache *cache

	mu       sync.Mutex // guards what nights, sync sessions and tests change
	nights   int
	later    time.Duration      // how much later than six it is
	baseline int                // the night from which on history is kept
	joined   []int              // by night: how many users there are
	left     map[int]int        // by user: the night of vanishing
	gone     []int              // the keys of left, ascending
	syncs    map[int][]analysis // by user: those started by sync sessions
	spent    map[spending]int
	faults   Faults
	failing  map[int]map[string]UserFault
	seen     map[int]int // requests of failing users
	bucket   bucket
	ready    map[string]bool // what has been asked for since an analysis
	rolls    int             // random faults decided so far
	tokens   int             // tokens before this one are dead
}

// spending is the manual synchronisations of a login on a day.
type spending struct {
	login string
	night int
}

// New prepares a sandbox. It costs the same for one user as for a million,
// except with Options.Data, which is read and kept.
func New(opts Options) (*Sandbox, error) {
	if err := opts.Readings.settle(); err != nil {
		return nil, err
	}
	opts.fill()
	opts.bend()
	s := &Sandbox{
		opts: opts, seed: dice(mix(opts.Seed)), start: dayOf(opts.Today), log: opts.Logger,
		left: map[int]int{}, ready: map[string]bool{}, syncs: map[int][]analysis{}, spent: map[spending]int{},
		cache: newCache(opts.CacheUsers), known: map[string]bool{},
		asked: requestHistory{off: opts.NoHistory, limit: opts.HistoryLimit, counts: map[string]int{}},
	}
	for _, scope := range opts.Scopes {
		s.known[scope] = true
	}
	s.ids = newUserIDs(s.seed)
	s.ids.form = opts.Readings.UserIDs
	s.world = &invented{seed: s.seed, ids: s.ids, opts: &s.opts, active: opts.Nightly.Analysed}
	if opts.Data != "" {
		b, err := readBerka(&s.opts, s.seed, s.ids)
		if err != nil {
			return nil, fmt.Errorf("read the data of %s: %w", opts.Data, err)
		}
		s.world, s.fixed, s.start = b, true, b.start
		s.opts.Today = b.start.utc()
	}
	s.joined = []int{s.world.users()}
	s.route()
	if err := s.SetFaults(opts.Faults); err != nil {
		return nil, err
	}
	return s, nil
}

// Now is the simulated instant: six in the morning, German time, after the
// night's analyses. Only Night and Later move it.
func (s *Sandbox) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Sandbox) now() time.Time { return s.today().at(6 * time.Hour).Add(s.later) }

// Later moves the simulated instant on within its day: services that were at work
// have come further.
func (s *Sandbox) Later(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.later += by
}

func (s *Sandbox) today() day { return s.start + day(s.nights) }

// Baseline says that the lake starts empty now: history that slid out of the
// window before is not part of the truth.
func (s *Sandbox) Baseline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.baseline = s.nights
}

// Activity tells what the last Night did to a user.
func (s *Sandbox) Activity(userID string) Activity {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.ids.index(userID)
	if !ok || i >= s.total() || s.nights == 0 {
		return Activity{}
	}
	if left, gone := s.left[i]; gone {
		return Activity{Gone: left == s.nights}
	}
	a := Activity{Joined: s.bornOn(i) == s.nights}
	l := s.lived(i)
	for _, an := range l.analyses {
		a.Analysed = a.Analysed || an.night == s.nights && an.seq == 0
	}
	for _, login := range l.logins {
		a.Login = a.Login || login.changed == s.nights
	}
	return a
}

// state is what service svc has finished of a user. The caller does not hold
// s.mu: building takes a while.
func (s *Sandbox) state(index int, svc service) (*state, life) {
	s.mu.Lock()
	l := s.lived(index)
	k := s.finished(l, svc, s.opts.Clock())
	s.mu.Unlock()
	return s.stateAt(index, l, k), l
}

// stateAt is what is known of a user after the first k analyses.
func (s *Sandbox) stateAt(index int, l life, k int) *state {
	s.mu.Lock()
	born := s.bornOn(index)
	s.mu.Unlock()
	return s.cache.get(index, k, func() *state {
		h := s.world.household(index, s.start+day(born))
		return build(h, l.analyses[:k:k], s.opts)
	})
}
