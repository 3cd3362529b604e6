package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// berkaDir is where the tables lie beside a checkout. They are not part of
// the repository.
func berkaDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../../shared/data/berka")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "transaction.csv.gz")); err != nil {
		t.Skipf("the Berka tables are not there: %v", err)
	}
	return dir
}

func TestAReaderReachesTheTruthOfRealAccounts(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Data: berkaDir(t), Users: 15, Seed: 1, HoldBack: 3})
	r := newReader(c)
	stirred := 0
	for night := range 5 {
		r.pull()
		r.compare()
		if t.Failed() {
			t.Fatalf("night %d", night)
		}
		c.s.Night()
		for i := range c.s.Users() {
			if c.s.Activity(c.s.UserID(i)).Analysed {
				stirred++
			}
		}
	}
	if stirred == 0 {
		t.Error("nobody stirred")
	}
}

func TestRealAccountsAreServedAsTheyAre(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Data: berkaDir(t), Plain: true, HoldBack: 2, CategorizationPageSize: 100000})
	if n := c.s.Users(); n < 1583 || n > 2*1583 {
		t.Errorf("%d clients have accounts with transactions", n)
	}
	if got := c.s.Now().Format("2006-01-02"); got != "1998-12-29" {
		t.Errorf("it is %s", got)
	}
	for range 2 {
		c.s.Night()
	}
	seen := map[string]int{}
	for i := range c.s.Users() {
		id := c.s.UserID(i)
		if c.s.Activity(id).Analysed {
			seen["stirred on the last day"]++
		}
		for u := range c.s.TruthUser("users", id) {
			if u["custom_user_id"] != "client-2" {
				continue
			}
			for a := range c.s.TruthUser("accounts", id) {
				seen[fmt.Sprint("account ", a["account_number"], " ", a["currency"])]++
			}
			for b := range c.s.TruthUser("transactions", id) {
				if b["transaction_id"] == "trans-279" {
					seen[fmt.Sprint("booking ", b["booking_date"], " ", b["amount"])]++
				}
			}
			for h := range c.s.TruthUser("account_history", id) {
				seen[fmt.Sprint("balance ", h["date"], " ", h["balance"])]++
			}
			for k := range c.s.TruthUser("contracts", id) {
				seen[fmt.Sprint("order ", k["contract_id"], " ", k["interval"])]++
			}
		}
	}
	for _, want := range []string{
		"account 2 CZK", "booking 1993-03-12 20236.0000", "balance 1998-12-29 30926.9000", "order order-29402 MONTHLY", "stirred on the last day",
	} {
		if seen[want] == 0 {
			t.Errorf("no %q among %v", want, seen)
		}
	}
	c.s.Night()
	for i := range c.s.Users() {
		if c.s.Activity(c.s.UserID(i)) != (Activity{}) {
			t.Fatal("somebody stirs after the end of the data")
		}
	}
}

func TestMissingTablesAreNamed(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nowhere")} {
		if _, err := New(Options{Data: dir}); err == nil {
			t.Errorf("%s passes", dir)
		} else {
			t.Log(err)
		}
	}
}
