package finoos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"finoos-syncer/internal/trouble"
)

// maxProblem is how much of an error's body is read.
const maxProblem = 64 << 10

// maxRetryAfter caps what a server may ask for: beyond it a misreading is likelier.
const maxRetryAfter = 24 * time.Hour

// This file alone reads status codes: everybody else asks by meaning.

// refusal makes the error of an answer that is none. It reads resp's body.
func (c *Client) refusal(call *apiCall, resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem)) // best effort: the status says it
	return c.refused(call, resp.StatusCode, resp.Header, body)
}

func (c *Client) refused(call *apiCall, status int, header http.Header, body []byte) *Error {
	e := call.failed(classOfStatus(call.op.Name, status), nil)
	e.Status = status
	kind, message := problemOf(body)
	if status >= 300 && status < 400 {
		message = "redirects are not followed"
	}
	e.Type = c.ofServer(kind, call.userID)
	e.Message = c.ofServer(message, call.userID)
	e.RequestID = c.ofServer(header.Get("X-Request-ID"), call.userID)
	e.Own = isOwn(kind, body)
	c.readStrangers(e, body)
	e.RetryAfter, _ = retryAfter(header, time.Now())
	return e
}

// isWhole reports whether an answer brings what a read asked for. A proxy's 203
// and a 201 that nobody documented have bodies like a 200.
func isWhole(status int) bool {
	return status == http.StatusOK || status == http.StatusCreated || status == http.StatusNonAuthoritativeInfo
}

// isNotReady reports whether an answer says of itself that it is not, or only in
// part, what was asked for.
func isNotReady(status int) bool {
	return status == http.StatusAccepted || status == http.StatusPartialContent
}

// isPlain reports whether an answer is the documented success of a read.
func isPlain(status int) bool { return status == http.StatusOK }

// isEmpty reports whether an answer says that there is nothing.
func isEmpty(status int) bool { return status == http.StatusNoContent }

// isUnauthorized reports whether the token was refused.
func isUnauthorized(status int) bool { return status == http.StatusUnauthorized }

// StaleCorrelation reports whether a diff was refused because the API does not
// know the analysis that it should begin with: no such correlation, one that is
// gone, or one that it calls a wrong request.
func (e *Error) StaleCorrelation() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// refusesQuery reports whether the API does not do what a query asks for, as far
// as can be told: another way of asking may be answered. An error of the server
// counts where it is no gateway's, as it may be lasting.
func (e *Error) refusesQuery() bool {
	switch e.Status {
	case http.StatusInternalServerError, http.StatusNotImplemented:
		return true
	}
	switch e.Class {
	case Forbidden, NotFound, Invalid, Malformed, TooLarge:
		return true
	default:
		return false
	}
}

// RefusesWindow reports whether it may be the window that is refused, and not what
// lies in it: banks refuse windows, and some of them those that reach back far.
func (e *Error) RefusesWindow() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusRequestedRangeNotSatisfiable:
		return true
	}
	return false
}

var outcomeOfStatus = map[int]Outcome{
	http.StatusOK:                         Synced,
	http.StatusCreated:                    Synced,
	http.StatusNoContent:                  Synced,
	http.StatusBadRequest:                 Rejected,
	http.StatusForbidden:                  SyncForbidden,
	http.StatusNotFound:                   Gone,
	http.StatusGone:                       Gone,
	http.StatusConflict:                   InterfaceDeprecated,
	http.StatusUnprocessableEntity:        CredentialsRequired,
	http.StatusLocked:                     Blocked,
	http.StatusTooManyRequests:            DailyLimit,
	http.StatusUnavailableForLegalReasons: SCARequired,

	// Of others it is known that the request did not get through, or that the API
	// gave up; of these, not even that.
	http.StatusSeeOther:                      Unknown, // often what follows on a POST that was carried out
	http.StatusRequestTimeout:                Unknown,
	http.StatusInternalServerError:           Failed,
	http.StatusNotImplemented:                Failed,
	http.StatusHTTPVersionNotSupported:       Failed,
	http.StatusNetworkAuthenticationRequired: Failed,
}

// outcomeOf is how a session ended by the status of its answer. What else a gateway
// says (502, 503, 504, 524), and a success that is not documented, such as 202,
// leave open what the bank was asked.
func outcomeOf(status int) Outcome {
	if outcome, known := outcomeOfStatus[status]; known {
		return outcome
	}
	if status/100 == 2 || status >= 500 {
		return Unknown
	}
	return Failed
}

// leavesOpen reports whether a session that has failed may have been carried out all
// the same: an error inside of the API, or a redirect that is not followed.
func leavesOpen(status int) bool { return status/100 == 3 || status >= 500 }

// tooMany reports whether a request was refused for its rate, or for one of the
// limits that have the same status.
func tooMany(status int) bool { return status == http.StatusTooManyRequests }

func classOfStatus(operation string, status int) Class {
	switch {
	case status == http.StatusRequestTimeout:
		return Timeout
	case status == http.StatusProxyAuthRequired:
		return Network // a proxy's answer: the API was not asked
	case tooMany(status):
		return RateLimited
	case status >= 500:
		return Server
	case operation == opAuth:
		// Whatever the token endpoint says, it is not about a user: its 404
		// must not be mistaken for one who is gone.
		return Auth
	case isUnauthorized(status):
		return Auth
	case status == http.StatusForbidden:
		return Forbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		return NotFound
	case status >= 300:
		return Invalid
	case isNotReady(status):
		return NotReady
	}
	return Malformed // a success that is none of those documented
}

// transportError makes the error of a call that got no complete answer. A
// cancelled context wins over whatever the transport made of it.
func (c *Client) transportError(ctx context.Context, call *apiCall, err error) error {
	if ctx.Err() != nil {
		return call.stopped(ctx)
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e // of the token endpoint, or of the gate
	}
	if local, ok := errors.AsType[*localError](err); ok {
		if errors.Is(local, errNoRoom) { // others had the room: it costs this user's answer, and not the run
			e := call.failed(Internal, local)
			e.Message = errNoRoom.Error()
			return e
		}
		return local
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the URL has the user's id
	}
	class := Network
	if isTimeout(err) {
		class = Timeout
	}
	if errors.Is(err, errTooLarge) {
		class = TooLarge
	}
	e := call.failed(class, err)
	if cause := trouble.CauseOf(err); cause.Known() {
		e.Message = cause.What
	} else {
		e.Message = c.scrub(err.Error(), call.userID)
	}
	return e
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// problemOf reads the body of an error: {"type","message"} or, of the token
// endpoint, {"error","error_description"}; of anything else the text itself.
func problemOf(body []byte) (kind, message string) {
	v, ok := parseValue(bytes.Clone(body))
	switch {
	case !ok && isMarkup(body):
		return "", "the answer is a web page"
	case !ok:
		return "", string(body)
	case v.kind() != kindObject:
		return "", v.text()
	}
	var lower []byte
	for m := v.members(); m.next(); {
		if k := m.value.kind(); k == kindObject || k == kindArray || !m.value.says() {
			continue
		}
		lower = m.name.appendLower(lower[:0])
		switch string(lower) {
		case "type", "error":
			kind = m.value.text()
		case "message", "error_description":
			message = m.value.text()
		}
	}
	return kind, message
}

// isOwn reports whether the body of an error is the API's own, which names a type
// in one word: not a gateway's text, nor a problem of RFC 9457, whose type is a URI.
func isOwn(kind string, body []byte) bool {
	if kind == "" || strings.ContainsAny(kind, ":/<") {
		return false
	}
	v, ok := parseValue(bytes.Clone(body))
	if !ok || v.kind() != kindObject {
		return false
	}
	for m := v.members(); m.next(); {
		if string(m.name.appendLower(nil)) == "type" && m.value.text() == kind {
			return true
		}
	}
	return false
}

func isMarkup(body []byte) bool {
	i := skipBetween(body, 0)
	return i < len(body) && body[i] == '<'
}

// retryAfter reads how long the server asks to wait: in seconds, or until a
// date by its own clock.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter), true
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return min(max(until.Sub(now), 0), maxRetryAfter), true
}

// readStrangers finds answers that are not the API's: of a proxy that was not let
// through, and of a server that is spoken to without the TLS that it wants.
func (c *Client) readStrangers(e *Error, body []byte) {
	switch {
	case e.Status == http.StatusProxyAuthRequired:
		e.Err = trouble.ProxyRefusal(e.Status)
	case e.Status == http.StatusBadRequest && bytes.Contains(body, []byte("HTTP request to an HTTPS server")),
		e.Status == http.StatusBadRequest && bytes.Contains(body, []byte("plain HTTP request was sent to HTTPS port")):
		e.Class, e.Err = Network, trouble.ErrWantsTLS
	default:
		return
	}
	e.Message = trouble.CauseOf(e.Err).What
}

// Refusal names the status that the API has refused with, empty where it has not.
func (e *Error) Refusal() string {
	if e.Status < http.StatusBadRequest {
		return ""
	}
	return "status " + strconv.Itoa(e.Status)
}
