package e2e

import "slices"

// column is one column of a table as DuckDB describes it.
type column struct{ Name, Type string }

// table is what a warehouse is promised about one folder of the lake.
type table struct {
	name    string
	key     []string
	columns []column
	// history tables record what happened and have no current state.
	history bool
	// json names the text columns that hold JSON, compared by meaning.
	json []string
}

// DuckDB's names of the types that the design allows. A list is always of text,
// money always decimal(18,4).
const (
	text    = "VARCHAR"
	texts   = "VARCHAR[]"
	money   = "DECIMAL(18,4)"
	day     = "DATE"
	instant = "TIMESTAMP WITH TIME ZONE"
	flag    = "BOOLEAN"
	int32s  = "INTEGER"
	int64s  = "BIGINT"
)

// metaColumns end every table.
var metaColumns = []column{
	{"_op", text},
	{"_pull", text},
	{"_correlation_id", text},
	{"_correlation_at", instant},
	{"_extracted_at", instant},
	{"_run_id", text},
	{"_extra", text},
}

// tables are written down from the design, not taken from the product.
var tables = []table{
	{name: "users", key: []string{"user_id"}, columns: []column{
		{"user_id", text},
		{"custom_user_id", text},
		{"name", text},
		{"type", text},
		{"tenant", text},
		{"created_at", instant},
		{"duplicates", texts},
		{"user_scopes", texts},
		{"first_seen_at", instant},
		{"last_seen_at", instant},
	}},
	{name: "sync_sessions", key: []string{"user_id", "bank_login_id", "_extracted_at"}, history: true, columns: []column{
		{"user_id", text},
		{"bank_login_id", text},
		{"outcome", text},
		{"http_status", int32s},
		{"error_type", text},
		{"message", text},
		{"session_id", text},
		{"redirect_url", text},
		{"requested_at", instant},
		{"finished_at", instant},
		{"analysis_correlation_id", text},
	}},
	{name: "bank_logins", key: []string{"user_id", "bank_login_id"}, columns: []column{
		{"user_id", text},
		{"bank_login_id", text},
		{"status", text},
		{"active", flag},
		{"last_synchronization", instant},
	}},
	{name: "accounts", key: []string{"user_id", "account_id"}, columns: []column{
		{"user_id", text},
		{"account_id", text},
		{"account_number", text},
		{"name", text},
		{"owner", text},
		{"type", text},
		{"iban", text},
		{"bic", text},
		{"bank_code", text},
		{"bank_name", text},
		{"currency", text},
		{"balance", money},
		{"status", text},
		{"bank_login_id", text},
	}},
	{name: "transactions", key: []string{"user_id", "account_id", "transaction_id"}, columns: []column{
		{"user_id", text},
		{"account_id", text},
		{"transaction_id", text},
		{"amount", money},
		{"currency", text},
		{"booking_date", day},
		{"value_date", day},
		{"booking_text", text},
		{"purpose", text},
		{"merchant_category_code", text},
		{"partner_name", text},
		{"partner_iban", text},
		{"partner_bic", text},
		{"partner_creditor_id", text},
		{"partner_mandate_reference", text},
		{"tags", texts},
	}},
	{name: "categorization", key: []string{"user_id", "account_id", "transaction_id", "tag"}, columns: []column{
		{"user_id", text}, {"account_id", text}, {"transaction_id", text}, {"tag", text},
	}},
	{
		name: "contracts", key: []string{"user_id", "contract_id"}, json: []string{"partner", "attributes"},
		columns: []column{
			{"user_id", text},
			{"contract_id", text},
			{"partner_id", text},
			{"partner_name", text},
			{"amount", money},
			{"amount_consistency", text},
			{"interval", text},
			{"duration", text},
			{"category", text},
			{"tags", texts},
			{"next_booking_date", day},
			{"next_booking_from", day},
			{"next_booking_to", day},
			{"mandate_reference", text},
			{"is_active", flag},
			{"transaction_ids", texts},
			{"partner", text},
			{"attributes", text},
		},
	},
	{name: "account_history", key: []string{"user_id", "account_id", "currency", "date"}, columns: []column{
		{"user_id", text}, {"account_id", text}, {"currency", text}, {"date", day}, {"balance", money},
	}},
	{name: "pulls", key: []string{"user_id", "stream", "_extracted_at"}, history: true, columns: []column{
		{"user_id", text},
		{"stream", text},
		{"outcome", text},
		{"mode", text},
		{"previous_correlation_id", text},
		{"rows", int64s},
		{"deletes", int64s},
		{"requests", int64s},
		{"bytes", int64s},
		{"duration_ms", int64s},
		{"error_class", text},
		{"error", text},
		{"issues", text},
	}},
}

// all are the table's columns with those that end every table.
func (tb table) all() []column {
	return slices.Concat(tb.columns, metaColumns)
}

// withExtra are the columns that describe a record.
func (tb table) withExtra() []column {
	return append(slices.Clone(tb.columns), column{"_extra", text})
}

func isTable(name string) bool {
	return slices.ContainsFunc(tables, func(tb table) bool { return tb.name == name })
}

func tableNamed(name string) table {
	for _, tb := range tables {
		if tb.name == name {
			return tb
		}
	}
	panic("no table " + name)
}
