package jobs

import (
	"fmt"
	"math"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// tokenLife is how long a token is used before the next one is asked for: most
// of the five minutes that finoOS documents.
const tokenLife = 4 * time.Minute

// result puts together what was counted and what is to be expected.
func (p *planner) result() *Plan {
	plan := &Plan{
		Job: p.o.Job, Shard: p.o.Shard.Index, Shards: p.o.Shard.Count, At: p.o.Now().UTC(), Offline: p.offline,
		FirstRun: p.look.LastSeq() == 0, Users: p.users, SyncSessions: p.sessions, Streams: map[config.Stream]PlannedStream{},
		RequestsByOperation: p.due, BasedOn: p.history.ids, Spent: p.client.Stats().Requests,
	}
	for s, sp := range p.counts {
		if _, correlated := config.ServiceOf(s); correlated {
			sp.Changed = p.changed(s)
			known := sp.Changed * float64(sp.Known)
			sp.Pulls = sp.First + sp.Refreshed + rounded(known)
			compared := s == config.StreamCategorization && p.job.Categorization == config.CategorizationFull
			full := float64(sp.First + sp.Refreshed)
			p.due[operationOf(s)] += rounded(known*p.history.perPull(s, compared) + full*p.history.perPull(s, true))
		}
		plan.Streams[s] = *sp
	}
	if p.maybe > 0 {
		p.due["correlation"] += rounded(float64(p.maybe) * p.changed(p.anyCorrelated())) // banking comes first
	}
	p.due["logins"] += rounded(float64(p.maybeLogins) * p.changed(p.anyCorrelated()))
	if p.asks.Mode, p.asks.Why, p.asks.Proving = p.asking.mode, p.asking.why, p.asking.proving; !p.asksByNeed() {
		p.asks = report.Probe{Mode: config.ProbeEach, Why: "a run for some users, or in full, asks for everything"}
	}
	plan.Probe = p.asks
	p.expectSessions()
	p.expectList(plan)
	p.pace(plan)
	p.note(plan)
	return plan
}

func rounded(n float64) int64 { return int64(math.Round(n)) }

// changed is the share of known users who are expected to have changed: that
// of the last runs, and before there is any, the share of those who had been
// analysed on the very day on which they were pulled.
func (p *planner) changed(s config.Stream) float64 {
	if share, ok := p.history.share(s); ok {
		return share
	}
	if p.pulled == 0 {
		return 0
	}
	return float64(p.young) / float64(p.pulled)
}

// expectSessions adds what sync sessions cost: themselves, the logins once
// more, and the looks at users who settle.
func (p *planner) expectSessions() {
	if p.sessions == 0 {
		return
	}
	p.due["synchronize"] += p.sessions
	if p.has(config.StreamBankLogins) {
		p.due["logins"] += p.settling
	}
	looks := float64(len(p.services)) // one at each service, unless an earlier run tells
	if p.history.sessions > 0 {
		looks = float64(p.history.looks) / float64(p.history.sessions)
	}
	p.due["correlation"] += rounded(float64(p.sessions) * looks)
}

// expectList adds the pages of the user list: those that the plan has read, or
// offline those of the last run.
func (p *planner) expectList(plan *Plan) {
	pages, took := max(1, p.history.pages), p.history.listing
	switch {
	case len(p.o.Users) > 0:
		return
	case !p.offline:
		pages, took = p.client.Stats().ByOperation["users"], p.list.took
	}
	p.due["users"] += pages
	plan.List = PlannedList{Pages: pages, Minutes: hundredths(took.Minutes())}
}

func hundredths(n float64) float64 { return math.Round(100*n) / 100 }

// pace sums up, and says how long that takes.
func (p *planner) pace(plan *Plan) {
	ceiling := p.o.Config.FinoOS.RequestsPerSecond
	if plan.Rate = p.history.rate; plan.Rate > 0 && plan.Rate < ceiling {
		plan.Learned = true
	} else {
		plan.Rate = ceiling
	}
	for _, n := range p.due {
		plan.Requests += n
	}
	took := time.Duration(float64(plan.Requests) / plan.Rate * float64(time.Second))
	tokens := 1 + int64(took/tokenLife)
	p.due["auth"] += tokens
	plan.Requests += tokens
	for operation, n := range p.due {
		if n == 0 {
			delete(p.due, operation)
		}
	}
	plan.Minutes = hundredths(float64(plan.Requests) / plan.Rate / 60)
	plan.List.Minutes = max(plan.List.Minutes, hundredths(float64(plan.List.Pages)/plan.Rate/60))
	plan.Minutes = max(plan.Minutes, plan.List.Minutes)
}

// note says what the numbers do not.
func (p *planner) note(plan *Plan) {
	add := func(format string, args ...any) { plan.Notes = append(plan.Notes, fmt.Sprintf(format, args...)) }
	known := p.users.Listed - p.users.New
	plan.Notes = append(plan.Notes, p.unknown...)
	p.noteList(plan, add)
	switch {
	case plan.FirstRun:
		add("nothing was committed yet: everything is read in full")
	case len(plan.BasedOn) == 0:
		add("there is no report of an earlier run: how much has changed is a guess")
	case known > 0 && !p.o.Full:
		if _, told := p.history.share(p.anyCorrelated()); !told {
			add("the runs before were first ones: how much changes in a night is a guess by the age of what they found")
		}
	}
	if p.job.Sync.When != config.SyncNever {
		add("sync sessions are an estimate by what is remembered of earlier ones: reading the logins would cost a request for each user")
		if p.unseen > 0 {
			add("the logins of %d new users are not known: sync sessions of theirs come on top", p.unseen)
		}
		if p.sessions > 0 {
			add("users with a sync session wait up to settle_timeout %s for its analysis, beside the minutes", p.job.Sync.SettleTimeout)
		}
	}
	if d := p.job.Deadline; d > 0 && plan.Minutes > d.Minutes() {
		add("the deadline %s comes first: about %.0f %% of the users are reached, the others come first in the run after",
			d, 100*d.Minutes()/plan.Minutes)
	}
}

// noteList says what listing the users costs, and what is wrong with the list.
func (p *planner) noteList(plan *Plan, add func(format string, args ...any)) {
	if plan.List.Pages == 0 {
		return
	}
	how := ""
	if e := &p.list.extent; !p.offline && !e.Counted && e.Pages > 1 {
		how = ", one after the other, since the answers do not tell how many there are"
	}
	add("the list of users takes %d requests and about %.4g minutes%s", plan.List.Pages, plan.List.Minutes, how)
	if p.offline {
		return
	}
	switch e := &p.list.extent; {
	case !e.Whole:
		add("the list of users is not whole: %s", e.Reason)
	case e.Named == 0:
		add("the list of users names nobody: check finoos.tenant, %s has no users", p.tenant())
	}
	if p.list.extent.Aside > 0 {
		add("%s", asideText(&p.list.extent))
	}
}

// anyCorrelated is a stream of the job that has a service.
func (p *planner) anyCorrelated() config.Stream {
	for _, s := range p.streams {
		if _, correlated := config.ServiceOf(s); correlated {
			return s
		}
	}
	return ""
}
