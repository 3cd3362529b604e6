package finoos

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"finoos-syncer/internal/trouble"
)

// Class is what a failed call means, and so what can be done about it.
type Class string

// The classes. They are also the values of the column error_class.
const (
	Auth        Class = "auth"         // the credentials or the token are refused
	Forbidden   Class = "forbidden"    // a scope is missing
	NotFound    Class = "not_found"    // gone, of another tenant, or not analysed
	RateLimited Class = "rate_limited" // too many requests, and waiting did not help
	Invalid     Class = "invalid"      // the API does not accept the request
	Server      Class = "server"       // the API failed
	Network     Class = "network"      // no answer, or half of one
	Timeout     Class = "timeout"      // no complete answer in time
	Malformed   Class = "malformed"    // a complete answer that is not what the document says
	TooLarge    Class = "too_large"    // an answer beyond Config.MaxResponse
	NotReady    Class = "not_ready"    // an answer that says of itself that it is not whole (202, 206)
	Internal    Class = "internal"     // this program failed, not the API
)

// Error is a call that the API failed or refused. Its texts are scrubbed of
// the user's id, of tokens and secrets, and of what looks like personal data.
type Error struct {
	Class      Class
	Operation  string // name in the table of operations
	Method     string
	Path       string // template: never an id, never a query
	Status     int    // 0 if no answer was received
	Type       string // of the server's error body
	Message    string // the server's, or else what went wrong; capped
	RequestID  string
	RetryAfter time.Duration // how long the server asks to wait, 0 if it does not
	Own        bool          // the body is the API's own: an object that names a type; a proxy's page is none
	Personal   bool          // refused for the rate of this user alone: others are answered
	Err        error         // cause, if it was not the server that said so

	sent time.Time // when the request got its turn; zero if it never did
}

// Error implements error: "read accounts: GET /users/{user-id}/…: 503 server: …".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "call %s: %s %s: %s", e.Operation, e.Method, e.Path, e.Class)
	if e.Answered() {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.Type != "" {
		b.WriteString(": " + e.Type)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.RequestID != "" {
		b.WriteString(" [request " + e.RequestID + "]")
	}
	return b.String()
}

// Answered reports whether it was an answer that said so.
func (e *Error) Answered() bool { return e.Status != 0 }

// OfToken reports whether it was the request for a token that failed.
func (e *Error) OfToken() bool { return e.Operation == opAuth }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of err, "" if it is nil or no error of the API.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ""
}

// WithoutWords is the text of an error without what a server has written in its own
// words: it may quote anything that it has of a user.
func WithoutWords(err error) string {
	text := err.Error()
	for _, e := range answersIn(err) {
		said := e.Error()
		quiet := *e
		quiet.Type, quiet.Message = PlainType(e.Type), ""
		if strings.Contains(text, said) {
			text = strings.ReplaceAll(text, said, quiet.Error())
		} else if e.Message != "" {
			text = strings.ReplaceAll(text, e.Message, redacted)
		}
	}
	return text
}

// answersIn are the refusals that an error tells of.
func answersIn(err error) (found []*Error) {
	if e, ok := err.(*Error); ok && e.Answered() && e.Err == nil { //nolint:errorlint // each step of the tree is looked at
		found = append(found, e)
	}
	switch err := err.(type) { //nolint:errorlint // as above
	case interface{ Unwrap() error }:
		if below := err.Unwrap(); below != nil {
			found = append(found, answersIn(below)...)
		}
	case interface{ Unwrap() []error }:
		for _, below := range err.Unwrap() {
			found = append(found, answersIn(below)...)
		}
	}
	return found
}

// PlainType is an error's type if it is one word without a digit, as types are and ids
// are not; else it may quote something, and is left out.
func PlainType(kind string) string {
	const longest = 64
	for _, c := range kind {
		if (c|0x20 < 'a' || c|0x20 > 'z') && c != '_' && c != '-' && c != '.' {
			return ""
		}
	}
	if len(kind) > longest {
		return ""
	}
	return kind
}

// CauseOf is why a call failed, in words that may be told, and what to do about it
// where that is known: of an answer its status and type, and nothing in the words of
// the server.
func CauseOf(err error) trouble.Cause {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return trouble.CauseOf(err)
	}
	cause := trouble.CauseOf(e.Err)
	switch {
	case cause.Known():
	case e.Answered():
		cause.What = fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
		if kind := PlainType(e.Type); kind != "" {
			cause.What += ", " + kind
		}
	case e.Class == Timeout:
		cause = trouble.Slow(e.Message)
	default:
		cause.What = e.Message // scrubbed, and of this side's words
	}
	return cause
}
