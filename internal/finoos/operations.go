package finoos

import (
	"net/http"
	"slices"
)

// Sureness says where a line of the operations table comes from.
type Sureness string

// The degrees of sureness.
const (
	Confirmed Sureness = "C" // stated by the vendor
	Likely    Sureness = "L" // inferred
	Guessed   Sureness = "G" // our reading, where nothing is said
)

// Operation is one call of the API. Path is a template below the base URL with
// the placeholders {user-id} and {service}; it is what errors and logs show.
type Operation struct {
	Name   string
	Method string
	Path   string
	Scope  string // "" = none is documented; "{service}" = that of the service asked
	Sure   Sureness
}

// The operations' names, as used in Config.Paths and Stats.ByOperation.
const (
	opAuth           = "auth"
	opUsers          = "users"
	opUser           = "user"
	opAccounts       = "accounts"
	opTransactions   = "transactions"
	opLogins         = "logins"
	opSynchronize    = "synchronize"
	opCorrelation    = "correlation"
	opCategorization = "categorization"
	opContracts      = "contracts"
	opAccountHistory = "account_history"
)

const (
	userPlaceholder    = "{user-id}"
	servicePlaceholder = "{service}"
)

// operations is the one table of what is called where. Everything that is not
// Confirmed can be overridden from jobs.yaml (finoos.paths).
var operations = []Operation{
	{opAuth, http.MethodPost, "/auth", "", Confirmed},
	{opUsers, http.MethodGet, "/users", "", Likely},
	{opUser, http.MethodGet, "/users/{user-id}", "", Likely},
	{opAccounts, http.MethodGet, "/users/{user-id}/banking/accounts", "banking", Likely},
	{opTransactions, http.MethodGet, "/users/{user-id}/banking/transactions", "banking", Likely},
	{opLogins, http.MethodGet, "/users/{user-id}/banking/logins", "banking", Guessed},
	{opSynchronize, http.MethodPost, "/users/{user-id}/banking/sync", "banking", Likely},
	{opCorrelation, http.MethodGet, "/users/{user-id}/{service}/correlation", servicePlaceholder, Likely},
	{opCategorization, http.MethodGet, "/users/{user-id}/categorization", "categorization", Likely},
	{opContracts, http.MethodGet, "/users/{user-id}/contracts", "contracts", Likely},
	{opAccountHistory, http.MethodGet, "/users/{user-id}/account-history", "account-history", Likely},
}

// Operations returns a copy of the table of operations, with the default paths.
func Operations() []Operation { return slices.Clone(operations) }
