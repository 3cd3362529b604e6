package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// outageReadings are about trouble that is not random: a service, everything,
// or one user, for a night or for good. Truth does not know of it.
func outageReadings() []reading {
	const troubles = "none 500 503 slow cut html waf login empty_object null nothing error_in_200 202 206 400 401 403 404"
	return []reading{
		{"outage", troubles, "what stands in front of an API answers in its place: a maintenance page, a firewall, a login page, an error that says 200", "", func(r *Readings) *string { return &r.Outage }},
		{"outage_of", "contracts categorization account_history banking services users everything", "one service is down, all of them, the list of users, or everything", "outage=500", func(r *Readings) *string { return &r.OutageOf }},
		{"outage_part", "both correlation data", "a service's correlation may be answered while its data is not, and the other way round", "outage=404", func(r *Readings) *string { return &r.OutagePart }},
		{"bad_night", "second first third every", "in which night outage and list strike", "outage=500", func(r *Readings) *string { return &r.BadNight }},
		{"bad_user", troubles + " 429 429_hour", "the path of a user answers so always: a broken record, a bank's daily limit", "", func(r *Readings) *string { return &r.BadUser }},
		{"bad_user_of", "transactions accounts categorization contracts account_history user all", "what that user is refused", "bad_user=500", func(r *Readings) *string { return &r.BadUserOf }},
		{"bad_users", "one tenth", "how many users are bad", "bad_user=500,bad_user_of=accounts", func(r *Readings) *string { return &r.BadUsers }},
		{"retry_after", "given huge overflow negative fraction past words empty", "gateways write a Retry-After that is none", "bad_user=429", func(r *Readings) *string { return &r.RetryAfter }},
		{"not_ready", "none 202 206", "data is not ready, or only half of it, when it is asked for first after an analysis", "", func(r *Readings) *string { return &r.NotReady }},
		{"sync_answer", "given 202 303 408 500 502 503 504 page reset cut", "a synchronisation that the bank carries out is not answered as such: a gateway gives up, the connection breaks", "", func(r *Readings) *string { return &r.SyncAnswer }},
	}
}

// badNight tells whether tonight is the one. The caller holds s.mu.
func (s *Sandbox) badNight() bool {
	switch s.opts.Readings.BadNight {
	case "first":
		return s.nights == 0
	case "third":
		return s.nights == 2
	case "every":
		return true
	default:
		return s.nights == 1
	}
}

// trouble is what a request meets: "" for none.
func (s *Sandbox) trouble(c *call) string {
	r := s.opts.Readings
	if c.r.Method != http.MethodGet || c.op.name == unknownRoute {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Outage != "" && s.badNight() && r.down(c.op) {
		return r.Outage
	}
	if r.BadUser != "" && c.index >= 0 && s.bad(c.index) && r.refused(c.op) {
		return r.BadUser
	}
	return ""
}

// down tells whether an operation belongs to what the outage is of.
func (r Readings) down(op operation) bool {
	if part := r.OutagePart; part != "" && op.scope != "" && (part == "correlation") != (op.name == "correlation") {
		return false
	}
	switch r.OutageOf {
	case "":
		return op.scope == "contracts"
	case "everything":
		return true
	case "services":
		return op.scope != ""
	case "users":
		return op.name == "users"
	case "account_history":
		return op.scope == "account-history"
	default:
		return op.scope == r.OutageOf
	}
}

func (r Readings) refused(op operation) bool {
	switch r.BadUserOf {
	case "":
		return op.name == "transactions"
	case "all":
		return true
	default:
		return op.name == r.BadUserOf
	}
}

// bad tells whether a user is one of those whose paths do not work.
func (s *Sandbox) bad(index int) bool {
	if index == s.seed.on("bad user").below(s.joined[0]) {
		return true
	}
	return s.opts.Readings.BadUsers == "tenth" && s.seed.on("bad users", index).chance(0.1)
}

// strange answers in place of the operation; false where it is asked after
// all, though what it says may be spoilt.
func (s *Sandbox) strange(c *call) (answer, bool) {
	kind := s.trouble(c)
	if status, err := strconv.Atoi(kind); err == nil && status >= http.StatusBadRequest {
		return refusalOf(status), true
	}
	page := func(status int) (answer, bool) {
		a := answer{status: status, body: []byte("<!DOCTYPE html><html><body><h1>Wartung</h1></body></html>\n")}
		return a.with("Content-Type", "text/html; charset=utf-8"), true
	}
	switch kind {
	case "slow":
		if !pause(c.r.Context(), slow) {
			panic(http.ErrAbortHandler)
		}
	case "cut":
		c.spoil = truncated
	case "html":
		return page(http.StatusOK)
	case "waf":
		return page(http.StatusForbidden)
	case "login":
		a, _ := page(http.StatusFound)
		return a.with("Location", loginPage), true
	case "empty_object":
		return ok([]byte("{}")), true
	case "null":
		return ok([]byte("null")), true
	case "nothing":
		return answer{status: http.StatusOK}, true
	case "error_in_200":
		a := failure(http.StatusOK, "internal", "try again later")
		return a, true
	case "202":
		return answer{status: http.StatusAccepted}, true
	case "429_hour":
		return refusalOf(http.StatusTooManyRequests).with("Retry-After", "3600"), true
	}
	return answer{}, false
}

// slow is longer than any client should wait for the first byte.
const slow = 90 * time.Second

// loginPage is where a proxy sends those who are not logged in.
const loginPage = "/login"

// showLogin answers GET /login, which is no route of the API.
func showLogin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<html><form>login</form></html>\n")) // nobody is left to tell
}

func refusalOf(status int) answer {
	kinds := map[int]string{
		http.StatusBadRequest: "invalid_request", http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "forbidden",
		http.StatusNotFound: "not_found", http.StatusTooManyRequests: "rate_limit_exceeded",
	}
	kind := kinds[status]
	if kind == "" {
		kind = "internal_error"
	}
	a := failure(status, kind, "the request is not served at present")
	if status == http.StatusTooManyRequests {
		return a.with("Retry-After", "15")
	}
	return a
}

// delay answers 202, or half a list with 206, where data is asked for first
// after an analysis; and always where a trouble says so.
func (s *Sandbox) delay(c *call, a answer) answer {
	kind := s.opts.Readings.NotReady
	if a.status != http.StatusOK || c.r.Method != http.MethodGet {
		return a
	}
	if s.trouble(c) == "206" {
		return halved(c.op, a)
	}
	if kind == "" || c.index < 0 || c.op.scope == "" || c.op.name == "correlation" {
		return a
	}
	s.mu.Lock()
	key := c.op.name + " " + c.id + " " + strconv.Itoa(len(s.lived(c.index).analyses))
	first := !s.ready[key]
	s.ready[key] = true
	s.mu.Unlock()
	switch {
	case !first:
		return a
	case kind == "202":
		return answer{status: http.StatusAccepted}
	default:
		return halved(c.op, a)
	}
}

// halved is the first half of an answer's records.
func halved(op operation, a answer) answer {
	tree := plant(a.body)
	if list := recordsOf(op.name, tree); list != nil {
		list.items = list.items[:len(list.items)/2]
	}
	a.status, a.body = http.StatusPartialContent, tree.body()
	return a
}

// gateway takes the answer of a sync session away that went well.
func (r Readings) gateway(c *call, a answer) answer {
	if c.op.name != "synchronize" || a.status != http.StatusNoContent {
		return a
	}
	switch r.SyncAnswer {
	case "page":
		return answer{status: http.StatusOK, body: []byte("<!doctype html><title>Please wait</title>")}
	case "reset":
		c.spoil = reset
	case "cut":
		c.spoil = truncated
		return answer{status: http.StatusOK, body: []byte(`{"status":"synchronised"}`)}
	default:
		if status, err := strconv.Atoi(r.SyncAnswer); err == nil {
			return answer{status: status}
		}
	}
	return a
}

// comeBack rewrites when a refusal says to come back.
func (r Readings) comeBack(a answer) {
	odd := map[string]string{
		"huge": "9999999999", "overflow": "9223372037000000000000", "negative": "-5", "fraction": "1.5",
		"past": "Wed, 21 Oct 2015 07:28:00 GMT", "words": "soon", "empty": "",
	}
	value, known := odd[r.RetryAfter]
	if known && slices.Contains([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}, a.status) && a.header != nil {
		a.header["Retry-After"] = []string{value}
	}
}
