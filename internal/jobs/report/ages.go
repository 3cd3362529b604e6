package report

import (
	"math"
	"time"
)

// Freshness tells how old a stream's data were when the run came to its users,
// and how old they are when it left them. Users that the run did not come to
// the end of, or who are gone, are in neither.
//
// The age is that of the last pull that succeeded, by the clock of the data. A
// stream that has not changed at the API is not pulled, so it ages rightly.
type Freshness struct {
	Before Ages `json:"before"`
	After  Ages `json:"after"`
}

// Ages sums up the ages of a stream over users, in seconds. A percentile is at
// most 2 %, or half a second, from the age of the user that it falls on; the
// oldest is exact.
type Ages struct {
	Users  int64   `json:"users"`           // with a pull that succeeded
	Never  int64   `json:"never,omitempty"` // without
	P50    float64 `json:"p50_seconds"`
	P95    float64 `json:"p95_seconds"`
	Oldest float64 `json:"oldest_seconds"`
}

// The histogram of ages. Class 0 is below a second; class i ends ageRatio
// times later than class i-1. The last one begins after forty years.
const (
	ageClasses = 540
	ageRatio   = 1.04
)

// AgeCount counts users by age: a few kilobytes, however many users.
type AgeCount struct {
	counts [ageClasses]int64
	users  int64
	never  int64
	oldest float64
}

// Add counts one user. at is when it was pulled last, zero if never; a time
// to come counts as now.
func (a *AgeCount) Add(at, now time.Time) {
	if at.IsZero() {
		a.never++
		return
	}
	age := max(0, now.Sub(at).Seconds())
	class := 0
	if age >= 1 {
		class = min(1+int(math.Log(age)/math.Log(ageRatio)), ageClasses-1)
	}
	a.counts[class]++
	a.users++
	a.oldest = max(a.oldest, age)
}

// percentile is the age that p of the users do not exceed, 0 < p <= 1: the
// middle of its class, so that the error is half of what a class is wide.
func (a *AgeCount) percentile(p float64) float64 {
	rank, seen := int64(math.Ceil(p*float64(a.users))), int64(0)
	for class, n := range a.counts {
		if seen += n; n > 0 && seen >= rank {
			if class == 0 {
				return min(0.5, a.oldest)
			}
			lower := math.Pow(ageRatio, float64(class-1))
			return min(lower*(1+ageRatio)/2, a.oldest)
		}
	}
	return 0
}

// Sum turns what was counted into percentiles.
func (a *AgeCount) Sum() Ages {
	round := func(s float64) float64 { return math.Round(s*1000) / 1000 }
	return Ages{
		Users: a.users, Never: a.never,
		P50: round(a.percentile(0.5)), P95: round(a.percentile(0.95)), Oldest: round(a.oldest),
	}
}

// FreshnessCount counts the ages of a stream's users before and after a run: a
// few kilobytes, however many users.
type FreshnessCount struct{ before, after AgeCount }

// Add counts one user, by when the stream was pulled last before the run, and
// now; zero is never.
func (f *FreshnessCount) Add(before, after, now time.Time) {
	f.before.Add(before, now)
	f.after.Add(after, now)
}

// Sum says what was counted so far.
func (f *FreshnessCount) Sum() Freshness {
	return Freshness{Before: f.before.Sum(), After: f.after.Sum()}
}
