package report

import (
	"cmp"
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

// Failure is one stream of one user that could not be pulled.
type Failure struct {
	UserID string        `json:"user_id"`
	Stream config.Stream `json:"stream"`
	Class  finoos.Class  `json:"class"`
	// Nights is for how many runs in a row it has failed; 0 in reports of versions that
	// did not tell.
	Nights int `json:"nights,omitempty"`
	// NextTry is before when it is not tried again; zero for the next run.
	NextTry time.Time `json:"next_try,omitzero"`
}

// FailingStream is a stream that failed when it was tried last.
type FailingStream struct {
	Stream config.Stream `json:"stream"`
	Class  finoos.Class  `json:"class"`
	Nights int           `json:"nights,omitempty"` // in a row
	// NextTry is when it is tried again, zero for the next run. Quarantined says that
	// it sits out runs until then.
	NextTry     time.Time `json:"next_try,omitzero"`
	Quarantined bool      `json:"quarantined,omitempty"`
}

// FailingUser is a user of whom streams fail.
type FailingUser struct {
	UserID  string          `json:"user_id"`
	Streams []FailingStream `json:"streams"`
}

// nights is for how many the worst of its streams has failed.
func (u *FailingUser) nights() (most int) {
	for _, s := range u.Streams {
		most = max(most, s.Nights)
	}
	return most
}

// Failing names users who fail, those first who have for the longest time.
type Failing struct {
	Users []FailingUser `json:"users"`
	// More counts those that are not named.
	More int64 `json:"more,omitempty"`
}

// ByUser names the users of failures, at most so many.
func ByUser(failures []Failure, most int) Failing {
	k := NewKeeper(most, LongestFailing)
	at := map[string]int{}
	var users []FailingUser
	for _, f := range failures {
		i, known := at[f.UserID]
		if !known {
			i = len(users)
			at[f.UserID], users = i, append(users, FailingUser{UserID: f.UserID})
		}
		users[i].Streams = append(users[i].Streams, FailingStream{
			Stream: f.Stream, Class: f.Class, Nights: f.Nights, NextTry: f.NextTry, Quarantined: !f.NextTry.IsZero(),
		})
	}
	for _, u := range users {
		k.Add(u)
	}
	kept, more := k.Sorted()
	return Failing{Users: kept, More: more}
}

// LongestFailing orders users by for how long they have failed.
func LongestFailing(a, b FailingUser) int {
	return cmp.Or(cmp.Compare(b.nights(), a.nights()), cmp.Compare(a.UserID, b.UserID))
}

// Rename gives every user that is named the id that name makes of it: the one that the
// tables have, where that is masked.
func (r *Report) Rename(name func(id string) string) {
	for i := range r.Failures {
		r.Failures[i].UserID = name(r.Failures[i].UserID)
	}
	for i := range r.Needed.Users {
		r.Needed.Users[i].UserID = name(r.Needed.Users[i].UserID)
	}
	for kind, issue := range r.Issues {
		issue.UserID = name(issue.UserID)
		r.Issues[kind] = issue
	}
	for _, users := range r.Slowest {
		for i := range users {
			users[i].UserID = name(users[i].UserID)
		}
	}
	if r.Resume != nil {
		for i := range r.Resume.Waiting {
			r.Resume.Waiting[i] = name(r.Resume.Waiting[i])
		}
		r.Resume.UserID = name(r.Resume.UserID)
	}
}

// Needed are users with bank logins that only they can bring to work again.
type Needed struct {
	Count  int64            `json:"count"`
	Logins map[string]int64 `json:"logins,omitempty"` // by the outcome of their last sync session
	Users  []NeededUser     `json:"users,omitempty"`  // the earliest noted first
	// More counts those that are not named.
	More int64 `json:"more,omitempty"`
}

// NeededUser is one of them. A login is not named: that is what the table sync_sessions
// is for.
type NeededUser struct {
	UserID string           `json:"user_id"`
	Logins map[string]int64 `json:"logins"`
	// NotedAt is when that was noted last, NextTry before when no bank is asked again.
	NotedAt time.Time `json:"noted_at"`
	NextTry time.Time `json:"next_try,omitzero"`
}

// Note counts one login, by the outcome of its last session, which was at an instant and
// holds until another.
func (u *NeededUser) Note(outcome string, at, until time.Time) {
	u.Logins = AddCounts(u.Logins, map[string]int64{outcome: 1})
	if u.NotedAt.IsZero() || at.Before(u.NotedAt) {
		u.NotedAt = at
	}
	if u.NextTry.IsZero() || until.Before(u.NextTry) {
		u.NextTry = until
	}
}

// AddCounts adds counts by name to those that there are.
func AddCounts(to, counts map[string]int64) map[string]int64 {
	if to == nil {
		to = map[string]int64{}
	}
	for name, n := range counts {
		to[name] += n
	}
	return to
}

// EarliestNeeded orders users by when it was noted that they are needed.
func EarliestNeeded(a, b NeededUser) int {
	return cmp.Or(a.NotedAt.Compare(b.NotedAt), cmp.Compare(a.UserID, b.UserID))
}

// Keeper keeps the first so many of any number of things in an order: memory for twice
// as many as are kept.
type Keeper[T any] struct {
	most  int
	order func(a, b T) int
	kept  []T
	seen  int64
}

// NewKeeper keeps at most so many.
func NewKeeper[T any](most int, order func(a, b T) int) *Keeper[T] {
	return &Keeper[T]{most: most, order: order}
}

// Add offers one.
func (k *Keeper[T]) Add(t T) {
	k.seen++
	if k.most == 0 {
		return
	}
	if k.kept = append(k.kept, t); len(k.kept) >= 2*k.most {
		k.cut()
	}
}

func (k *Keeper[T]) cut() {
	slices.SortFunc(k.kept, k.order)
	if len(k.kept) > k.most {
		clear(k.kept[k.most:])
		k.kept = k.kept[:k.most]
	}
}

// Sorted are those that were kept, in order, and how many were not.
func (k *Keeper[T]) Sorted() (kept []T, more int64) {
	k.cut()
	return k.kept, k.seen - int64(len(k.kept))
}
