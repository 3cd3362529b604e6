package config

import (
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

func maskingOf(t *testing.T, mask map[string]map[string]string) *table.Masking {
	t.Helper()
	m, err := (&Job{Mask: mask, MaskKey: finoos.Secret("0123456789abcdef")}).Masking()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAnIDThatIsHiddenInAllTablesIsHiddenWhereItIsReferredTo(t *testing.T) {
	t.Parallel()
	for column, want := range map[string]struct{ columns, members []string }{
		"user_id":        {[]string{"users.user_id", "users.duplicates", "contracts.user_id", "pulls.user_id"}, []string{"userid", "userids", "user.id", "users.id"}},
		"account_id":     {[]string{"accounts.account_id", "transactions.account_id", "categorization.account_id", "account_history.account_id"}, []string{"accountid", "accountids", "account.id"}},
		"transaction_id": {[]string{"transactions.transaction_id", "categorization.transaction_id", "contracts.transaction_ids"}, []string{"transactionid", "transactionids", "transactions.id"}},
		"contract_id":    {[]string{"contracts.contract_id"}, []string{"contractid", "contractids", "contracts.id"}},
		"bank_login_id":  {[]string{"bank_logins.bank_login_id", "accounts.bank_login_id", "sync_sessions.bank_login_id"}, []string{"bankloginid", "bankloginids", "banklogins.id"}},
		"tag":            {[]string{"categorization.tag", "transactions.tags", "contracts.tags"}, []string{"tags"}},
		"tags":           {[]string{"categorization.tag", "transactions.tags", "contracts.tags"}, nil},
	} {
		m := maskingOf(t, map[string]map[string]string{"all": {column: "hmac"}})
		for _, c := range want.columns {
			tab, name, _ := strings.Cut(c, ".")
			if m.Tables[tab].Columns[name] != table.MaskHMAC {
				t.Errorf("%s: %s is not hidden", column, c)
			}
		}
		for _, tab := range table.Tables() {
			for _, member := range want.members {
				if !slices.ContainsFunc(m.Tables[tab.Name].Fields, func(f table.MaskField) bool { return strings.Join(f.Path, ".") == member }) {
					t.Errorf("%s: %s is not hidden in the JSON of %s", column, member, tab.Name)
				}
			}
		}
	}
}

func TestEveryListOfIDsIsKnownAsAReference(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"users.user_scopes": true} // names, of what no table has
	for _, of := range references {
		for tab, column := range of.columns {
			known[tab+"."+column] = true
		}
	}
	for _, tab := range table.Tables() {
		for _, c := range tab.Columns {
			if c.Type == table.TypeStringList && !known[tab.Name+"."+c.Name] {
				t.Errorf("%s.%s is a list of texts: say what it refers to, or that it does not", tab.Name, c.Name)
			}
			id, isID := strings.CutSuffix(c.Name, "_id")
			if isID && c.Key && references[id+"_id"].members == nil {
				t.Errorf("%s.%s is an id of a key: say where it is referred to", tab.Name, c.Name)
			}
		}
	}
}

func TestWhatIsSaidOfOneTableGoesBeforeWhatIsSaidOfAll(t *testing.T) {
	t.Parallel()
	m := maskingOf(t, map[string]map[string]string{
		"all":       {"iban": "hmac", "transaction_id": "hmac", "tags": "drop"},
		"accounts":  {"iban": "drop"},
		"contracts": {"transaction_ids": "drop"},
	})
	if got := m.Tables["accounts"].Columns["iban"]; got != table.MaskDrop {
		t.Errorf("accounts.iban: %s", got)
	}
	if got := m.Tables["contracts"].Columns["transaction_ids"]; got != table.MaskDrop {
		t.Errorf("contracts.transaction_ids: %s", got)
	}
	if got := m.Tables["categorization"].Columns["tag"]; got != "" {
		t.Errorf("a tag of a key cannot be dropped: %s", got)
	}
}
