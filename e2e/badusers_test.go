package e2e

import (
	"slices"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"

	"github.com/google/go-cmp/cmp"
)

// The indexes of the users that go wrong, each in its own way.
const (
	malformedContracts = 3
	rejectedHistory    = 7
	deletedMidway      = 11
	neverAnalysed      = 15
)

func badUsers() sandbox.Faults {
	return sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{
		"3":  {"contracts": {Kind: sandbox.Malformed}},
		"7":  {"account_history": {Kind: sandbox.Rejected}},
		"11": {"*": {Kind: sandbox.Deleted, After: 3}},
		"15": {"correlation": {Kind: sandbox.NeverAnalysed}},
	}}
}

// analysed are the streams that wait for an analysis.
var analysed = []string{"accounts", "transactions", "categorization", "contracts", "account_history"}

func TestFourBadUsersAreRowsAndEveryoneElseIsComplete(t *testing.T) {
	t.Parallel()
	// Two fail, one is missing, and one has nothing to show. Of twenty a tenth may
	// fail, whatever the ratio; of nineteen that is one, unless the ratio is two.
	for name, c := range map[string]struct {
		users int
		ratio string
		exit  int
	}{
		"a tenth of the users": {20, "failures: {max_ratio: 0}", 0},
		"below max_ratio":      {19, "failures: {max_ratio: 0.106}", 0},
		"above max_ratio":      {19, "failures: {max_ratio: 0.105}", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBank(t, sandbox.Options{
				Users: c.users, Today: daysBefore(nights), Faults: badUsers(),
				// Nobody else is without an analysis or gone.
				Sync: sandbox.SyncOdds{Deprecated: -1, Credentials: -1, Blocked: -1, SCA: -1, Lost: -1},
			})
			dir := t.TempDir()
			b.run(t, c.exit, folderURL(dir), settings{job: []string{c.ratio}})
			l := openLake(t, dir)
			l.checkCommits(t)
			checkBadUsers(t, b, l)
		})
	}
}

func checkBadUsers(t *testing.T, b *bank, l *lake) {
	t.Helper()
	want := []row{
		badPull(b, malformedContracts, "contracts", "failed", "malformed"),
		badPull(b, rejectedHistory, "account_history", "failed", "invalid"),
	}
	for _, s := range analysed {
		want = append(want, badPull(b, neverAnalysed, s, "no_analysis", nil))
	}
	bad := []any{
		b.UserID(malformedContracts), b.UserID(rejectedHistory), b.UserID(deletedMidway), b.UserID(neverAnalysed),
	}
	got := l.query(t, `SELECT user_id, stream, outcome, error_class FROM pulls
		WHERE user_id IN (?, ?, ?, ?) AND outcome <> 'pulled' AND NOT (user_id = ? AND stream <> 'users')`,
		append(bad, b.UserID(deletedMidway))...)
	index := table{key: []string{"user_id", "stream"}}
	if diff := differences(index, want, got); diff != "" {
		t.Errorf("pulls of the bad users: %s", diff)
	}
	others := l.query(t, `SELECT user_id, stream, outcome, error_class, error FROM pulls
		WHERE user_id NOT IN (?, ?, ?, ?) AND outcome <> 'pulled'`, bad...)
	if len(others) > 0 {
		t.Errorf("nobody else goes wrong, but: %v", others)
	}
	messages := l.query(t, "SELECT error FROM pulls WHERE outcome = 'failed' AND coalesce(error, '') = ''")
	if len(messages) > 0 {
		t.Errorf("%d failures do not say why", len(messages))
	}
	for _, tb := range tables {
		if !tb.history {
			compare(t, tb, b.without(collect(b.Truth(tb.name)), tb), b.without(l.current(t, tb), tb))
		}
	}
}

func badPull(b *bank, user int, stream, outcome string, class any) row {
	return row{"user_id": b.UserID(user), "stream": stream, "outcome": outcome, "error_class": class}
}

// without leaves out what a bad user cannot have brought, and no more: of a
// user whose contracts are malformed everything else must be there.
func (b *bank) without(rows []row, tb table) []row {
	return slices.DeleteFunc(rows, func(r row) bool {
		switch r["user_id"] {
		case b.UserID(malformedContracts):
			return tb.name == "contracts"
		case b.UserID(rejectedHistory):
			return tb.name == "account_history"
		case b.UserID(deletedMidway):
			return true // listed that night: the next list decides
		case b.UserID(neverAnalysed):
			return slices.Contains(analysed, tb.name)
		}
		return false
	})
}

func TestAFailedUserIsCompleteOnceItsFaultIsOver(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{Users: 20, Faults: badUsers()})
	dir := t.TempDir()
	lenient := settings{job: []string{"failures: {max_ratio: 1}"}}
	report := b.night(t, dir, lenient)
	if diff := cmp.Diff(int64(2), report.Users.Failed); diff != "" {
		t.Errorf("failed users (-want +got):\n%s", diff)
	}
	b.misbehave(t, sandbox.Faults{})
	b.night(t, dir, lenient)
	checkLake(t, dir, b)
}
