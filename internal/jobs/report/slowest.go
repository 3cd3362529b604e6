package report

import (
	"cmp"
	"slices"
	"time"
)

// The stages of a user, beside the pulls of its streams, which are named by
// the stream.
const (
	StageSync   = "sync"   // its logins are read, and banks asked
	StageSettle = "settle" // from then until the analysis is there
)

// maxSlowest is how many users a report names for each stage.
const maxSlowest = 10

// SlowUser is a user, and how long one stage of it took.
type SlowUser struct {
	UserID  string  `json:"user_id"`
	Seconds float64 `json:"seconds"` // of real time
}

// Slowest keeps the slowest users of each stage, slowest first, each user once.
type Slowest map[string][]SlowUser

// Add notes how long a stage of a user took.
func (s Slowest) Add(stage, userID string, took time.Duration) {
	top, u := s[stage], SlowUser{UserID: userID, Seconds: took.Seconds()}
	if len(top) == maxSlowest && u.Seconds <= top[maxSlowest-1].Seconds {
		return
	}
	if i := slices.IndexFunc(top, func(o SlowUser) bool { return o.UserID == userID }); i >= 0 {
		if top[i].Seconds >= u.Seconds {
			return
		}
		top = slices.Delete(top, i, i+1)
	}
	i, _ := slices.BinarySearchFunc(top, u, func(a, b SlowUser) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.UserID, b.UserID))
	})
	top = slices.Insert(top, i, u)
	s[stage] = top[:min(len(top), maxSlowest)]
}
