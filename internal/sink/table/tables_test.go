package table

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// designTables is the design's page of tables: name, key, columns. Types that
// are not plain text follow a column's name.
var designTables = []struct{ name, key, columns string }{
	{"users", "user_id", "user_id, custom_user_id, name, type, tenant, created_at timestamp, duplicates list<string>, user_scopes list<string>, first_seen_at timestamp, last_seen_at timestamp"},
	{"sync_sessions", "user_id, bank_login_id, _extracted_at", "user_id, bank_login_id, outcome, http_status int32, error_type, message, session_id, redirect_url, requested_at timestamp, finished_at timestamp, analysis_correlation_id"},
	{"bank_logins", "user_id, bank_login_id", "user_id, bank_login_id, status, active bool, last_synchronization timestamp"},
	{"accounts", "user_id, account_id", "user_id, account_id, account_number, name, owner, type, iban, bic, bank_code, bank_name, currency, balance decimal(18,4), status, bank_login_id"},
	{"transactions", "user_id, account_id, transaction_id", "user_id, account_id, transaction_id, amount decimal(18,4), currency, booking_date date, value_date date, booking_text, purpose, merchant_category_code, partner_name, partner_iban, partner_bic, partner_creditor_id, partner_mandate_reference, tags list<string>"},
	{"categorization", "user_id, account_id, transaction_id, tag", "user_id, account_id, transaction_id, tag"},
	{"contracts", "user_id, contract_id", "user_id, contract_id, partner_id, partner_name, amount decimal(18,4), amount_consistency, interval, duration, category, tags list<string>, next_booking_date date, next_booking_from date, next_booking_to date, mandate_reference, is_active bool, transaction_ids list<string>, partner json, attributes json"},
	{"account_history", "user_id, account_id, currency, date", "user_id, account_id, currency, date date, balance decimal(18,4)"},
	{"pulls", "user_id, stream, _extracted_at", "user_id, stream, outcome, mode, previous_correlation_id, rows int64, deletes int64, requests int64, bytes int64, duration_ms int64, error_class, error, issues json"},
}

const designMeta = "_op, _pull, _correlation_id, _correlation_at timestamp, _extracted_at timestamp, _run_id, _extra json"

func TestTablesAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	tables := Tables()
	if len(tables) != len(designTables) {
		t.Fatalf("%d tables, want %d", len(tables), len(designTables))
	}
	for i, want := range designTables {
		got := tables[i]
		if got.Name != want.name {
			t.Errorf("table %d is %s, want %s", i, got.Name, want.name)
		}
		if ByName(want.name) != got {
			t.Errorf("TableByName(%q) is another table", want.name)
		}
		if diff := cmp.Diff(strings.Split(want.key, ", "), got.Key); diff != "" {
			t.Errorf("%s key (-want +got):\n%s", want.name, diff)
		}
		if diff := cmp.Diff(parseDesign(want.key, want.columns+", "+designMeta), describe(got)); diff != "" {
			t.Errorf("%s columns (-want +got):\n%s", want.name, diff)
		}
	}
	if got := ByName("user"); got != nil {
		t.Errorf("TableByName of an unknown table = %v", got)
	}
}

type described struct {
	Name, Type    string
	Key, Required bool
}

func describe(t *Table) []described {
	var out []described
	for _, c := range t.Columns {
		out = append(out, described{c.Name, c.Type.String(), c.Key, c.Required})
	}
	return out
}

func parseDesign(key, columns string) []described {
	keys := strings.Split(key, ", ")
	required := append([]string{"_op", "_extracted_at", "_run_id"}, keys...)
	var out []described
	for c := range strings.SplitSeq(columns, ", ") {
		name, typ, ok := strings.Cut(c, " ")
		if !ok {
			typ = "string"
		}
		out = append(out, described{name, typ, slices.Contains(keys, name), slices.Contains(required, name)})
	}
	return out
}
