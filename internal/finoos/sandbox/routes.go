package sandbox

import (
	"net/http"
	"strings"
)

// operation is one route.
type operation struct {
	name, method, pattern string
	scope                 string
	answer                func(*Sandbox, *call) answer
}

const (
	unknownRoute    = "unknown"
	joinedOperation = "categorization_transactions"
)

var allScopes = []string{
	"banking", "banking-fetch", "banking-connect", "banking-upload", "categorization",
	"account-detection", "account-history", "contracts", "cockpits", "webhooks",
}

// operations is every route there is. The document has lost its paths: these
// are the ones that this project reads into it.
func operations() []operation {
	const user = "/users/{user}"
	ops := []operation{
		{"auth", http.MethodPost, "/auth", "", (*Sandbox).authenticate},
		{"users", http.MethodGet, "/users", "", (*Sandbox).listUsers},
		{"user", http.MethodGet, user, "", (*Sandbox).getUser},
		{"accounts", http.MethodGet, user + "/banking/accounts", "banking", (*Sandbox).getAccounts},
		{"transactions", http.MethodGet, user + "/banking/transactions", "banking", (*Sandbox).getTransactions},
		{"logins", http.MethodGet, user + "/banking/logins", "banking", (*Sandbox).getLogins},
		{"synchronize", http.MethodPost, user + "/banking/sync", "banking", (*Sandbox).synchronize},
		{"categorization", http.MethodGet, user + "/categorization", "categorization", (*Sandbox).getCategorization},
		{joinedOperation, http.MethodGet, user + "/categorization/transactions", "categorization", (*Sandbox).getCategorized},
		{"contracts", http.MethodGet, user + "/contracts", "contracts", (*Sandbox).getContracts},
		{"account_history", http.MethodGet, user + "/account-history", "account-history", (*Sandbox).getHistory},
		{"account_detection", http.MethodGet, user + "/account-detection", "account-detection", (*Sandbox).getDetection},
	}
	for svc, name := range serviceNames {
		ops = append(ops, operation{"correlation", http.MethodGet, user + "/" + name + "/correlation", name, service(svc).correlation})
	}
	return ops
}

// Route is one operation that the sandbox serves.
type Route struct {
	Operation, Method, Pattern string
}

// Routes lists what the sandbox serves. Patterns are spelled as the document
// spells paths, with {user-id}; each service's correlation has its own.
func (s *Sandbox) Routes() []Route {
	out := make([]Route, len(s.all))
	for i, op := range s.all {
		out[i] = Route{op.name, op.method, strings.Replace(op.pattern, "{user}", "{user-id}", 1)}
	}
	return out
}

func (s *Sandbox) route() {
	s.all = operations()
	s.mux = http.NewServeMux()
	for _, op := range s.all {
		s.mux.HandleFunc(op.method+" "+op.pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, op) })
	}
	if s.opts.Readings.Outage == "login" || s.opts.Readings.BadUser == "login" {
		s.mux.HandleFunc("GET "+loginPage, showLogin)
	}
	lost := operation{name: unknownRoute, answer: (*Sandbox).lost}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, lost) })
}

// ServeHTTP answers one API request. The vendor's base URLs end in /api: it
// may be there or not.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		http.StripPrefix("/api", s.mux).ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// lost answers a route that does not exist. It is loud, since a client that
// takes it for a user who is gone would be wrong.
func (s *Sandbox) lost(c *call) answer {
	s.log.ErrorContext(c.r.Context(), "unknown route", "method", c.r.Method, "path", c.r.URL.Path)
	return failure(http.StatusNotFound, "unknown_route", "the sandbox has no "+c.r.Method+" "+c.r.URL.Path)
}
