package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults are the ways in which the sandbox misbehaves. The zero value is a
// healthy API. Each names the reason why a client must survive it.
type Faults struct {
	// RateLimit is how many requests a second are served, by a token bucket
	// that the client is not told of: finoOS documents a 429, but no number.
	RateLimit float64
	// Burst is the bucket's size: a fifth of a second's worth, at least one,
	// unless set.
	Burst int
	// RetryAfter is how a refusal says when to come back: RetrySeconds
	// unless set. The document promises no header, HTTP allows two forms.
	RetryAfter RetryAfter
	// Latency is added to every answer: a client that waits for one answer
	// after the other is slow. It is waited for in real time, or that of a
	// synctest bubble, whatever Options.Clock says.
	Latency time.Duration
	// ErrorRate is the share of requests answered 500, 502 or 503: every
	// deployment has bad minutes.
	ErrorRate float64
	// ResetRate is the share of requests whose connection breaks before they
	// have any effect. (SyncOdds.Lost and Kind Reset break it afterwards.)
	ResetRate float64
	// TruncateRate is the share of answers that end early: Content-Length
	// promises more than comes.
	TruncateRate float64
	// Down refuses every connection, as during an outage. Over TCP, where
	// the connection is there already, it breaks.
	Down bool
	// RefuseReads answers every GET with 429 "rate_limited", and lets POSTs
	// through: then a 429 for a sync session is no daily limit.
	RefuseReads bool
	// TokenEarly is how much earlier than promised a token expires: clocks
	// differ, and sessions are ended by administrators.
	TokenEarly time.Duration
	// Revoked refuses the credentials and all tokens.
	Revoked bool

	// ZeroPages counts pages from 0: the document does not say. Options.FirstPage
	// does the same.
	ZeroPages bool
	// NoContext leaves out `context` and `metaData`, whose fields nobody has
	// documented.
	NoContext bool
	// End is what a page past the last answers: EndEmpty unless set.
	End End
	// Shift is how the list of users moves while it is read: order is not
	// promised, users come and go.
	Shift Shift

	// Users are faults of single users: by id or by index ("3"), then by
	// operation ("*" for all of them).
	Users map[string]map[string]UserFault
}

// RetryAfter is a form of the Retry-After header.
type RetryAfter string

// The forms of Retry-After.
const (
	RetrySeconds RetryAfter = "seconds"
	RetryDate    RetryAfter = "date"
	RetryNone    RetryAfter = "none"
)

// End is what a page past the last answers.
type End string

// The ends of a list that clients must know.
const (
	EndEmpty  End = "empty"
	End204    End = "204"
	End404    End = "404"
	EndRepeat End = "repeat"
)

// Shift is a way in which the list of users moves while it is read.
type Shift string

// The shifts. ShiftRemove hides users from a reader that pages through;
// the others show every user at least once.
const (
	ShiftNone    Shift = ""
	ShiftInsert  Shift = "insert"  // one user more before each next page: the last of a page is the first of the next
	ShiftRemove  Shift = "remove"  // one user fewer before each next page: one is skipped
	ShiftShuffle Shift = "shuffle" // another order within each page at every request
)

// UserFault is how one user's requests of one operation fail.
type UserFault struct {
	Kind  Kind
	After int // how many of the user's requests (of any operation) go well before
}

// Kind is a kind of failure.
type Kind string

// The kinds of failure of one user.
const (
	Malformed     Kind = "malformed"      // 200, but the body is no JSON
	Rejected      Kind = "rejected"       // 400
	Forbidden     Kind = "forbidden"      // 403
	NotFound      Kind = "not_found"      // 404
	ServerError   Kind = "server_error"   // 500, every time
	Reset         Kind = "reset"          // the connection breaks before the answer; a POST has been carried out
	Truncated     Kind = "truncated"      // the body ends early, every time
	NeverAnalysed Kind = "never_analysed" // every correlation is 404
	Deleted       Kind = "deleted"        // the user vanishes for good

	// Outcomes of sync sessions, for the operation "synchronize".
	Deprecated   Kind = "interface_deprecated" // 409
	Credentials  Kind = "credentials_required" // 422
	Blocked      Kind = "blocked"              // 423
	DailyLimit   Kind = "daily_limit"          // 429
	SCARequired  Kind = "sca_required"         // 451
	RateLimited  Kind = "rate_limited"         // 429 with a type that says so
	SyncSucceeds Kind = "synced"               // 204, whatever the odds say
)

// ParseFaults reads faults as the command line writes them: settings divided
// by commas, named like the fields of Faults:
//
//	rate_limit=20,burst=4,retry_after=seconds|date|none,latency=50ms,
//	error_rate=0.01,reset_rate=0.01,truncate_rate=0.01,token_early=4m,
//	end=empty|204|404|repeat,shift=insert|remove|shuffle,
//	down,refuse_reads,revoked,zero_pages,no_context
//
// and faults of users as kind=operation:user:after, where the operation may
// be left out (all of them) and so may the number of requests that go well
// before: malformed=contracts:3, never_analysed=5, deleted=6:10. The same
// kind may be named several times.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	var errs []error
	for setting := range strings.SplitSeq(text, ",") {
		if setting = strings.TrimSpace(setting); setting == "" {
			continue
		}
		name, value, _ := strings.Cut(setting, "=")
		if err := f.set(name, value); err != nil {
			errs = append(errs, fmt.Errorf("fault %q: %w", setting, err))
		}
	}
	return f, errors.Join(errs...)
}

func (f *Faults) set(name, value string) error {
	settings := f.settings()
	if read, known := settings[name]; known {
		return read(value)
	}
	if slices.Contains(kinds(), Kind(name)) {
		return f.setUser(Kind(name), value)
	}
	names := slices.Sorted(maps.Keys(settings))
	for _, k := range kinds() {
		names = append(names, string(k))
	}
	return fmt.Errorf("there is no %q, only %s", name, strings.Join(names, " "))
}

func (f *Faults) settings() map[string]func(string) error {
	return map[string]func(string) error{
		"rate_limit":    number(&f.RateLimit, 1e9),
		"burst":         count(&f.Burst),
		"retry_after":   choice(&f.RetryAfter, RetrySeconds, RetryDate, RetryNone),
		"latency":       duration(&f.Latency),
		"error_rate":    number(&f.ErrorRate, 1),
		"reset_rate":    number(&f.ResetRate, 1),
		"truncate_rate": number(&f.TruncateRate, 1),
		"token_early":   duration(&f.TokenEarly),
		"end":           choice(&f.End, EndEmpty, End204, End404, EndRepeat),
		"shift":         choice(&f.Shift, ShiftInsert, ShiftRemove, ShiftShuffle),
		"down":          toggle(&f.Down),
		"refuse_reads":  toggle(&f.RefuseReads),
		"revoked":       toggle(&f.Revoked),
		"zero_pages":    toggle(&f.ZeroPages),
		"no_context":    toggle(&f.NoContext),
	}
}

func number(to *float64, most float64) func(string) error {
	return func(value string) (err error) {
		if *to, err = strconv.ParseFloat(value, 64); err != nil || !(*to >= 0 && *to <= most) {
			return fmt.Errorf("want a number from 0 to %g", most)
		}
		return nil
	}
}

func count(to *int) func(string) error {
	return func(value string) (err error) {
		if *to, err = strconv.Atoi(value); err != nil || *to < 0 {
			return errors.New("want a number of 0 or more")
		}
		return nil
	}
}

func duration(to *time.Duration) func(string) error {
	return func(value string) (err error) {
		if *to, err = time.ParseDuration(value); err != nil || *to < 0 {
			return errors.New("want a duration such as 50ms or 2m")
		}
		return nil
	}
}

func choice[T ~string](to *T, among ...T) func(string) error {
	return func(value string) error {
		if !slices.Contains(among, T(value)) {
			return fmt.Errorf("want one of %v", among)
		}
		*to = T(value)
		return nil
	}
}

func toggle(to *bool) func(string) error {
	return func(value string) (err error) {
		if value == "" {
			value = "true"
		}
		if *to, err = strconv.ParseBool(value); err != nil {
			return errors.New("want true or false")
		}
		return nil
	}
}

func kinds() []Kind {
	return []Kind{
		Malformed, Rejected, Forbidden, NotFound, ServerError, Reset, Truncated, NeverAnalysed, Deleted,
		Deprecated, Credentials, Blocked, DailyLimit, SCARequired, RateLimited, SyncSucceeds,
	}
}

// setUser reads operation:user:after, of which the user alone is needed.
func (f *Faults) setUser(kind Kind, value string) error {
	op, parts := "*", strings.Split(value, ":")
	if knownOperation(parts[0]) {
		op, parts = parts[0], parts[1:]
	}
	fault := UserFault{Kind: kind}
	switch len(parts) {
	case 1:
	case 2:
		if err := count(&fault.After)(parts[1]); err != nil {
			return fmt.Errorf("%q: %w", parts[1], err)
		}
	default:
		return errors.New("want operation:user or operation:user:after, with one of the sandbox's operations")
	}
	if _, err := strconv.Atoi(parts[0]); err != nil && len(parts[0]) != 36 {
		return fmt.Errorf("%q is neither an operation nor the index or id of a user", parts[0])
	}
	if f.Users == nil {
		f.Users = map[string]map[string]UserFault{}
	}
	if f.Users[parts[0]] == nil {
		f.Users[parts[0]] = map[string]UserFault{}
	}
	f.Users[parts[0]][op] = fault
	return nil
}

func knownOperation(name string) bool {
	return name == "*" || slices.ContainsFunc(operations(), func(op operation) bool {
		return name == op.name || name == op.name+"/"+op.scope && op.name == "correlation"
	})
}
