package e2e

import (
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
)

// askedOf counts the requests of one user by operation, with the service of a
// correlation: "correlation banking".
func (b *bank) askedOf() map[string]map[string]int {
	asked := map[string]map[string]int{}
	for _, r := range b.Requests() {
		if r.UserID == "" {
			continue
		}
		if asked[r.UserID] == nil {
			asked[r.UserID] = map[string]int{}
		}
		name := r.Operation
		if r.Service != "" {
			name += " " + r.Service
		}
		asked[r.UserID][name]++
	}
	return asked
}

func TestAnUnchangedUserCostsOneProbePerServiceAndOneCallForTheLogins(t *testing.T) {
	t.Parallel()
	const users = 30
	b := newBank(t, sandbox.Options{Users: users})
	dir := t.TempDir()
	b.night(t, dir, seldom)
	for n := 2; n <= nights; n++ {
		b.Night()
		b.ResetRequests()
		b.night(t, dir, seldom)
		asked := b.askedOf()
		quiet, busy := 0, 0
		for _, id := range b.users(users) {
			was := b.Activity(id)
			if was.Gone || was.Joined {
				continue
			}
			if was.Analysed {
				busy++
				continue
			}
			quiet++
			checkQuiet(t, id, asked[id])
		}
		if quiet == 0 || busy == 0 {
			t.Fatalf("night %d: %d quiet users and %d others: nothing is shown", n, quiet, busy)
		}
	}
}

func checkQuiet(t *testing.T, id string, asked map[string]int) {
	t.Helper()
	allowed := map[string]bool{
		"logins": true, "correlation banking": true, "correlation categorization": true,
		"correlation contracts": true, "correlation account-history": true,
	}
	for name, times := range asked {
		if !allowed[name] || times > 1 {
			t.Errorf("user %s has not changed, but was asked for %s %d times", id, name, times)
		}
	}
}

func TestANightWithoutLoginsCostsProbesOnly(t *testing.T) {
	t.Parallel()
	const users = 30
	b := newBank(t, sandbox.Options{Users: users})
	dir := t.TempDir()
	few := settings{job: []string{"streams: [users, categorization, contracts]"}}
	b.night(t, dir, few)
	b.ResetRequests()
	b.night(t, dir, few)
	for _, id := range b.users(users) {
		for name := range b.askedOf()[id] {
			if name != "correlation categorization" && name != "correlation contracts" {
				t.Errorf("user %s was asked for %s, which no stream of this job needs", id, name)
			}
		}
	}
}
