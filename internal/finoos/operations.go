package finoos

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"finoos-syncer/internal/human"
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
	opCategorized    = "categorization_transactions"
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
	{opCategorized, http.MethodGet, "/users/{user-id}/categorization/transactions", "categorization", Confirmed},
	{opContracts, http.MethodGet, "/users/{user-id}/contracts", "contracts", Likely},
	{opAccountHistory, http.MethodGet, "/users/{user-id}/account-history", "account-history", Likely},
}

// Operations returns a copy of the table of operations, with the default paths.
func Operations() []Operation { return slices.Clone(operations) }

// withPaths returns the table by name, with the paths of overrides.
func withPaths(overrides map[string]string) (map[string]*Operation, error) {
	byName := make(map[string]*Operation, len(operations))
	for _, op := range Operations() {
		byName[op.Name] = &op
	}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		op := byName[name]
		if op == nil {
			return nil, fmt.Errorf("paths: no operation is named %q%s", name, human.Meant(name, slices.Sorted(maps.Keys(byName))))
		}
		if err := checkPath(op.Path, overrides[name]); err != nil {
			return nil, fmt.Errorf("paths: %s: %w", name, err)
		}
		op.Path = overrides[name]
	}
	return byName, nil
}

// checkPath checks that path can take the place of standard.
func checkPath(standard, path string) error {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?# ") {
		return fmt.Errorf("%q must begin with / and be a path alone", path)
	}
	rest := path
	for _, placeholder := range []string{userPlaceholder, servicePlaceholder} {
		want, got := strings.Contains(standard, placeholder), strings.Count(path, placeholder)
		switch {
		case want && got != 1:
			return fmt.Errorf("%q must hold %s once", path, placeholder)
		case !want && got > 0:
			return fmt.Errorf("%q must not hold %s", path, placeholder)
		}
		rest = strings.ReplaceAll(rest, placeholder, "")
	}
	if strings.ContainsAny(rest, "{}") {
		return fmt.Errorf("%q holds an unknown placeholder", path)
	}
	return nil
}
