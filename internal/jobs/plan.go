package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// Plan is what a run of a job would do now, as far as that can be told without
// asking the API for more than its list of users.
type Plan struct {
	Job    string    `json:"job"`
	Shard  int       `json:"shard"`
	Shards int       `json:"shards"`
	At     time.Time `json:"at"`
	// Offline says that the users are those that the job knows; else they are
	// those of the API's list.
	Offline bool `json:"offline,omitempty"`
	// FirstRun says that the job has not committed anything yet.
	FirstRun bool `json:"first_run,omitempty"`

	Users   PlannedUsers                    `json:"users"`
	Streams map[config.Stream]PlannedStream `json:"streams"`
	// SyncSessions is how many bank synchronisations are due, by what is
	// remembered of the logins; their present state would cost requests.
	SyncSessions int64 `json:"sync_sessions"`

	// Probe is how users are asked whether they have anything new.
	Probe report.Probe `json:"probe"`

	// Requests is what the run is expected to ask for.
	Requests            int64            `json:"requests"`
	RequestsByOperation map[string]int64 `json:"requests_by_operation"`
	// Rate is in requests a second: learned by an earlier run, else
	// finoos.requests_per_second. At that rate the requests take Minutes.
	Rate    float64 `json:"rate"`
	Learned bool    `json:"rate_learned,omitempty"`
	Minutes float64 `json:"minutes"`

	// List is what listing the users takes, a part of these.
	List PlannedList `json:"list"`

	// BasedOn are the runs from whose reports the shares of changed users were
	// taken.
	BasedOn []string `json:"based_on,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Spent is how many requests this plan itself has cost.
	Spent int64 `json:"spent"`
}

// PlannedList is what reading the list of users takes: as long as this plan has
// taken for it, or the last run that has read it.
type PlannedList struct {
	Pages   int64   `json:"pages"`
	Minutes float64 `json:"minutes"`
}

// PlannedUsers counts the users of a plan.
type PlannedUsers struct {
	// Listed are all that the run would work on; of these, New are not known to
	// the job, and Missing are known but not on the API's list: they are asked
	// for one by one.
	Listed  int64 `json:"listed"`
	New     int64 `json:"new"`
	Missing int64 `json:"missing"`
	// Quarantined have a stream that would sit this run out.
	Quarantined int64 `json:"quarantined"`
}

// PlannedStream is what a run would do about one stream.
type PlannedStream struct {
	// First are users of whom the stream is pulled whatever its correlation
	// says, and Refreshed those of whom it is read in full because that is due;
	// of Known users it is pulled where it has changed, for which Changed is the
	// expected share; Quarantined sit this run out.
	First       int64   `json:"first"`
	Refreshed   int64   `json:"refreshed,omitempty"`
	Known       int64   `json:"known"`
	Quarantined int64   `json:"quarantined,omitempty"`
	Changed     float64 `json:"changed"`
	// Pulls are expected, of all of these together.
	Pulls int64 `json:"pulls"`
}

// MakePlan says what Run would do with the same options. It changes nothing:
// it takes no lease, writes nothing to the bucket, and asks the API for the
// list of users alone, or with offline for nothing at all.
func MakePlan(ctx context.Context, o RunOptions, offline bool) (*Plan, error) {
	var unknown []string
	if offline {
		o.Config, unknown = withoutAPI(o.Config, o.Job)
	}
	s, err := newSession(o)
	if err != nil {
		return nil, err
	}
	p := &planner{session: s, list: newListing(s), offline: offline, unknown: unknown}
	if offline && !o.Config.Knows("jobs."+o.Job+".mask_key") {
		s.reader.Veil = pull.BlindVeil()
	}
	defer p.list.close()
	defer s.watch.Close()
	plan, err := p.make(ctx)
	if ctx.Err() != nil {
		return nil, &StopError{Reason: ReasonInterrupted, Err: errors.New("interrupted: nothing was changed")}
	}
	return plan, stopReason(err)
}

// withoutAPI is a configuration that a plan can be made from which asks nobody, and what
// such a plan cannot say since values are not known. What stands in their place is
// looked at by nobody.
func withoutAPI(c *config.Config, name string) (*config.Config, []string) {
	job := c.Jobs[name]
	if job == nil || len(c.Notes.Unset) == 0 {
		return c, nil
	}
	known, forJob, left := *c, *job, []string{}
	known.Jobs = maps.Clone(c.Jobs)
	known.Jobs[name] = &forJob
	for _, u := range c.Notes.Unset {
		says := ""
		switch key := strings.TrimSuffix(u.Key, "_file"); key {
		case "finoos.base_url", "finoos.tenant":
			says = "whether the lake is of this API and tenant is not compared"
		case "finoos.requests_per_second":
			says = fmt.Sprintf("the pace is one of %g requests a second at the most", c.FinoOS.RequestsPerSecond)
		case "jobs." + name + ".mask_key":
			forJob.Mask, says = nil, "whether the mask has changed, so that all it concerns is read in full, is not told"
		case "jobs." + name + ".sync.user_ip", "jobs." + name + ".sync.user_ips":
			says = "bank synchronisations are left out"
		}
		if says != "" {
			left = append(left, fmt.Sprintf("%s is not known (%s): %s", u.Key, u.Why(), says))
		}
	}
	if !c.Knows("finoos.base_url") {
		known.FinoOS.BaseURL = "https://not-known.invalid"
	}
	known.FinoOS.Paths = nil
	return &known, left
}

// planner makes one plan.
type planner struct {
	*session
	list    *listing
	offline bool
	unknown []string // what the plan does not know, and so does not say
	look    *sink.Look
	history experience
	found   bool // the users, which costs requests

	planCounts
}

// planCounts is what a look at the bucket adds up.
type planCounts struct {
	users  PlannedUsers
	counts map[config.Stream]*PlannedStream
	due    map[string]int64 // requests that are certain, by operation
	maybe  int64            // probes that a user costs only where what is asked first has moved
	asks   report.Probe
	// logins of users that are read only where their banking has moved
	maybeLogins int64
	sessions    int64 // sync sessions
	settling    int64 // users who have one
	unseen      int64 // users whose logins nobody has seen yet
	// Of the cursors that say when they were pulled, those whose analysis was
	// not a day old then.
	pulled, young int64
}

func (p *planner) make(ctx context.Context) (plan *Plan, err error) {
	switch err := p.readAddresses(ctx); {
	case p.offline && errors.Is(err, fs.ErrNotExist):
		p.unknown = append(p.unknown, "the file of sync.user_ips is not there: bank synchronisations are left out")
	case err != nil:
		return nil, err
	}
	if err := p.openStore(ctx); err != nil {
		return nil, err
	}
	if err := p.findPlaces(ctx); err != nil {
		return nil, err
	}
	if p.history, err = readHistory(ctx, report.InBucket(p.store, p.o.Job), p.o.Shard.Count); err != nil {
		return nil, p.sinkError(ctx, err)
	}
	err = lookAgain(func() error {
		plan, err = p.count(ctx)
		return err
	})
	return plan, err
}

// count makes the plan from one look at the bucket.
func (p *planner) count(ctx context.Context) (*Plan, error) {
	var err error
	p.look, err = sink.OpenLook(ctx, sink.LookOptions{
		Store: p.store, Job: p.o.Job, Shard: p.o.Shard, Source: p.source(), ScratchDir: p.o.Config.Sink.ScratchDir,
	})
	if err != nil {
		return nil, p.sinkError(ctx, err)
	}
	defer p.look.Close()
	if !p.found {
		if err := p.listOrRecall(ctx); err != nil {
			return nil, err
		}
		p.found = true
	}
	p.planCounts = planCounts{counts: map[config.Stream]*PlannedStream{}, due: map[string]int64{}}
	for _, s := range p.streams {
		p.counts[s] = &PlannedStream{}
	}
	for b := range cursors.Buckets {
		if p.o.Shard.Owns(b) {
			if err := p.bucket(ctx, b); err != nil {
				return nil, err
			}
		}
	}
	return p.result(), nil
}

// listOrRecall finds the users: on the API's list, or with offline among those
// that the job knows. Named ones need the list only where the job knows them
// not.
func (p *planner) listOrRecall(ctx context.Context) error {
	switch {
	case len(p.o.Users) > 0:
		return p.findNamed(ctx)
	case p.offline && p.look.LastSeq() == 0:
		return Stopf(ReasonConfig, "job %s has committed nothing yet, so that nothing is known of its users: without --offline the API is asked for their list", p.o.Job)
	case p.offline:
		return nil
	}
	return p.list.read(ctx)
}

// findNamed keeps the named users that the job or the API's list knows.
// Neither is a mistake of the caller's.
func (p *planner) findNamed(ctx context.Context) error {
	unknown := map[string]bool{}
	for _, id := range p.o.Users {
		unknown[id] = p.o.Shard.Owns(cursors.BucketOf(id))
	}
	var known []string
	for b, ids := range byBucket(maps.Keys(unknown)) {
		if !p.o.Shard.Owns(b) {
			continue
		}
		cs, err := p.look.Cursors(ctx, b, ids...)
		if err != nil {
			return p.sinkError(ctx, err)
		}
		for id := range cs {
			delete(unknown, id)
			known = append(known, id)
		}
	}
	for _, id := range known { // only now: the look may have failed halfway
		if err := p.list.held.add(&finoos.User{ID: id}); err != nil {
			return err
		}
	}
	for id, wanted := range unknown {
		if !wanted {
			delete(unknown, id) // of another shard
		}
	}
	if len(unknown) > 0 && !p.offline {
		for u, err := range p.client.Users(ctx) {
			if err != nil {
				return p.refusedList(err)
			}
			if !unknown[u.ID] {
				continue
			}
			delete(unknown, u.ID)
			if err := p.list.held.add(&u); err != nil {
				return err
			}
		}
	}
	for id := range unknown {
		if p.offline {
			return Stopf(ReasonConfig, "user %q: the lake does not know this user; without --offline the API's list is looked at, too", id)
		}
		return Stopf(ReasonConfig, "user %q: neither the API's list nor the lake knows this user", id)
	}
	return nil
}
