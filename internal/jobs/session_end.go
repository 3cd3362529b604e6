package jobs

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
)

// reservations are what a run that goes on has to say at its end. They guard
// themselves.
type reservations struct {
	mu   sync.Mutex
	said partialError
}

// partialError are reservations, on one line.
type partialError []error

// Error joins their texts.
func (e partialError) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns them.
func (e partialError) Unwrap() []error { return e }

// reserve notes what a run that goes on must say at its end: something is
// implausible, or stayed out of reach. It is made as by fmt.Errorf, and said
// once however often it is noted. A run that comes to its end ends with
// ReasonPartial then.
func (s *session) reserve(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	r := &s.reserved
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.said, func(said error) bool { return said.Error() == err.Error() }) {
		r.said = append(r.said, err)
	}
}

func (r *reservations) all() partialError {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

// judge is what a run ends with once everything is committed: a run that was
// stopped with that, one that came through with what it has to say.
func (s *session) judge(ctx context.Context, runErr error) error {
	said := s.reserved.all()
	if !IsWhole(runErr) {
		for _, err := range said {
			s.log.WarnContext(ctx, "noted before the run was stopped", "reservation", err)
		}
		return runErr
	}
	reason, told := ReasonOf(runErr)
	partial := len(said) > 0 || told && reason == ReasonPartial
	if told {
		said = append(partialError{runErr}, said...)
	}
	if !told || reason == ReasonPartial {
		if err := s.tooManyFailed(); err != nil {
			said = append(said, err)
		}
	}
	switch {
	case len(said) == 0:
		return nil
	case len(said) == 1 && (told || !partial):
		return said[0]
	}
	return &StopError{Reason: ReasonPartial, Err: said}
}

// tooManyFailed is the error of a run in which more users failed than may. Those
// who sit the run out have failed before.
func (s *session) tooManyFailed() error {
	var c report.UserCounts
	s.tally.update(func(rep *report.Report) { c = rep.Users })
	failed, n := c.Failed+c.Quarantined, c.Done()
	allowed, why := s.mayFail(n)
	if failed <= allowed {
		return nil
	}
	paused := ""
	if c.Quarantined > 0 {
		paused = fmt.Sprintf(" (%d of them in quarantine)", c.Quarantined)
	}
	return Stopf(ReasonTooManyFailed, "%d of %d users failed%s, and no more than %d may (%s): the table pulls says who and why",
		failed, n, paused, allowed, why)
}

// The floor of what failures.max_ratio allows: of few users a single one is more
// than any sensible ratio.
const (
	floorUsers = 10 // of all shards
	floorShare = 10 // a tenth of the users
)

// mayFail is how many of n users of the shard may fail, and why so many. What
// somebody asked for by name, or again, has no floor.
func (s *session) mayFail(n int64) (users int64, why string) {
	ratio := s.job.Failures.MaxRatio
	byRatio := wholeUsers(ratio * float64(n))
	if s.o.OnlyFailed || len(s.o.Users) > 0 {
		return byRatio, fmt.Sprintf("failures.max_ratio %g of them; --users and --only-failed have no floor", ratio)
	}
	floor := wholeUsers(min(floorUsers/float64(s.o.Shard.Count), float64(n)/floorShare))
	if n >= floorShare {
		floor = max(floor, 1)
	}
	if byRatio >= floor {
		return byRatio, fmt.Sprintf("failures.max_ratio %g of them", ratio)
	}
	return floor, fmt.Sprintf("a tenth of them, at most %d over all shards; failures.max_ratio %g alone would allow %d", floorUsers, ratio, byRatio)
}

// wholeUsers rounds down. What a product of floats is short of a whole number
// does not count: 0.29 of 100 users are 29.
func wholeUsers(n float64) int64 { return int64(math.Floor(n + 1e-9)) }

// noteIssues counts what an answer held that is not as it should be.
func (s *session) noteIssues(res *pull.Result) {
	if res.Issues == (pull.Issues{}) {
		return
	}
	s.tally.update(func(rep *report.Report) {
		for kind, n := range res.Issues.Each {
			rep.AddIssue(kind, report.Issue{Count: n, UserID: res.User, Stream: res.Stream})
		}
	})
}

// tellIssues says once a kind what answers held.
func (s *session) tellIssues(ctx context.Context) {
	var issues map[string]report.Issue
	s.tally.update(func(rep *report.Report) { issues = maps.Clone(rep.Issues) })
	for _, kind := range slices.Sorted(maps.Keys(issues)) {
		of := issues[kind]
		s.log.WarnContext(ctx, "the API's answers are not all as they should be", "issue", kind, "count", of.Count,
			"what", report.IssueText(kind), "stream", of.Stream, "user_id", of.UserID)
	}
}
