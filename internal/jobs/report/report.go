package report

import (
	"fmt"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/trouble"
)

// MaxFailures caps the failures that a report lists one by one; the table
// pulls has them all.
const MaxFailures = 1000

// The outcomes of runs. Those of the name done came through all users.
const (
	Done = "done"
	// DoneWithFailures has users that failed, few enough or not.
	DoneWithFailures = "done_with_failures"
	// DoneInPart has pulled and committed everything within reach, but something
	// was implausible, or a service stayed down.
	DoneInPart = "done_in_part"
	// Deadline left users for the next run.
	Deadline = "deadline"
	// Interrupted was told to stop, and committed what was complete.
	Interrupted = "interrupted"
	// Stopped could not go on: Error says why.
	Stopped = "stopped"
)

// Report is what a run did: written to runs/<run_id>.json in the bucket and
// printed by the command line. It names users by id only.
type Report struct {
	RunID    string `json:"run_id"`
	RunGroup string `json:"run_group"`
	Job      string `json:"job"`
	Shard    int    `json:"shard"`
	Shards   int    `json:"shards"`
	// OnlyFailed, Full and Named say which users the run was for, and how: those
	// that had failed, in full, so many that were named.
	OnlyFailed bool      `json:"only_failed,omitempty"`
	Full       bool      `json:"full,omitempty"`
	Named      int       `json:"named,omitempty"`
	Version    string    `json:"version,omitempty"`
	Started    time.Time `json:"started"`
	Finished   time.Time `json:"finished"`
	// Outcome is one of Done, DoneWithFailures, DoneInPart, Deadline, Interrupted, Stopped.
	Outcome string     `json:"outcome"`
	Error   string     `json:"error,omitempty"`
	Users   UserCounts `json:"users"`
	// List is what is known of the list of users as a whole, nil where none was
	// read.
	List *List `json:"list,omitempty"`
	// Streams is keyed by stream, SyncSessions by outcome.
	Streams      map[config.Stream]*Stream `json:"streams"`
	SyncSessions map[string]int64          `json:"sync_sessions,omitempty"`
	// Probe is how users were asked whether they have anything new, nil where no user
	// was come to.
	Probe *Probe `json:"probe,omitempty"`
	// First is how accounts, transactions and tags were read that were pulled for the
	// first time, FullAgain those that were due as a whole again; nil where none were.
	First     *First `json:"first,omitempty"`
	FullAgain *First `json:"full_again,omitempty"`
	// NoAddress counts users for whom a session was due, and who have no address in
	// sync.user_ips.
	NoAddress int64 `json:"no_address,omitempty"`
	// Remasked counts streams of users that were read in full since what hides their rows
	// is not what it was: the mask, or its key.
	Remasked int64 `json:"remasked,omitempty"`
	// Services are those that were down at the end, by name; of the data of a stream
	// its name.
	Services map[string]Trouble `json:"services,omitempty"`
	// Unreached counts the listed users that the run did not come to the end of, for
	// whatever reason; AllUnreached says that it ended before it knew who they are.
	Unreached    int64 `json:"unreached,omitempty"`
	AllUnreached bool  `json:"all_unreached,omitempty"`
	// NotKept is what was pulled and could not be committed, nil where all was.
	NotKept *NotKept `json:"not_kept,omitempty"`
	// Resume is where the next run begins, after one that did not come to the
	// end of the list.
	Resume *Resume `json:"resume,omitempty"`
	// Unsettled counts users whose analysis had not finished at
	// settle_timeout; what it brings is pulled in the next run.
	Unsettled int64 `json:"unsettled,omitempty"`
	Requests  int64 `json:"requests"`
	Refused   int64 `json:"refused"`
	Retries   int64 `json:"retries"`
	// Rate is the requests a second that the pacer allowed at the end,
	// LearnedLimit what the API seems to allow; 0 if it refused nothing and nothing was
	// recalled. Both are this shard's. Pace is where the limit comes from.
	Rate                float64          `json:"rate,omitempty"`
	LearnedLimit        float64          `json:"learned_limit,omitempty"`
	Pace                Pace             `json:"pace,omitzero"`
	BytesRead           int64            `json:"bytes_read"`
	RequestsByOperation map[string]int64 `json:"requests_by_operation"`
	// Waited is what was waited for, by kind: troubles of five seconds or more, asked for
	// pauses, and other runs.
	Waited map[trouble.Kind]trouble.Count `json:"waited,omitempty"`
	// TotalsOff counts, by operation, users whose list holds another number of records
	// than it tells, and was believed: nothing shows that the API counts as we do.
	TotalsOff map[string]int64 `json:"totals_off,omitempty"`
	Tables    map[string]Table `json:"tables"`
	Commits   int              `json:"commits"`
	FirstSeq  uint64           `json:"first_seq,omitempty"`
	LastSeq   uint64           `json:"last_seq,omitempty"`
	// Issues are what answers held that is not as it should be, by kind, as in the
	// column issues of the table pulls.
	Issues   map[string]Issue `json:"issues,omitempty"`
	Failures []Failure        `json:"failures,omitempty"`
	// FailuresByClass counts all failed pulls, also those beyond Failures.
	FailuresByClass map[finoos.Class]int64 `json:"failures_by_class,omitempty"`
	// Needed are the users with a bank login that only they can bring to work again.
	Needed Needed `json:"needed,omitzero"`
	// Timeline is the course of the run, at most 240 points however long it was.
	Timeline []Point `json:"timeline,omitempty"`
	// Slowest names the ten slowest users of each stage: sync, settle, and the
	// pull of each stream.
	Slowest   map[string][]SlowUser       `json:"slowest,omitempty"`
	Freshness map[config.Stream]Freshness `json:"freshness,omitempty"`
	// Backfill says which backfill it was, nil for a run.
	Backfill *Backfill `json:"backfill,omitempty"`
}

// CameThrough says that the run left nobody out: it was done, whatever it had to
// say about that.
func (r *Report) CameThrough() bool {
	done := r.Outcome == Done || r.Outcome == DoneWithFailures || r.Outcome == DoneInPart
	return done && r.Left() == 0
}

// Left is how many of the listed users the run did not come to the end of, by the
// counts where a report of an earlier version does not say so itself.
func (r *Report) Left() int64 {
	return max(r.Unreached, r.Users.Listed-r.Users.Done(), 0)
}

// LostAll says that nothing of what was pulled was committed, as far as is known: by the
// counts where a report of an earlier version does not say so itself.
func (r *Report) LostAll() bool {
	return r.Commits == 0 && (r.NotKept != nil || !r.CameThrough() && r.Users.Pulled > 0)
}

// Backfill says which backfill a report is of, and when it came to its
// end; then there is nothing left to do.
type Backfill struct {
	Name     string             `json:"name"`
	Since    string             `json:"since"`
	Until    string             `json:"until"`
	Finished *sink.BackfillDone `json:"finished,omitempty"`
	// Undated are transactions without a date that came along and are not of the
	// range, since it ends before the day on which the backfill began.
	Undated int64 `json:"undated,omitempty"`
}

// UserCounts counts users by what became of them; a user with one failed
// stream is failed, else with one in quarantine quarantined, whatever its
// other streams did. Listed are all users of
// the run: those of the list, and those known ones that were asked for.
type UserCounts struct {
	Listed     int64 `json:"listed"`
	Pulled     int64 `json:"pulled"`
	Unchanged  int64 `json:"unchanged"`
	NoAnalysis int64 `json:"no_analysis"`
	Failed     int64 `json:"failed"`
	Gone       int64 `json:"gone"`
	// Missing users answered 404 by their own path and were not declared gone.
	Missing int64 `json:"missing,omitempty"`
	// Quarantined users have a stream that has failed for failures.quarantine_after
	// runs in a row and was not tried this time.
	Quarantined int64 `json:"quarantined"`
	// NotBooked users have none of the job's services.
	NotBooked int64 `json:"not_booked,omitempty"`
	// PassedOver users have a stream that was not pulled since what it needs is
	// down; nothing of them has failed.
	PassedOver int64 `json:"passed_over,omitempty"`
}

// Trouble is a service, or the data of a stream, that was down when the run ended.
type Trouble struct {
	DownSince  time.Time    `json:"down_since"`
	PassedOver int64        `json:"passed_over"` // users
	Class      finoos.Class `json:"class,omitempty"`
	Error      string       `json:"error,omitempty"` // the last
}

// Done is how many users the run is done with, whatever became of them.
func (c *UserCounts) Done() int64 {
	return c.Pulled + c.Unchanged + c.NoAnalysis + c.Failed + c.Gone + c.Missing + c.Quarantined + c.NotBooked + c.PassedOver
}

// List is what is known of the list of users, before sharding.
type List struct {
	// Whole says that nothing speaks against it being all there is; Reason says
	// what does.
	Whole  bool   `json:"whole"`
	Reason string `json:"reason,omitempty"`
	Named  int64  `json:"named"` // distinct ids
	Pages  int64  `json:"pages"`
	// Aside counts the records that are no users; AsideFirst says of the first of
	// them where they stand, and why.
	Aside      int64          `json:"aside,omitempty"`
	AsideFirst []finoos.Aside `json:"aside_first,omitempty"`
	// Seconds is how long reading it took; 0 for a shard that was left its part.
	Seconds float64 `json:"seconds,omitempty"`
}

// Stream counts the pulls of one stream by outcome, and what they wrote.
type Stream struct {
	Pulled     int64 `json:"pulled"`
	Unchanged  int64 `json:"unchanged"`
	NoAnalysis int64 `json:"no_analysis"`
	NotBooked  int64 `json:"not_booked,omitempty"`
	Failed     int64 `json:"failed"`
	Gone       int64 `json:"gone"`
	// Quarantined counts the users of whom this stream was not tried.
	Quarantined int64 `json:"quarantined,omitempty"`
	// First counts the pulls of users of whom this stream was never pulled before.
	First int64 `json:"first,omitempty"`
	// NotAsked counts the users of whom this stream was not asked for, since another
	// service of theirs, or for bank logins all of them, had not moved.
	NotAsked int64 `json:"not_asked,omitempty"`
	// Refreshed counts the pulls that were due although nothing had changed.
	Refreshed int64 `json:"refreshed,omitempty"`
	Rows      int64 `json:"rows"`
	Deletes   int64 `json:"deletes"`
}

// Pace is where the limit comes from that the run kept to.
type Pace struct {
	// From is recalled, where an earlier run found the limit and nothing was refused
	// since; learned from refusals; or empty: none is known.
	From string `json:"from,omitempty"`
	// Began is the limit of an earlier run that this one began with, in requests a
	// second, 0 for none, and LearnedAt when the API had told it. Of a shard it is its share.
	Began     float64   `json:"began,omitempty"`
	LearnedAt time.Time `json:"learned_at,omitzero"`
	// Kept says that the limit is remembered for the next run.
	Kept bool `json:"kept,omitempty"`
	// Ignored counts what was remembered and cannot be true.
	Ignored int `json:"ignored,omitempty"`
}

// Probe is how users were asked whether they have anything new.
type Probe struct {
	Mode string `json:"mode"` // each, one or banking
	Why  string `json:"why,omitempty"`
	// Proving says that the first users are asked of all services, to see whether one
	// tells of the others.
	Proving bool `json:"proving,omitempty"`
	// AskedOne users were asked of one service alone, as long as it had not moved; Owed
	// ones of all, since something was owed to them; and Audited ones of all to see
	// whether the one service would have misled, as it would have for Misled ones.
	AskedOne int64 `json:"asked_one"`
	Owed     int64 `json:"owed"`
	Audited  int64 `json:"audited"`
	Misled   int64 `json:"misled"`
	// Waived users have a service that has not come to the analysis of the others in a
	// day, and is not waited for any more.
	Waived int64 `json:"waived,omitempty"`
}

// Text says how users were asked, why, and how that went.
func (p *Probe) Text() string {
	var text strings.Builder
	text.WriteString(p.Mode)
	audited := "audited"
	if p.Proving {
		text.WriteString(", proving")
		audited = "asked of all to prove it"
	}
	for _, c := range []struct {
		n    int64
		what string
	}{{p.AskedOne, "asked of one service"}, {p.Owed, "of all since something is owed to them"}, {p.Audited, audited}, {p.Misled, "misled"}, {p.Waived, "not waited for"}} {
		if c.n > 0 {
			fmt.Fprintf(&text, ", %s %s", human.Count(c.n), c.what)
		}
	}
	if p.Why != "" {
		text.WriteString(" (" + p.Why + ")")
	}
	return text.String()
}

// Table is what was committed of one table.
type Table struct {
	Rows  int64 `json:"rows"`
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// NotKept is what is lost of a run that could not commit, and pulled anew by the next
// one.
type NotKept struct {
	Users int64 `json:"users"` // that were done with something new since the last commit
	Rows  int64 `json:"rows"`  // of streams, deletes included
	// Unsure says that the store has not told whether the last commit stands: if it
	// does, nothing is lost. The next run finds out.
	Unsure bool `json:"unsure,omitempty"`
}

// What counts it. Rows may be of users who count as failed, since another stream of theirs
// did: then there is no number of users.
func (n *NotKept) What() string {
	text := human.Plural(n.Rows, "row")
	if n.Users > 0 || n.Rows == 0 {
		text += " of " + human.Plural(n.Users, "user")
	}
	return text
}

// Progress is a running job's state, for a progress bar or a log line.
type Progress struct {
	Phase                   string
	UsersDone, UsersTotal   int64
	Failed                  int64
	Rows, Requests, Refused int64
	Rate                    float64 // requests a second since the run began
	// Stats is what the client has counted.
	Stats finoos.Stats
	// Trouble is what is waited for now, and Waited what was so far.
	Trouble trouble.State
	Waited  map[trouble.Kind]trouble.Count
	// Leased says that the run has its lease.
	Leased bool
}

// Commit is what one commit made true, and how long it took: closing the files,
// uploading the cursors, the record itself, publishing.
type Commit struct {
	Took   time.Duration
	Tables map[string]Table
}
