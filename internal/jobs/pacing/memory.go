package pacing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
)

// Memory is what a job remembers of limits: an object of its state.
type Memory struct {
	// Clients are the API's, by their keys; see [Key].
	Clients map[string]Client `json:"clients"`
}

// Client is what is remembered of one client of the API: what its last runs have
// found, by the names of their run groups.
type Client struct {
	Runs map[string]Run `json:"runs"`
}

// Run is what the shards of a run have found, by their indexes.
type Run struct {
	Shards map[int]Found `json:"shards"`
}

// Found is the limit as one shard has found it.
type Found struct {
	// Ended is when the run ended, Learned when the API last told its limit: earlier
	// where it was only recalled and nothing has spoken against it.
	Ended   time.Time `json:"ended"`
	Learned time.Time `json:"learned"`
	Limit   float64   `json:"limit"` // requests/s
	Burst   float64   `json:"burst"` // requests at once
	Pause   float64   `json:"pause"` // seconds, after a refusal
	// Course is how the limit went from Began on, by the real clock, for as long as
	// requests kept up with it.
	Began  time.Time `json:"began,omitzero"`
	Course []Point   `json:"course,omitempty"`
}

// Point is a limit at an instant: seconds after the beginning, requests a second.
type Point [2]float64

const (
	// Keep is for how long a limit is remembered after the API has told it.
	Keep = 7 * 24 * time.Hour
	// ahead is by how much an instant may lie ahead: beyond, it is of a clock that was
	// wrong.
	ahead = 24 * time.Hour
	// longest is how long a run may take, in seconds.
	longest = 1e7
	// runsKept are those of a client: the last one, and one that its shards write now.
	runsKept = 2
	// clientsKept bounds how many clients are remembered, shardsKept how many shards of
	// a run, and pointsKept how many points of a course.
	clientsKept = 8
	shardsKept  = 256
	pointsKept  = 64
)

var errNoMemory = errors.New("it is not what a job remembers of limits")

// Key names a client of an API without telling who it is.
func Key(baseURL, clientID string) string {
	url := strings.TrimRight(strings.TrimSpace(baseURL), "/")
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(url), url, clientID))
	return hex.EncodeToString(sum[:16])
}

// Recall reads what is remembered; without a body, nothing is. What cannot be true is
// left out, and counted in ignored: of a clock that was wrong, or no number of
// requests that there can be. What is older than a week is forgotten.
func Recall(body []byte, now time.Time) (m Memory, ignored int, err error) {
	if body != nil {
		if err := json.Unmarshal(body, &m); err != nil {
			return Memory{Clients: map[string]Client{}}, 0, fmt.Errorf("%w: %w", errNoMemory, err)
		}
	}
	if m.Clients == nil {
		m.Clients = map[string]Client{}
	}
	for key, client := range m.Clients {
		for group, run := range client.Runs {
			for shard, f := range run.Shards {
				switch {
				case shard < 0 || shard >= shardsKept || !f.isSane(now):
					ignored++
					delete(run.Shards, shard)
				case now.Sub(f.Learned) > Keep:
					delete(run.Shards, shard)
				}
			}
			if len(run.Shards) == 0 {
				delete(client.Runs, group)
			}
		}
		if len(client.Runs) == 0 {
			delete(m.Clients, key)
		}
	}
	return m, ignored, nil
}

// known is what the shard had at the end.
func (f *Found) known() finoos.KnownLimit {
	return finoos.KnownLimit{Limit: f.Limit, Burst: f.Burst, Pause: time.Duration(f.Pause * float64(time.Second))}
}

func (f *Found) isSane(now time.Time) bool {
	if f.Ended.IsZero() || f.Learned.IsZero() || f.Ended.Sub(now) > ahead || f.Learned.Sub(now) > ahead {
		return false
	}
	if !(f.Pause >= 0 && f.Pause <= longest) || !f.known().IsSane() || len(f.Course) > pointsKept || f.Began.Sub(now) > ahead {
		return false
	}
	last := 0.0
	for _, p := range f.Course {
		k := f.known()
		if k.Limit = p[1]; !(p[0] >= last && p[0] <= longest) || !k.IsSane() {
			return false
		}
		last = p[0]
	}
	return true
}

// Limit is what the last run of a client had found, all its shards together, and when
// the API told it; false where none is remembered. A run of the given group has none
// of its own to begin with, unless no other is remembered: it has begun again.
func (m *Memory) Limit(key, group string) (k finoos.KnownLimit, learned time.Time, ok bool) {
	runs := m.Clients[key].Runs
	newest, found := "", false
	for name := range runs {
		switch {
		case !found, newest == group && name != group:
			newest, found = name, true
		case name == group && newest != group:
		case runs[name].ended().After(runs[newest].ended()):
			newest = name
		}
	}
	if !found {
		return finoos.KnownLimit{}, time.Time{}, false
	}
	k, learned = runs[newest].together()
	return k, learned, k.IsSane()
}

func (r Run) ended() (at time.Time) {
	for _, f := range r.Shards {
		if f.Ended.After(at) {
			at = f.Ended
		}
	}
	return at
}

// together is what the shards had at the last instant at which as many as ever were at
// work: whoever ends leaves the others more, so that their last limits
// summed up would be a multiple of the API's.
func (r Run) together() (k finoos.KnownLimit, learned time.Time) {
	var at time.Time
	most := 0
	for _, f := range r.Shards {
		end := f.end()
		n := 0
		for _, o := range r.Shards {
			if !o.begin().After(end) && !o.end().Before(end) {
				n++
			}
		}
		if n > most || n == most && end.After(at) {
			most, at = n, end
		}
	}
	for _, f := range r.Shards {
		if f.Learned.After(learned) {
			learned = f.Learned
		}
		if f.begin().After(at) || f.end().Before(at) {
			continue
		}
		own := f.known()
		k.Limit += f.at(at)
		k.Burst += own.Burst
		k.Pause = max(k.Pause, own.Pause)
	}
	return k, learned
}

// begin and end are when the limit was first and last looked at.
func (f *Found) begin() time.Time { return f.instant(0) }
func (f *Found) end() time.Time   { return f.instant(len(f.Course) - 1) }

func (f *Found) instant(i int) time.Time {
	if len(f.Course) == 0 {
		return f.Ended
	}
	return f.Began.Add(time.Duration(f.Course[i][0] * float64(time.Second)))
}

// at is the limit at an instant between these.
func (f *Found) at(t time.Time) float64 {
	limit := f.Limit
	for i, p := range f.Course {
		if i == 0 || !f.instant(i).After(t) {
			limit = p[1]
		}
	}
	return limit
}

// Add takes in what a shard has found, and forgets older runs.
func (m *Memory) Add(key, group string, shard int, f Found) {
	if shard < 0 || shard >= shardsKept {
		return
	}
	client := m.Clients[key]
	if client.Runs == nil {
		client.Runs = map[string]Run{}
	}
	run := client.Runs[group]
	if run.Shards == nil {
		run.Shards = map[int]Found{}
	}
	run.Shards[shard] = f
	client.Runs[group] = run
	newest(client.Runs, runsKept, Run.ended)
	m.Clients[key] = client
	newest(m.Clients, clientsKept, Client.ended)
}

func (c Client) ended() (at time.Time) {
	for _, r := range c.Runs {
		if e := r.ended(); e.After(at) {
			at = e
		}
	}
	return at
}

// newest leaves n of what has ended, the last ones.
func newest[V any](of map[string]V, n int, ended func(V) time.Time) {
	if len(of) <= n {
		return
	}
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		if c := ended(of[b]).Compare(ended(of[a])); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	for _, name := range names[n:] {
		delete(of, name)
	}
}

// Write makes what is remembered an object of state again.
func (m *Memory) Write() ([]byte, error) { return json.Marshal(m) }

// another is by how much a limit is above the one that was recalled if it is another.
const another = 1.05

// FoundBy is what a client has found until now that is at work since an instant of the
// real clock, and began with a limit which the API had told at learned; zero, where it
// began with none.
func FoundBy(c *finoos.Client, since time.Time, began finoos.KnownLimit, learned, now time.Time) (Found, bool) {
	k, went, ok := c.FoundLimit()
	if !ok {
		return Found{}, false
	}
	f := Found{Ended: now.UTC(), Learned: now.UTC(), Limit: rounded(k.Limit), Burst: rounded(k.Burst), Pause: k.Pause.Seconds()}
	recalled := k == began || c.Stats().LimitFrom == finoos.LimitRecalled && k.Limit < another*began.Limit
	if recalled && !learned.IsZero() {
		f.Learned = learned
	}
	f.Began, f.Course = since.UTC(), []Point{{0, f.Limit}}
	for i, s := range went {
		p := Point{math.Round(s.At.Sub(since).Seconds()), rounded(s.Limit)}
		if i == 0 {
			f.Course[0][1] = p[1]
		}
		f.Course = append(f.Course, p)
	}
	if len(went) == 0 {
		f.Course = append(f.Course, Point{math.Round(time.Since(since).Seconds()), f.Limit})
	}
	return f, true
}

// rounded to thousandths: a course is read by people, too.
func rounded(x float64) float64 { return math.Round(1000*x) / 1000 }
