package sandbox

import "time"

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
