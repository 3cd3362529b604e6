package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	tell := func(seed uint64) string {
		c := setup(t, Options{Users: 8, Seed: seed})
		c.s.Night()
		c.s.Night()
		var all strings.Builder
		for i := range 4 {
			all.WriteString(c.everything(c.s.UserID(i)))
		}
		return all.String()
	}
	first := tell(3)
	if first != tell(3) {
		t.Error("two sandboxes of one seed differ")
	}
	if first == tell(4) {
		t.Error("two seeds give the same bytes")
	}
}

func TestANightLeavesQuietUsersAsTheyWere(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 25, Seed: 5})
	before := map[string]string{}
	for i := range 25 {
		before[c.s.UserID(i)] = c.everything(c.s.UserID(i))
	}
	for range 4 {
		c.s.Night()
		for id, was := range before {
			is, activity := c.everything(id), c.s.Activity(id)
			if quiet := activity == (Activity{}); quiet != (was == is) {
				t.Errorf("user %s: %+v, but changed: %v", id, activity, was != is)
			}
			before[id] = is
		}
	}
}

func TestANightAnalysesAboutOneUserInSix(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Users: 5000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.Night()
	n := 0
	for i := range 5000 {
		if s.Activity(s.UserID(i)).Analysed {
			n++
		}
	}
	if n < 750 || n > 1000 {
		t.Errorf("%d of 5000 users are analysed, want 15 to 20 %%", n)
	}
}

// snapshot is what a user's answers tell, by id.
type snapshot struct {
	accounts, transactions, contracts, tags map[string]string
	balances                                map[string]map[string]string
}

// look reads a plain sandbox.
func look(c *client, id string) snapshot {
	s := snapshot{map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]map[string]string{}}
	var accounts struct{ Accounts []map[string]any }
	var bookings, contracts []map[string]any
	var tagged struct{ Categorization []map[string]any }
	var history struct {
		Histories []struct {
			AccountID string
			Balances  []struct {
				Date    string
				Balance json.Number
			}
		}
	}
	at := "/users/" + id
	c.read(at+"/banking/accounts", &accounts)
	c.read(at+"/banking/transactions", &bookings)
	c.read(at+"/contracts", &contracts)
	c.read(at+"/categorization", &tagged)
	c.read(at+"/account-history", &history)
	put := func(into map[string]string, list []map[string]any, key string) {
		for _, r := range list {
			into[as[string](r[key])] = fmt.Sprint(r)
		}
	}
	put(s.accounts, accounts.Accounts, "accountId")
	put(s.transactions, bookings, "transactionId")
	put(s.contracts, contracts, "contractId")
	put(s.tags, tagged.Categorization, "transactionId")
	for _, h := range history.Histories {
		s.balances[h.AccountID] = map[string]string{}
		for _, b := range h.Balances {
			s.balances[h.AccountID][b.Date] = b.Balance.String()
		}
	}
	return s
}

// changes counts what differs, by kind.
func (s snapshot) changes(now snapshot, seen map[string]int) {
	count := func(kind string, before, after map[string]string) {
		for k, v := range after {
			if was, known := before[k]; !known {
				seen[kind+" new"]++
			} else if was != v {
				seen[kind+" changed"]++
			}
		}
		for k := range before {
			if _, still := after[k]; !still {
				seen[kind+" gone"]++
			}
		}
	}
	count("account", s.accounts, now.accounts)
	count("transaction", s.transactions, now.transactions)
	count("contract", s.contracts, now.contracts)
	for id, was := range s.tags {
		if is, still := now.tags[id]; still && is != was {
			seen["tags changed"]++
		}
	}
	for account, days := range s.balances {
		for d, was := range days {
			if is, still := now.balances[account][d]; still && is != was {
				seen["balance corrected"]++
			} else if !still {
				seen["balance slid out"]++
			}
		}
	}
}

func TestNightsBringAllThatTheyPromise(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 18, Seed: 9, Plain: true, CategorizationPageSize: 10000, Nightly: Odds{Login: 0.02}})
	seen := map[string]int{}
	before := map[string]snapshot{}
	for i := range 18 {
		before[c.s.UserID(i)] = look(c, c.s.UserID(i))
	}
	users := c.s.Users()
	for range 12 {
		c.s.Night()
		for i := range users {
			id := c.s.UserID(i)
			switch a := c.s.Activity(id); {
			case a.Gone:
				delete(before, id)
			case a.Analysed && before[id].accounts != nil:
				now := look(c, id)
				before[id].changes(now, seen)
				before[id] = now
			case a.Login:
				seen["login changed"]++
			}
		}
	}
	for _, want := range []string{
		"account new", "account changed", "transaction new", "transaction changed", "transaction gone", "contract new", "contract changed",
		"contract gone", "tags changed", "balance corrected", "balance slid out", "login changed",
	} {
		if seen[want] == 0 {
			t.Errorf("%s: never in twelve nights; seen %v", want, seen)
		}
	}
}

func TestUsersComeAndGo(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 30, Seed: 2})
	came, went := 0, 0
	for range 6 {
		c.s.Night()
		for i := range 60 {
			id := c.s.UserID(i)
			a := c.s.Activity(id)
			status, _ := c.get("/users/" + id)
			switch {
			case a.Joined:
				came++
				if status != 200 {
					t.Errorf("a new user answers %d", status)
				}
			case a.Gone:
				went++
				if status != 404 {
					t.Errorf("a user who is gone answers %d", status)
				}
			}
		}
	}
	if came == 0 || went == 0 || c.s.Users() != 30+came-went {
		t.Errorf("%d came, %d went, %d are there", came, went, c.s.Users())
	}
}

func TestOldBookingsAreCorrectedOnlyWhenAskedTo(t *testing.T) {
	t.Parallel()
	corrected := func(o Options) (n int) {
		o.Users, o.Seed, o.Nightly = 8, 3, Odds{Analysed: 1, Gone: -1, Login: -1}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		old := func() map[any]any {
			purposes := map[any]any{}
			for row := range s.Truth("transactions") {
				if date, ok := row["booking_date"].(Date); ok && date < "2026-06-01" {
					purposes[row["transaction_id"]] = row["purpose"]
				}
			}
			return purposes
		}
		before := old()
		s.Night()
		for id, purpose := range old() {
			if was, known := before[id]; known && was != purpose {
				n++
			}
		}
		return n
	}
	if n := corrected(Options{}); n != 0 {
		t.Errorf("%d old bookings were corrected", n)
	}
	if corrected(Options{OldCorrections: 1}) == 0 {
		t.Error("no old booking was corrected")
	}
}
