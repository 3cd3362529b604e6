package sandbox

import (
	"strings"
	"time"
)

// tokenReadings are about what POST /auth answers.
func tokenReadings() []reading {
	return []reading{
		{"scope_names", "documented vendor missing list", "the vendor's sample token names other scopes than its table", "", func(r *Readings) *string { return &r.ScopeNames }},
		{"expires_in", "number decimal text missing", "servers print 300.0 or a text, or leave it out, which OAuth allows", "", func(r *Readings) *string { return &r.ExpiresIn }},
	}
}

// vendorScopes are those of the sample token in the vendor's document.
const vendorScopes = "credits webhooks companiesLogo bankingExternal banking contracts cockpit"

func (r Readings) writeScopes(w *wire, scopes []string) {
	switch r.ScopeNames {
	case "vendor":
		w.str("scope", vendorScopes)
	case "missing":
	case "list":
		w.strs("scope", scopes)
	default:
		w.str("scope", strings.Join(scopes, " "))
	}
}

func (r Readings) writeExpiry(w *wire) {
	switch r.ExpiresIn {
	case "decimal":
		w.raw("expires_in", "300.0")
	case "text":
		w.str("expires_in", "300")
	case "missing":
	default:
		w.number("expires_in", int64(tokenLife/time.Second))
	}
}
