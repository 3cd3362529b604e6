package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// userReadings are about who is on the list of users.
func userReadings() []reading {
	return []reading{
		{"odd_users", "none no_id null_id long_id control_id object_id null_record text_record", "a list in which each page also holds something that is no user", "", func(r *Readings) *string { return &r.OddUsers }},
		{"user_ids", "uuid number reserved", "ids are opaque: numbers, or texts that must be escaped in a path", "", func(r *Readings) *string { return &r.UserIDs }},
		{"turnover", "none few all", "non-recurring users are deleted after 24 hours: a few new ones each night, or nobody but new ones", "", func(r *Readings) *string { return &r.Turnover }},
		{"user_scopes", "open enforced bare_403 hint", "userScopes leave contracts out for some users, who then answer 403, with the API's error body or a bare one; or it is only a hint", "", func(r *Readings) *string { return &r.UserScopes }},
	}
}

// few is how many users come for a day under turnover=few.
const few = 3

// writeOddity puts what is no user on a page.
func (r Readings) writeOddity(w *wire) {
	record := func(id string) {
		w.sep()
		w.b = append(w.b, `{"id":`+id+`,"name":"Niemand"}`...)
	}
	switch r.OddUsers {
	case "no_id":
		w.sep()
		w.b = append(w.b, `{"name":"Niemand"}`...)
	case "null_id":
		record("null")
	case "long_id":
		record(`"` + strings.Repeat("L", 1100) + `"`)
	case "control_id":
		record(`"\u001b[31mred\u0007\nlevel=ERROR"`)
	case "object_id":
		record(`{"value":"u"}`)
	case "null_record":
		w.sep()
		w.b = append(w.b, "null"...)
	case "text_record":
		w.sep()
		w.quote("Niemand")
	}
}

// numeric is the id of a user as a number; reserved has what a path must not.
func (u userIDs) shape(x uint64, uuid string) string {
	switch u.form {
	case "number":
		return strconv.FormatUint(x+1, 10)
	case "reserved":
		return uuid + "/ü?x=1#%2F +;&"
	default:
		return uuid
	}
}

// hidden is the number in an id of whatever shape.
func (u userIDs) hidden(id string) (uint64, bool) {
	if u.form == "number" {
		n, err := strconv.ParseUint(id, 10, 64)
		return n - 1, err == nil && n > 0 && n <= mask48+1
	}
	return 0, false
}

// turnOver lets the users of a day go, and tells how many come for the next.
func (s *Sandbox) turnOver(total int) int {
	if s.fixed {
		return 0
	}
	switch s.opts.Readings.Turnover {
	case "few":
		if s.nights > 1 {
			for i := total - few; i < total; i++ {
				s.leave(i)
			}
		}
		return few
	case "all":
		n := s.alive()
		for i := range total {
			s.leave(i)
		}
		return n
	default:
		return 0
	}
}

// withheldScope is what some users' userScopes leave out.
const withheldScope = "contracts"

// withhold rolls whether a user has not granted everything.
func (r Readings) withhold(u *customer, d dice) {
	if r.UserScopes != "" && d.on("withheld").chance(0.35) {
		u.withheld = true
		u.scopes = []string{"banking", "categorization"}
	}
}

// refusesScope answers what a user has not granted.
func (s *Sandbox) refusesScope(c *call) (answer, bool) {
	how := s.opts.Readings.UserScopes
	if how == "" || how == "hint" || c.op.scope != withheldScope || c.index < 0 || !s.world.user(c.index, s.start).withheld {
		return answer{}, false
	}
	if how == "bare_403" {
		return answer{status: http.StatusForbidden}, true
	}
	return failure(http.StatusForbidden, "forbidden", "the user has not granted the scope "+c.op.scope), true
}

// withholds tells whether nothing of a scope is ever answered for a user.
func (s *Sandbox) withholds(u *customer) bool {
	return u.withheld && slices.Contains([]string{"enforced", "bare_403"}, s.opts.Readings.UserScopes)
}

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
