package table

import (
	"errors"
	"io"
	"slices"
	"time"
)

// ErrRow says that a row cannot be written: it lacks a part of its key or of
// its Meta, or belongs to another table. Nothing of it was kept, and the file
// can be written on.
var ErrRow = errors.New("incomplete row")

// Schema is the version of the tables' columns and keys. It grows with any change
// that rows of before and after cannot be read together by; another column at the
// end of a table's own is none. The first had keys without the account of a booking
// and the currency of an account.
const Schema = 2

// Table is one table of the lake: what its Parquet files hold.
type Table struct {
	Name    string
	Key     []string
	Columns []Column

	open func(io.Writer, FileOptions) (tableRows, error)
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

// ByName returns the table of that name, nil if there is none.
func ByName(name string) *Table {
	for _, t := range Tables() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Of returns the table that a row belongs to.
func Of(r Row) *Table { return r.table() }

// newTable puts a table together from its key and its own columns; those that
// all tables end in follow.
func newTable[R any, P interface {
	*R
	Row
}](name string, key []string, own []tableField[R],
) *Table {
	meta := func(r *R) *Meta { return P(r).meta() }
	fields := append(own,
		text("_op", func(r *R) string { return string(meta(r).Op) }).required(),
		text("_pull", func(r *R) string { return string(meta(r).Pull) }),
		text("_correlation_id", func(r *R) string { return meta(r).CorrelationID }),
		instant("_correlation_at", func(r *R) time.Time { return meta(r).CorrelationAt }),
		instant("_extracted_at", func(r *R) time.Time { return meta(r).ExtractedAt }).required(),
		runID[R]("").required(),
		jsonText("_extra", func(r *R) string { return meta(r).Extra }),
	)
	t := &Table{Name: name, Key: key}
	erased := make([]bool, len(fields)) // null in a row that deletes
	for i, f := range fields {
		isKey := slices.Contains(key, f.Name)
		if isKey {
			fields[i] = f.required()
		}
		erased[i] = i < len(own) && !isKey && !f.lasting
		t.Columns = append(t.Columns, Column{Column: fields[i].Column, Key: isKey})
	}
	t.open = func(w io.Writer, o FileOptions) (tableRows, error) { return openRows[R, P](t, fields, erased, w, o) }
	return t
}

var usersTable = newTable("users", []string{"user_id"}, []tableField[User]{
	text("user_id", func(r *User) string { return r.UserID }).unique(),
	text("custom_user_id", func(r *User) string { return r.CustomUserID }).unique(),
	text("name", func(r *User) string { return r.Name }).unique(),
	text("type", func(r *User) string { return r.Type }),
	text("tenant", func(r *User) string { return r.Tenant }),
	instant("created_at", func(r *User) time.Time { return r.CreatedAt }),
	list("duplicates", func(r *User) []string { return r.Duplicates }),
	list("user_scopes", func(r *User) []string { return r.UserScopes }),
	instant("first_seen_at", func(r *User) time.Time { return r.FirstSeenAt }).kept(),
	instant("last_seen_at", func(r *User) time.Time { return r.LastSeenAt }).kept(),
})

var syncSessionsTable = newTable("sync_sessions", []string{"user_id", "bank_login_id", "_extracted_at"}, []tableField[SyncSession]{
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

var bankLoginsTable = newTable("bank_logins", []string{"user_id", "bank_login_id"}, []tableField[BankLogin]{
	text("user_id", func(r *BankLogin) string { return r.UserID }),
	text("bank_login_id", func(r *BankLogin) string { return r.BankLoginID }).unique(),
	text("status", func(r *BankLogin) string { return r.Status }),
	flag("active", func(r *BankLogin) Null[bool] { return r.Active }),
	instant("last_synchronization", func(r *BankLogin) time.Time { return r.LastSynchronization }),
})

var accountsTable = newTable("accounts", []string{"user_id", "account_id"}, []tableField[Account]{
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

var transactionsTable = newTable("transactions", []string{"user_id", "account_id", "transaction_id"}, []tableField[Transaction]{
	text("user_id", func(r *Transaction) string { return r.UserID }),
	text("account_id", func(r *Transaction) string { return r.AccountID }).maybeBlank(),
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

var categorizationTable = newTable("categorization", []string{"user_id", "account_id", "transaction_id", "tag"}, []tableField[Categorization]{
	text("user_id", func(r *Categorization) string { return r.UserID }),
	text("account_id", func(r *Categorization) string { return r.AccountID }).maybeBlank(),
	text("transaction_id", func(r *Categorization) string { return r.TransactionID }).unique(),
	text("tag", func(r *Categorization) string { return r.Tag }).maybeBlank(),
})

var contractsTable = newTable("contracts", []string{"user_id", "contract_id"}, []tableField[Contract]{
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
	list("transaction_ids", func(r *Contract) []string { return r.TransactionIDs }),
	jsonText("partner", func(r *Contract) string { return r.Partner }).repeated(),
	jsonText("attributes", func(r *Contract) string { return r.Attributes }).repeated(),
})

var accountHistoryTable = newTable("account_history", []string{"user_id", "account_id", "currency", "date"}, []tableField[AccountHistory]{
	text("user_id", func(r *AccountHistory) string { return r.UserID }),
	text("account_id", func(r *AccountHistory) string { return r.AccountID }),
	text("currency", func(r *AccountHistory) string { return r.Currency }).maybeBlank(),
	date("date", func(r *AccountHistory) Date { return r.Date }),
	money("balance", func(r *AccountHistory) Decimal { return r.Balance }),
})

// PullsName is the name of the table that says what the others mean: it is written
// last, and read first.
const PullsName = "pulls"

var pullsTable = newTable(PullsName, []string{"user_id", "stream", "_extracted_at"}, []tableField[Pull]{
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
	jsonText("issues", func(r *Pull) string { return r.Issues }).repeated(),
})
