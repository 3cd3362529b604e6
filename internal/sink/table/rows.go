package table

import "time"

// Op says what a row does to its key.
type Op string

// A row sets its key's values, or ends its key.
const (
	Upsert Op = "upsert"
	Delete Op = "delete"
)

// Mode says what kind of pull a row comes from; empty in the tables pulls and
// sync_sessions, whose rows are not pulled.
type Mode string

// A full pull replaces what was known, a diff and a backfill add to it.
const (
	Full     Mode = "full"
	Diff     Mode = "diff"
	Backfill Mode = "backfill"
)

// Row is one row of one table: a pointer to one of the structs of this
// package. In all of them an empty string, a zero time, a nil list and an
// invalid Decimal, Date or Null are null; an empty list that is not nil is
// empty. In the columns of a key nothing is null: an empty string is one there, where
// the key may have it, and else no row (ErrRow).
type Row interface {
	table() *Table
	meta() *Meta
}

// Meta is what the rows of all tables carry. The writer adds _run_id.
//
// A row whose Op is Delete carries its key and its Meta only, and of a user when
// it was seen: whatever else its struct holds is written as null.
type Meta struct {
	Op            Op
	Pull          Mode
	CorrelationID string
	CorrelationAt time.Time
	ExtractedAt   time.Time
	Extra         string // JSON object of the fields that no column holds
}

func (m *Meta) meta() *Meta { return m }

// User is a row of users.
type User struct {
	UserID       string
	CustomUserID string
	Name         string
	Type         string
	Tenant       string
	CreatedAt    time.Time
	Duplicates   []string
	UserScopes   []string
	FirstSeenAt  time.Time // also in a row that deletes, as is LastSeenAt
	LastSeenAt   time.Time
	Meta
}

// SyncSession is a row of sync_sessions: the outcome of asking for fresh data
// from one bank login.
type SyncSession struct {
	UserID                string
	BankLoginID           string
	Outcome               string
	HTTPStatus            Null[int32]
	ErrorType             string
	Message               string
	SessionID             string
	RedirectURL           string
	RequestedAt           time.Time
	FinishedAt            time.Time
	AnalysisCorrelationID string
	Meta
}

// BankLogin is a row of bank_logins.
type BankLogin struct {
	UserID              string
	BankLoginID         string
	Status              string
	Active              Null[bool]
	LastSynchronization time.Time
	Meta
}

// Account is a row of accounts.
type Account struct {
	UserID        string
	AccountID     string
	AccountNumber string
	Name          string
	Owner         string
	Type          string
	IBAN          string
	BIC           string
	BankCode      string
	BankName      string
	Currency      string
	Balance       Decimal
	Status        string
	BankLoginID   string
	Meta
}

// Transaction is a row of transactions.
type Transaction struct {
	UserID                  string
	AccountID               string
	TransactionID           string
	Amount                  Decimal
	Currency                string
	BookingDate             Date
	ValueDate               Date
	BookingText             string
	Purpose                 string
	MerchantCategoryCode    string
	PartnerName             string
	PartnerIBAN             string
	PartnerBIC              string
	PartnerCreditorID       string
	PartnerMandateReference string
	Tags                    []string
	Meta
}

// Categorization is a row of categorization: one tag of one transaction.
type Categorization struct {
	UserID        string
	AccountID     string
	TransactionID string
	Tag           string
	Meta
}

// Contract is a row of contracts.
type Contract struct {
	UserID            string
	ContractID        string
	PartnerID         string
	PartnerName       string
	Amount            Decimal
	AmountConsistency string
	Interval          string
	Duration          string
	Category          string
	Tags              []string
	NextBookingDate   Date
	NextBookingFrom   Date
	NextBookingTo     Date
	MandateReference  string
	IsActive          Null[bool]
	TransactionIDs    []string
	Partner           string // JSON
	Attributes        string // JSON
	Meta
}

// AccountHistory is a row of account_history: an account's balance at the end
// of one day, in one of its currencies.
type AccountHistory struct {
	UserID    string
	AccountID string
	Currency  string // "" where the account has none
	Date      Date
	Balance   Decimal
	Meta
}

// Pull is a row of pulls: what became of reading one stream of one user.
type Pull struct {
	UserID                string
	Stream                string
	Outcome               string
	Mode                  string // of the pull; Meta.Pull is null here
	PreviousCorrelationID string
	Rows                  int64
	Deletes               int64
	Requests              int64
	Bytes                 int64
	DurationMS            int64
	ErrorClass            string
	Error                 string
	Issues                string // JSON object of counts
	Meta
}

func (*User) table() *Table           { return usersTable }
func (*SyncSession) table() *Table    { return syncSessionsTable }
func (*BankLogin) table() *Table      { return bankLoginsTable }
func (*Account) table() *Table        { return accountsTable }
func (*Transaction) table() *Table    { return transactionsTable }
func (*Categorization) table() *Table { return categorizationTable }
func (*Contract) table() *Table       { return contractsTable }
func (*AccountHistory) table() *Table { return accountHistoryTable }
func (*Pull) table() *Table           { return pullsTable }
