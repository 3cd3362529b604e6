package pull

import (
	"encoding/json"
	"maps"
	"testing"

	"finoos-syncer/internal/finoos"
)

func TestEveryRecordsOdditiesAreCounted(t *testing.T) {
	t.Parallel()
	odd := finoos.Record{Unreadable: 2, Replaced: 3}
	for name, tc := range map[string]struct {
		rec  any
		want Issues
	}{
		"a transaction":          {&finoos.Transaction{Amount: "0.30000000000000004", Record: odd}, Issues{Rounded: 1, Unreadable: 2, Replaced: 3}},
		"a contract":             {&finoos.Contract{Amount: "1e-5", Record: odd}, Issues{Inexact: 1, Unreadable: 2, Replaced: 3}},
		"an account":             {&finoos.Account{Balance: "123456789012345.00", Record: odd}, Issues{Inexact: 1, Unreadable: 2, Replaced: 3}},
		"a login":                {&finoos.BankLogin{Record: odd}, Issues{Unreadable: 2, Replaced: 3}},
		"a user":                 {&finoos.User{Record: odd}, Issues{Unreadable: 2, Replaced: 3}},
		"tags":                   {&finoos.Categorization{Record: odd}, Issues{Unreadable: 2, Replaced: 3}},
		"balances":               {&finoos.AccountHistory{Record: odd, Balances: []finoos.Balance{{Balance: "1.00001"}, {Unreadable: 1, Replaced: 1}, {Balance: "1.0000001"}}}, Issues{Inexact: 1, Rounded: 1, Unreadable: 3, Replaced: 4}},
		"an amount as they are":  {&finoos.Account{Balance: "-999999999.99"}, Issues{}},
		"an amount in integers":  {&finoos.Account{Balance: "7"}, Issues{}},
		"an amount of a decimal": {&finoos.Account{Balance: "12.5"}, Issues{}},
		"no amount":              {&finoos.Account{}, Issues{}},
	} {
		var res Result
		if res.note(tc.rec); res.Issues != tc.want {
			t.Errorf("%s: %+v, want %+v", name, res.Issues, tc.want)
		}
	}
}

func TestIssuesAreAnObjectOfWhatThereIsInOneOrder(t *testing.T) {
	t.Parallel()
	all := Issues{1, 2, 3, 4, 5, 6, 7, 8}
	const want = `{"inexact":1,"rounded":2,"unreadable":3,"replaced":4,"repeated":5,"no_account":6,"no_currency":7,"null_list":8}`
	if got := all.JSON(); got != want {
		t.Errorf("got %s", got)
	}
	told := map[string]int64{}
	if err := json.Unmarshal([]byte(want), &told); err != nil || !maps.Equal(told, maps.Collect(all.Each)) {
		t.Errorf("%v: each is %v", err, maps.Collect(all.Each))
	}
	if got := (&Issues{}).JSON(); got != "" {
		t.Errorf("none are %s", got)
	}
	if got := (&Issues{Rounded: 2}).JSON(); got != `{"rounded":2}` {
		t.Errorf("got %s", got)
	}
}
