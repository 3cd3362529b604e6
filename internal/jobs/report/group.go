package report

import (
	"slices"
	"time"
)

// Group is what the reports of one run say together: those of its shards, and of their
// restarts. Of a shard that was started again the newest report says how it ended and
// what became of its users; what was asked for and written is summed up over all.
type Group struct {
	RunGroup string `json:"run_group"`
	FirstRun string `json:"first_run"` // the id of the earliest of its runs
	// Outcome is the worst of the shards'. Error is of one of them that ended so.
	Outcome    string    `json:"outcome"`
	Error      string    `json:"error,omitempty"`
	OnlyFailed bool      `json:"only_failed,omitempty"` // as in a report
	Full       bool      `json:"full,omitempty"`
	Named      int       `json:"named,omitempty"`
	Started    time.Time `json:"started"`
	Finished   time.Time `json:"finished"`
	Shards     int       `json:"shards"`          // that the users were divided among
	Reported   int       `json:"shards_reported"` // that have left a report
	Reports    int       `json:"reports"`         // of shards, and of their restarts
	// What became of the users, as in a report.
	Users        UserCounts `json:"users"`
	Unreached    int64      `json:"unreached,omitempty"`
	AllUnreached bool       `json:"all_unreached,omitempty"` // of a shard at least
	NotKept      *NotKept   `json:"not_kept,omitempty"`
	// Services were down at the end, in any shard.
	Services     map[string]Trouble `json:"services,omitempty"`
	SyncSessions map[string]int64   `json:"sync_sessions,omitempty"`
	Issues       map[string]Issue   `json:"issues,omitempty"`
	Requests     int64              `json:"requests"`
	Refused      int64              `json:"refused"`
	Rows         int64              `json:"rows"`
	// Throughput, of all shards together.
	RequestsPerSecond float64 `json:"requests_per_second"`
	UsersPerSecond    float64 `json:"users_per_second"`
	RowsPerSecond     float64 `json:"rows_per_second"`

	shards []int // that have been added
	done   int64 // users, restarts too
}

// NewGroup is that of the newest report.
func NewGroup(r *Report) *Group {
	g := &Group{
		RunGroup: r.RunGroup, Started: r.Started, SyncSessions: map[string]int64{},
		OnlyFailed: r.OnlyFailed, Full: r.Full, Named: r.Named,
	}
	g.Add(r)
	return g
}

// worsening are the outcomes from the best to the worst.
var worsening = []string{Done, DoneWithFailures, Deadline, DoneInPart, Interrupted, Stopped}

// Add adds an earlier report, and says whether it is of the group.
func (g *Group) Add(r *Report) bool {
	if r.RunGroup != g.RunGroup {
		return false
	}
	g.Reports++
	g.FirstRun = r.RunID
	g.Shards = max(g.Shards, r.Shards)
	if r.Started.Before(g.Started) {
		g.Started = r.Started
	}
	if r.Finished.After(g.Finished) {
		g.Finished = r.Finished
	}
	if !slices.Contains(g.shards, r.Shard) {
		g.shards = append(g.shards, r.Shard)
		g.Reported++
		g.ending(r)
	}
	g.Issues = AddIssues(g.Issues, r.Issues)
	g.Requests += r.Requests
	g.Refused += r.Refused
	for outcome, n := range r.SyncSessions {
		g.SyncSessions[outcome] += n
	}
	for _, t := range r.Tables {
		g.Rows += t.Rows
	}
	g.done += r.Users.Done()
	if seconds := g.Finished.Sub(g.Started).Seconds(); seconds > 0 {
		g.RequestsPerSecond, g.UsersPerSecond, g.RowsPerSecond = float64(g.Requests)/seconds, float64(g.done)/seconds, float64(g.Rows)/seconds
	}
	return true
}

// ending adds how a shard ended.
func (g *Group) ending(r *Report) {
	was, is := slices.Index(worsening, g.Outcome), slices.Index(worsening, r.Outcome)
	if is < 0 {
		is = len(worsening) // of a later version: nobody knows how bad it is
	}
	if is > was || g.Outcome == "" {
		g.Outcome, g.Error = r.Outcome, r.Error
	} else if g.Error == "" {
		g.Error = r.Error
	}
	u, of := &g.Users, &r.Users
	u.Listed += of.Listed
	u.Pulled += of.Pulled
	u.Unchanged += of.Unchanged
	u.NoAnalysis += of.NoAnalysis
	u.Failed += of.Failed
	u.Gone += of.Gone
	u.Missing += of.Missing
	u.Quarantined += of.Quarantined
	u.NotBooked += of.NotBooked
	u.PassedOver += of.PassedOver
	g.Unreached += r.Left()
	g.AllUnreached = g.AllUnreached || r.AllUnreached
	if lost := r.NotKept; lost != nil {
		if g.NotKept == nil {
			g.NotKept = &NotKept{}
		}
		g.NotKept.Users += lost.Users
		g.NotKept.Rows += lost.Rows
		g.NotKept.Unsure = g.NotKept.Unsure || lost.Unsure
	}
	for name, t := range r.Services {
		if g.Services == nil {
			g.Services = map[string]Trouble{}
		}
		if before, known := g.Services[name]; known {
			t.PassedOver += before.PassedOver
			if before.DownSince.Before(t.DownSince) {
				t.DownSince = before.DownSince
			}
		}
		g.Services[name] = t
	}
}
