package sandbox

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// call is one request on its way through the sandbox.
type call struct {
	r     *http.Request
	op    operation
	id    string // of the user in the path
	index int
	fault UserFault // of this user and operation
	now   time.Time // by Options.Clock
	spoil spoil
}

// answer is what a handler says. Handlers write nothing themselves, so that
// a fault can still take the answer away.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// spoil is what becomes of an answer on its way.
type spoil int

const (
	intact spoil = iota
	reset
	truncated
)

func ok(body []byte) answer { return answer{status: http.StatusOK, body: body} }

// failure is the error body that the document shows.
func failure(status int, kind, message string) answer {
	var w wire
	w.open('{')
	w.str("type", kind)
	w.str("message", message)
	w.close('}')
	return answer{status: status, body: w.b}
}

func (a answer) with(name, value string) answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(name, value)
	return a
}

// serve takes a request through the same gates in the same order: the
// network, the rate limit, the token, the user, and the operation itself.
func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request, op operation) {
	c := &call{r: r, op: op, id: r.PathValue("user"), index: -1, now: s.opts.Clock()}
	asked := s.asked.begin(Request{
		Operation: op.name, Method: r.Method, UserID: c.id, Service: c.service(),
		Path: r.URL.Path, Query: r.URL.RawQuery, At: c.now,
	})
	faults := s.Faults()
	if faults.Down || !pause(r.Context(), faults.Latency) {
		panic(http.ErrAbortHandler)
	}
	a, refused := s.gate(c, faults)
	if !refused && c.spoil != reset {
		a = s.respond(c)
	}
	s.harm(c, &a)
	s.opts.Readings.comeBack(a)
	a = s.opts.Readings.dress(c, a)
	if c.spoil == reset {
		panic(http.ErrAbortHandler)
	}
	s.asked.end(asked, a.status)
	c.send(w, a)
}

// respond has the operation answer, unless a reading answers in its place;
// what it says is then written as the readings have it.
func (s *Sandbox) respond(c *call) answer {
	for _, instead := range []func(*Sandbox, *call) (answer, bool){(*Sandbox).strange, (*Sandbox).refusesScope, (*Sandbox).attack} {
		if a, does := instead(s, c); does {
			return a
		}
	}
	a := s.opts.Readings.gateway(c, c.op.answer(s, c))
	return s.rewrite(c, s.delay(c, a))
}

func (c *call) service() string {
	if c.op.name == "correlation" {
		return c.op.scope
	}
	return ""
}

// send writes an answer; one that is cut short has promised its full length.
func (c *call) send(w http.ResponseWriter, a answer) {
	maps.Copy(w.Header(), a.header)
	if len(a.body) > 0 {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	body := a.body
	if c.spoil == truncated {
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body) // nobody is left to tell
}

// gate stops requests that do not reach their operation.
func (s *Sandbox) gate(c *call, f Faults) (answer, bool) {
	if wait, refused := s.limited(c, f); refused {
		return s.slowDown(f, c.now, wait), true
	}
	if a, refused := s.mishap(c, f); refused {
		return a, true
	}
	if c.op.name == "auth" || c.op.name == unknownRoute {
		return answer{}, false
	}
	if a, refused := s.unauthorized(c, f); refused {
		return a, true
	}
	if c.id == "" {
		return answer{}, false
	}
	return s.findUser(c)
}

// findUser resolves the user in the path, and lets the faults of that user
// strike.
func (s *Sandbox) findUser(c *call) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, there := s.exists(c.id)
	if !there || !s.mine(c.r) {
		return noUser(), true
	}
	c.index = i
	c.fault = s.strike(i, c)
	switch c.fault.Kind {
	case Deleted:
		s.leave(i)
		return noUser(), true
	case Rejected:
		return failure(http.StatusBadRequest, "invalid_request", "the request is not accepted"), true
	case Forbidden:
		return failure(http.StatusForbidden, "forbidden", "the user has not granted this scope"), true
	case NotFound:
		return failure(http.StatusNotFound, "not_found", "there is nothing here"), true
	case ServerError:
		return failure(http.StatusInternalServerError, "internal_error", "something went wrong for this user"), true
	case Reset:
		if c.r.Method == http.MethodGet {
			c.spoil = reset
		}
	default: // the others strike later
	}
	return answer{}, false
}

func noUser() answer { return failure(http.StatusNotFound, "user_not_found", "there is no such user") }

// mine tells whether the request is for the tenant of the sandbox. Another
// one exists too, as soon as it is named; it is empty.
func (s *Sandbox) mine(r *http.Request) bool {
	tenant := r.Header.Get("TenantID") //nolint:canonicalheader // as the document spells it
	return tenant == "" || tenant == s.opts.Tenant
}

// harm spoils an answer that was there already.
func (s *Sandbox) harm(c *call, a *answer) {
	switch c.fault.Kind {
	case Malformed:
		if a.status == http.StatusOK || a.status == http.StatusNoContent {
			*a = ok([]byte(`{"contracts":[{"id":`))
		}
	case Truncated:
		c.spoil = truncated
	case Reset:
		c.spoil = reset
	default: // has struck already, or is the business of synchronize
	}
	if c.spoil == truncated && len(a.body) < 2 {
		c.spoil = reset
	}
}
