package sink

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrRow says that a row cannot be written: it lacks a part of its key or of
// its Meta, or belongs to another table. Nothing of it was kept, and the file
// can be written on.
var ErrRow = errors.New("incomplete row")

// Table is one table of the lake: what its Parquet files hold.
type Table struct {
	Name    string
	Key     []string
	Columns []Column

	open func(*binding) rowBuffers
}

// rowBuffers takes the rows of one table apart into columns.
type rowBuffers struct {
	columns []buffer
	check   func(Row) error
	add     func([]Row) // checked ones
}

// Tables returns all tables, in the order of the design. The slice is the
// caller's.
func Tables() []*Table {
	return []*Table{
		usersTable, syncSessionsTable, bankLoginsTable, accountsTable,
		transactionsTable, categorizationTable, contractsTable,
		accountHistoryTable, pullsTable,
	}
}

// TableByName returns the table of that name, nil if there is none.
func TableByName(name string) *Table {
	for _, t := range Tables() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// tableOf returns the table that a row belongs to.
func tableOf(r Row) *Table { return r.table() }

// newTable puts a table together from its key and its own columns; those that
// all tables end in follow.
func newTable[R any, P interface {
	*R
	Row
}](name string, key []string, own []field[R],
) *Table {
	meta := func(r *R) *Meta { return P(r).meta() }
	fields := append(own,
		text("_op", func(r *R) string { return string(meta(r).Op) }).required(),
		text("_pull", func(r *R) string { return string(meta(r).Pull) }),
		text("_correlation_id", func(r *R) string { return meta(r).CorrelationID }),
		instant("_correlation_at", func(r *R) time.Time { return meta(r).CorrelationAt }),
		instant("_extracted_at", func(r *R) time.Time { return meta(r).ExtractedAt }).required(),
		runID[R]("_run_id").required(),
		jsonText("_extra", func(r *R) string { return meta(r).Extra }),
	)
	t := &Table{Name: name, Key: key}
	for i, f := range fields {
		if slices.Contains(key, f.Name) {
			f.Key, f.Required = true, true
		}
		fields[i] = f
		t.Columns = append(t.Columns, f.Column)
	}
	t.open = func(file *binding) rowBuffers { return openColumns[R, P](t, fields, len(own), file) }
	return t
}

// openColumns makes the buffers of one file of a table, of whose fields the
// first own ones are its own.
func openColumns[R any, P interface {
	*R
	Row
}](t *Table, fields []field[R], own int, file *binding,
) rowBuffers {
	b := bindFields(fields, file)
	erased := make([]bool, len(fields)) // null in a row that deletes
	var required []field[R]
	var typed []*R // rows at hand
	for i, f := range fields {
		erased[i] = i < own && !f.Key
		if f.Required {
			required = append(required, f)
		}
	}
	return rowBuffers{
		columns: b.columns,
		check: func(row Row) error {
			r, ok := row.(P)
			if !ok {
				return fmt.Errorf("%w: %T does not belong to table %s", ErrRow, row, t.Name)
			}
			return checkRow(t.Name, required, r, r.meta())
		},
		add: func(rows []Row) {
			for len(rows) > 0 {
				typed = typed[:0]
				op := rows[0].meta().Op
				for _, row := range rows {
					if r, ok := row.(P); ok && row.meta().Op == op {
						typed = append(typed, r)
						continue
					}
					break
				}
				rows = rows[len(typed):]
				for i, put := range b.puts {
					if op == Delete && erased[i] {
						put = nulls[R](b.columns[i])
					}
					put(typed)
				}
			}
		},
	}
}

// checkRow reports what the writer cannot store truthfully.
func checkRow[R any](table string, required []field[R], r *R, m *Meta) error {
	if m.Op != Upsert && m.Op != Delete {
		return fmt.Errorf("%w: %s: op %q", ErrRow, table, m.Op)
	}
	for i := range required {
		if f := &required[i]; f.isNull(r) {
			return fmt.Errorf("%w: %s: no %s", ErrRow, table, f.Name)
		}
	}
	return nil
}

var usersTable = newTable("users", []string{"user_id"}, []field[User]{
	text("user_id", func(r *User) string { return r.UserID }).unique(),
	text("custom_user_id", func(r *User) string { return r.CustomUserID }).unique(),
	text("name", func(r *User) string { return r.Name }).unique(),
	text("type", func(r *User) string { return r.Type }),
	text("tenant", func(r *User) string { return r.Tenant }),
	instant("created_at", func(r *User) time.Time { return r.CreatedAt }),
	list("duplicates", func(r *User) []string { return r.Duplicates }),
	list("user_scopes", func(r *User) []string { return r.UserScopes }),
})

var syncSessionsTable = newTable("sync_sessions", []string{"user_id", "bank_login_id", "_extracted_at"}, []field[SyncSession]{
	text("user_id", func(r *SyncSession) string { return r.UserID }),
	text("bank_login_id", func(r *SyncSession) string { return r.BankLoginID }),
	text("outcome", func(r *SyncSession) string { return r.Outcome }),
	small("http_status", func(r *SyncSession) Null[int32] { return r.HTTPStatus }),
	text("error_type", func(r *SyncSession) string { return r.ErrorType }),
	text("message", func(r *SyncSession) string { return r.Message }),
	text("session_id", func(r *SyncSession) string { return r.SessionID }).unique(),
	text("redirect_url", func(r *SyncSession) string { return r.RedirectURL }).unique(),
	instant("requested_at", func(r *SyncSession) time.Time { return r.RequestedAt }),
	instant("finished_at", func(r *SyncSession) time.Time { return r.FinishedAt }),
	text("analysis_correlation_id", func(r *SyncSession) string { return r.AnalysisCorrelationID }).unique(),
})

var bankLoginsTable = newTable("bank_logins", []string{"user_id", "bank_login_id"}, []field[BankLogin]{
	text("user_id", func(r *BankLogin) string { return r.UserID }),
	text("bank_login_id", func(r *BankLogin) string { return r.BankLoginID }).unique(),
	text("status", func(r *BankLogin) string { return r.Status }),
	flag("active", func(r *BankLogin) Null[bool] { return r.Active }),
	instant("last_synchronization", func(r *BankLogin) time.Time { return r.LastSynchronization }),
})

var accountsTable = newTable("accounts", []string{"user_id", "account_id"}, []field[Account]{
	text("user_id", func(r *Account) string { return r.UserID }),
	text("account_id", func(r *Account) string { return r.AccountID }).unique(),
	text("account_number", func(r *Account) string { return r.AccountNumber }).unique(),
	text("name", func(r *Account) string { return r.Name }),
	text("owner", func(r *Account) string { return r.Owner }),
	text("type", func(r *Account) string { return r.Type }),
	text("iban", func(r *Account) string { return r.IBAN }).unique(),
	text("bic", func(r *Account) string { return r.BIC }),
	text("bank_code", func(r *Account) string { return r.BankCode }),
	text("bank_name", func(r *Account) string { return r.BankName }),
	text("currency", func(r *Account) string { return r.Currency }),
	money("balance", func(r *Account) Decimal { return r.Balance }),
	text("status", func(r *Account) string { return r.Status }),
	text("bank_login_id", func(r *Account) string { return r.BankLoginID }),
})

var transactionsTable = newTable("transactions", []string{"user_id", "transaction_id"}, []field[Transaction]{
	text("user_id", func(r *Transaction) string { return r.UserID }),
	text("account_id", func(r *Transaction) string { return r.AccountID }),
	text("transaction_id", func(r *Transaction) string { return r.TransactionID }).unique(),
	money("amount", func(r *Transaction) Decimal { return r.Amount }),
	text("currency", func(r *Transaction) string { return r.Currency }),
	date("booking_date", func(r *Transaction) Date { return r.BookingDate }),
	date("value_date", func(r *Transaction) Date { return r.ValueDate }),
	text("booking_text", func(r *Transaction) string { return r.BookingText }),
	text("purpose", func(r *Transaction) string { return r.Purpose }).unique(),
	text("merchant_category_code", func(r *Transaction) string { return r.MerchantCategoryCode }),
	text("partner_name", func(r *Transaction) string { return r.PartnerName }),
	text("partner_iban", func(r *Transaction) string { return r.PartnerIBAN }),
	text("partner_bic", func(r *Transaction) string { return r.PartnerBIC }),
	text("partner_creditor_id", func(r *Transaction) string { return r.PartnerCreditorID }),
	text("partner_mandate_reference", func(r *Transaction) string { return r.PartnerMandateReference }),
	list("tags", func(r *Transaction) []string { return r.Tags }),
})

var categorizationTable = newTable("categorization", []string{"user_id", "transaction_id", "tag"}, []field[Categorization]{
	text("user_id", func(r *Categorization) string { return r.UserID }),
	text("account_id", func(r *Categorization) string { return r.AccountID }),
	text("transaction_id", func(r *Categorization) string { return r.TransactionID }).unique(),
	text("tag", func(r *Categorization) string { return r.Tag }),
})

var contractsTable = newTable("contracts", []string{"user_id", "contract_id"}, []field[Contract]{
	text("user_id", func(r *Contract) string { return r.UserID }),
	text("contract_id", func(r *Contract) string { return r.ContractID }).unique(),
	text("partner_id", func(r *Contract) string { return r.PartnerID }),
	text("partner_name", func(r *Contract) string { return r.PartnerName }),
	money("amount", func(r *Contract) Decimal { return r.Amount }),
	text("amount_consistency", func(r *Contract) string { return r.AmountConsistency }),
	text("interval", func(r *Contract) string { return r.Interval }),
	text("duration", func(r *Contract) string { return r.Duration }),
	text("category", func(r *Contract) string { return r.Category }),
	list("tags", func(r *Contract) []string { return r.Tags }),
	date("next_booking_date", func(r *Contract) Date { return r.NextBookingDate }),
	date("next_booking_from", func(r *Contract) Date { return r.NextBookingFrom }),
	date("next_booking_to", func(r *Contract) Date { return r.NextBookingTo }),
	text("mandate_reference", func(r *Contract) string { return r.MandateReference }),
	flag("is_active", func(r *Contract) Null[bool] { return r.IsActive }),
	list("transaction_ids", func(r *Contract) []string { return r.TransactionIDs }).unique(),
	jsonText("partner", func(r *Contract) string { return r.Partner }).repeated(),
	jsonText("attributes", func(r *Contract) string { return r.Attributes }).repeated(),
})

var accountHistoryTable = newTable("account_history", []string{"user_id", "account_id", "date"}, []field[AccountHistory]{
	text("user_id", func(r *AccountHistory) string { return r.UserID }),
	text("account_id", func(r *AccountHistory) string { return r.AccountID }),
	date("date", func(r *AccountHistory) Date { return r.Date }),
	money("balance", func(r *AccountHistory) Decimal { return r.Balance }),
	text("currency", func(r *AccountHistory) string { return r.Currency }),
})

var pullsTable = newTable("pulls", []string{"user_id", "stream", "_extracted_at"}, []field[Pull]{
	text("user_id", func(r *Pull) string { return r.UserID }),
	text("stream", func(r *Pull) string { return r.Stream }),
	text("outcome", func(r *Pull) string { return r.Outcome }),
	text("mode", func(r *Pull) string { return r.Mode }),
	text("previous_correlation_id", func(r *Pull) string { return r.PreviousCorrelationID }),
	count("rows", func(r *Pull) int64 { return r.Rows }),
	count("deletes", func(r *Pull) int64 { return r.Deletes }),
	count("requests", func(r *Pull) int64 { return r.Requests }),
	count("bytes", func(r *Pull) int64 { return r.Bytes }),
	count("duration_ms", func(r *Pull) int64 { return r.DurationMS }),
	text("error_class", func(r *Pull) string { return r.ErrorClass }),
	text("error", func(r *Pull) string { return r.Error }),
})
