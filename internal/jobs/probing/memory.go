package probing

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// Memory is what a job remembers of its runs to decide how users are asked: an object
// of its state.
type Memory struct {
	// Services are those of which all this is known.
	Services []finoos.Service `json:"services,omitempty"`
	// Proven is since when enough users have moved whose one service has told of it, zero
	// before: until then auto looks at the first users of each run.
	Proven time.Time `json:"proven,omitzero"`
	// Shown is since when the services of the users are known to show one analysis, zero
	// while they are not. It is what auto waits for.
	Shown time.Time `json:"shown,omitzero"`
	// Fallback is since when the one service is not believed, zero while it is.
	Fallback time.Time `json:"fallback,omitzero"`
	// Runs over all users, of the last fourteen days, by their ids.
	Runs map[string]Run `json:"runs"`
}

// Run is what one run, or one shard of it, has found.
type Run struct {
	Seq    uint64    `json:"seq"`
	Began  time.Time `json:"began"`
	Group  string    `json:"group"` // that of its shards
	Shards int       `json:"shards"`
	Whole  bool      `json:"whole,omitempty"` // it came to the end of its users
	// Users have more than one service, and of Equal ones all show one analysis.
	Users int64 `json:"users,omitempty"`
	Equal int64 `json:"equal,omitempty"`
	// Audited users were asked of all services though nothing was owed to them, and the
	// one has hidden from Misled ones that another had moved. All says that this was
	// looked at for every user, not for those whose instant had come. Of Moved ones the
	// one has told.
	Audited int64 `json:"audited,omitempty"`
	Moved   int64 `json:"moved,omitempty"`
	Misled  int64 `json:"misled,omitempty"`
	All     bool  `json:"all,omitempty"`
}

const (
	// window is over what audits are counted; as long is the one not believed.
	window = AuditEvery
	// leastMisled and misledShare: more of those audited are no accident.
	leastMisled = 3
	misledShare = 0.005
	// equalShare of the users must show one analysis, of leastEqual users or of all.
	equalShare = 0.99
	leastEqual = 100
	// Trial is how many users of a run are looked at first, until it is proven that one
	// service tells of the others: by so many who have moved, or a tenth of few users.
	Trial      = 200
	leastMoved = 20
	// refutedShare of those who moved are too many to be hidden.
	refutedShare = 0.01
	// mostRuns bounds what is remembered: hourly runs of sixteen shards.
	mostRuns = 16 * 24 * 14
)

var errNoMemory = errors.New("it is not what a job remembers of its probes")

// Recall reads what is remembered; without a body, nothing is.
func Recall(body []byte) (Memory, error) {
	m := Memory{}
	if body == nil {
		return Memory{Runs: map[string]Run{}}, nil
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Memory{Runs: map[string]Run{}}, fmt.Errorf("%w: %w", errNoMemory, err)
	}
	for id, r := range m.Runs {
		if r.Users < 0 || r.Equal < 0 || r.Equal > r.Users || r.Audited < 0 || r.Moved < 0 || r.Misled < 0 || r.Misled > r.Audited || r.Began.IsZero() {
			return Memory{Runs: map[string]Run{}}, fmt.Errorf("%w: its run %q counts what cannot be", errNoMemory, id)
		}
	}
	if m.Runs == nil {
		m.Runs = map[string]Run{}
	}
	return m, nil
}

// ahead is by how much an instant may lie ahead: beyond, it is of a clock that was
// wrong.
const ahead = 24 * time.Hour

// Sane drops what is of a clock that was wrong, and what is too old to count.
func (m *Memory) Sane(now time.Time) {
	maps.DeleteFunc(m.Runs, func(_ string, r Run) bool { return r.Began.Sub(now) > ahead || now.Sub(r.Began) > window })
	if m.Shown.Sub(now) > ahead || m.Proven.Sub(now) > ahead {
		m.Shown, m.Proven = time.Time{}, time.Time{}
	}
	if m.Fallback.Sub(now) > ahead {
		m.Fallback = now
	}
}

// Add takes in what a run has found of users and these services, and draws the
// conclusions. What is known of other services is forgotten.
func (m *Memory) Add(id string, r Run, services []finoos.Service, now time.Time) {
	m.Sane(now)
	if !m.isOf(services) {
		*m = Memory{Runs: map[string]Run{}, Fallback: m.Fallback}
	}
	m.Services = services
	m.Runs[id] = r
	if len(m.Runs) > mostRuns {
		ids := slices.SortedFunc(maps.Keys(m.Runs), func(a, b string) int { return m.Runs[a].Began.Compare(m.Runs[b].Began) })
		for _, old := range ids[:len(ids)-mostRuns] {
			delete(m.Runs, old)
		}
	}
	if f := m.newest(); m.Shown.IsZero() && f.enough && f.isEqual() {
		m.Shown = now.UTC()
	}
	if m.Proven.IsZero() && m.isProven() {
		m.Proven = now.UTC()
	}
	byOne, byAll := m.audits()
	switch {
	case m.Fallback.IsZero() && (byOne.misleads() || byAll.misleads()):
		m.Fallback = now.UTC()
	case !m.Fallback.IsZero() && now.Sub(m.Fallback) >= window && byAll.audited > 0 && !byAll.misleads():
		m.Fallback = time.Time{}
	}
}

// isOf says that what is known is known of these services.
func (m *Memory) isOf(services []finoos.Service) bool {
	return len(m.Services) == 0 || slices.Equal(slices.Sorted(slices.Values(m.Services)), slices.Sorted(slices.Values(services)))
}

// found is what the shards of one run have found together.
type found struct {
	users, equal int64
	enough       bool // these are all users, or many
}

// newest is what the newest run has found.
func (m *Memory) newest() (f found) {
	var newest Run
	for _, r := range m.Runs {
		if cmp.Or(r.Began.Compare(newest.Began), cmp.Compare(r.Group, newest.Group)) > 0 {
			newest = r
		}
	}
	parts, whole := 0, true
	for _, r := range m.Runs {
		if r.Group == newest.Group {
			f.users, f.equal, parts, whole = f.users+r.Users, f.equal+r.Equal, parts+1, whole && r.Whole
		}
	}
	f.enough = f.users >= leastEqual || f.users > 0 && whole && parts >= newest.Shards
	return f
}

func (f found) isEqual() bool { return float64(f.equal) >= equalShare*float64(f.users) }

// isProven says that of enough users who have moved the one service has told. That the
// services show one analysis proves less: at a first pull each has long finished.
func (m *Memory) isProven() bool {
	var moved, misled int64
	for _, r := range m.Runs {
		moved, misled = moved+r.Moved, misled+r.Misled
	}
	return moved >= min(leastMoved, 1+m.newest().users/10) && !Refuted(moved, misled)
}

// Refuted says that of so many users who have moved the one service has hidden too many,
// the misled ones.
func Refuted(moved, misled int64) bool {
	return misled > 0 && float64(misled) > refutedShare*float64(moved+misled)
}

// audit sums up audits: misled users, of so many.
type audit struct{ misled, audited float64 }

func (a audit) misleads() bool { return a.misled >= leastMisled && a.misled > misledShare*a.audited }

// audits are those of users whose instant had come, and those of runs that have looked
// at all: these have met each user in every run, so that they count by users.
func (m *Memory) audits() (byOne, byAll audit) {
	groups := map[string]bool{}
	for _, r := range m.Runs {
		if r.All {
			groups[r.Group] = true
			byAll.misled += float64(r.Misled)
			byAll.audited += float64(r.Audited)
			continue
		}
		byOne.misled += float64(r.Misled)
		byOne.audited += float64(r.Audited)
	}
	byAll.audited /= math.Max(1, float64(len(groups)))
	return byOne, byAll
}

// Mode is how a run asks its users, and why, for people. configured is the job's
// probe, services are those of its streams.
func (m *Memory) Mode(configured string, services []finoos.Service) report.Probe {
	switch {
	case configured != config.ProbeOne && configured != config.ProbeAuto:
		return report.Probe{Mode: configured, Why: "the job says so"}
	case len(services) < 2:
		return report.Probe{Mode: config.ProbeEach, Why: "the job has one service"}
	case !m.Fallback.IsZero():
		byOne, byAll := m.audits()
		worst := byOne
		if byAll.misleads() && !byOne.misleads() {
			worst = byAll
		}
		return report.Probe{Mode: config.ProbeEach, Why: fmt.Sprintf("since %s the one service is not believed: it had not moved where another had %.0f times in fourteen days, of %.0f users looked at; once it misleads nobody for as long, it is asked alone again",
			m.Fallback.Format("2006-01-02"), worst.misled, worst.audited)}
	case configured == config.ProbeOne:
		return report.Probe{Mode: config.ProbeOne, Why: "the job says so"}
	case !m.isOf(services):
		return report.Probe{Mode: config.ProbeEach, Why: "the job has other services than before"}
	case !m.Shown.IsZero() && m.Proven.IsZero():
		return report.Probe{Mode: config.ProbeOne, Proving: true, Why: fmt.Sprintf(
			"the services of the users show one analysis; until enough have moved to prove that one tells of the others, the first %d of a run are asked of all", Trial)}
	case !m.Shown.IsZero():
		return report.Probe{Mode: config.ProbeOne, Why: "the services of the users show one analysis, and one tells of the others"}
	}
	f := m.newest()
	if f.users == 0 {
		return report.Probe{Mode: config.ProbeEach, Why: "whether the services of a user show one analysis is not known yet"}
	}
	return report.Probe{Mode: config.ProbeEach, Why: fmt.Sprintf("the services show one analysis for %d of %d users only", f.equal, f.users)}
}
