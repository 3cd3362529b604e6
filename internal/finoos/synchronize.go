package finoos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"time"

	"finoos-syncer/internal/wait"
)

// SyncRequest asks for fresh data from the bank.
type SyncRequest struct {
	BankLoginID string // "" = all logins of the user
	UserIP      string // sent as User-IP, which the API requires
	// Where the user is sent to afterwards, should the bank ask for it; "" = left out.
	RedirectURL, ErrorURL, ExitURL string
}

// SyncResult is what came of a synchronization session.
type SyncResult struct {
	Outcome            Outcome
	Status             int    // HTTP status, 0 if none was received
	ErrorType, Message string // scrubbed, as in Error
	SessionID          string
	CorrelationID      string // the analysis that the session started, if told
	RedirectURL        Secret // where the user redoes the strong authentication
}

// Outcome is how a synchronization session ended.
type Outcome string

// The outcomes.
const (
	Synced              Outcome = "synced"               // new data can be read
	InterfaceDeprecated Outcome = "interface_deprecated" // needs the user
	CredentialsRequired Outcome = "credentials_required" // needs the user
	Blocked             Outcome = "blocked"              // by the bank; needs the user
	DailyLimit          Outcome = "daily_limit"          // none left today
	SCARequired         Outcome = "sca_required"         // needs the user
	Rejected            Outcome = "rejected"             // the request is not accepted
	SyncForbidden       Outcome = "forbidden"            // a scope is missing
	Gone                Outcome = "gone"                 // no such user or login
	Failed              Outcome = "failed"               // refused otherwise, or never sent
	Unknown             Outcome = "unknown"              // sent, and what came of it is not known
)

// MayHaveReached reports whether the bank may have been asked though no answer of
// its own came back: before another session, lastSynchronization has to be.
func (r SyncResult) MayHaveReached() bool {
	return r.Outcome == Unknown || r.Outcome == Failed && leavesOpen(r.Status)
}

// answerGrace is how long the answer to a session is waited for once ctx has ended:
// what has been sent is spent.
const answerGrace = 5 * time.Second

// Synchronize asks finoOS to fetch fresh data from the user's bank. Such
// sessions are scarce. One is therefore asked for again only where the request
// certainly did not reach the bank: no connection came about, or the rate limit
// refused it. The rate limit and the bank's daily limit have the same status;
// see rateLimited.
//
// A session that was refused, and even one of unknown outcome, is a result and
// no error. The errors are a ctx that has ended and, of class [Auth], refused
// credentials; the outcome is then [Unknown] if the request may have been sent. One
// that is under way when ctx ends may still be answered within seconds, and is then
// a result like any other.
func (c *Client) Synchronize(ctx context.Context, userID string, r SyncRequest) (SyncResult, error) {
	call, err := c.newCall(opSynchronize, userID, "", nil)
	if err != nil {
		return SyncResult{Outcome: Rejected, Message: messageOf(err)}, nil //nolint:nilerr // the outcome says it
	}
	call.header = http.Header{"User-Ip": {r.UserIP}}
	call.body, err = json.Marshal(struct {
		BankLoginID string `json:"bankLoginId,omitempty"`
		RedirectURL string `json:"redirectURL,omitempty"`
		ErrorURL    string `json:"errorURL,omitempty"`
		ExitURL     string `json:"exitURL,omitempty"`
	}{r.BankLoginID, r.RedirectURL, r.ErrorURL, r.ExitURL})
	if err != nil {
		return SyncResult{}, err
	}
	var result SyncResult
	err = c.retry(ctx, call, func() error {
		result, err = c.synchronizeOnce(ctx, call)
		return err
	})
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil && result.Outcome != Unknown:
		return SyncResult{}, err
	case ctx.Err() != nil, ClassOf(err) == Auth:
		return result, err
	}
	return result, nil
}

// synchronizeOnce makes one attempt. An error means that the request did not
// reach the bank, unless the outcome is Unknown.
func (c *Client) synchronizeOnce(ctx context.Context, call *apiCall) (SyncResult, error) {
	call.handed.begin()
	call.written.Store(false)
	held, release := whileAnswered(ctx, call)
	defer release()
	resp, err := c.send(held, call)
	switch {
	case err != nil && unsent(call, err):
		return SyncResult{Outcome: Failed, Message: messageOf(err)}, err
	case err != nil && ctx.Err() != nil:
		return SyncResult{Outcome: Unknown, Message: messageOf(err)}, err
	case err != nil:
		return SyncResult{Outcome: Unknown, Message: messageOf(err)}, nil
	}
	defer closeQuietly(resp.Body)
	body, cut := io.ReadAll(io.LimitReader(bodyOf(resp), maxProblem))
	result := SyncResult{
		Outcome:       outcomeOf(resp.StatusCode),
		Status:        resp.StatusCode,
		CorrelationID: resp.Header.Get("Finoos-Correlation-Id"),
	}
	if result.Outcome == Synced && (cut != nil || isMarkup(body)) {
		result.Outcome = Unknown // of a refusal, the status says all
	}
	if result.Outcome == Synced {
		return result, nil
	}
	refusal := c.refused(call, resp.StatusCode, resp.Header, body)
	result.ErrorType, result.Message = refusal.Type, refusal.Message
	switch {
	case result.Outcome == SCARequired:
		result.SessionID, result.RedirectURL = sessionOf(body)
	case refusal.Class == Auth:
		return result, refusal
	case result.Outcome == DailyLimit && c.rateLimited(resp.Header, refusal):
		result.Outcome = Failed
		return result, refusal
	}
	return result, nil
}

// whileAnswered is a context for one attempt. It ends with ctx, but where the
// request is under way leaves it some seconds to be answered.
func whileAnswered(ctx context.Context, call *apiCall) (held context.Context, release func()) {
	held, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if !call.handed.callOff() {
			_ = wait.For(held, answerGrace)
		}
		cancel(context.Cause(ctx))
	})
	return held, func() {
		stop()
		cancel(nil)
	}
}

// unsent reports whether the request of a failed attempt certainly did not
// reach the bank: it still waited for its token or its turn, or there was no
// connection to send it on.
func unsent(call *apiCall, err error) bool {
	if !call.handed.isDone() {
		return true
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Operation != call.op.Name {
		return true // refused for its token, and then no new one was to be had
	}
	return !call.written.Load() && isDial(err)
}

func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return errors.Is(err, syscall.ECONNREFUSED) || (ok && op.Op == "dial")
}

// rateLimited tells the rate limit from the daily limit of synchronisations, which
// has the same status. Our reading: it is the rate limit where it passes within a
// minute, where the error's type says so, or where reads are being refused too; but
// not where the error speaks of a day or of the bank.
func (c *Client) rateLimited(header http.Header, refusal *Error) bool {
	if wait, told := retryAfter(header, time.Now()); told && wait <= time.Minute {
		return true
	}
	if banksLimit.MatchString(refusal.Type + " " + refusal.Message) {
		return false
	}
	return strings.Contains(strings.ToLower(refusal.Type), "rate") || c.pace.Refusing()
}

// banksLimit is how a limit of the bank's was seen to be told, by its own words or by
// those of who asks it.
var banksLimit = regexp.MustCompile(`(?i)daily|per[ _-]?day|a day\b|today|24[ _-]?h|aspsp|psu|psd2|consent|multiplicity|number of access|access(es)? exceeded|\b(bank|institution)('s)?\b`)

// sessionOf reads the body of a session that needs its user.
func sessionOf(body []byte) (id string, link Secret) {
	v, ok := parseValue(bytes.Clone(body))
	if !ok {
		return "", ""
	}
	for m := v.members(); m.next(); {
		switch string(m.name.appendLower(nil)) {
		case "sessionid":
			id, _ = scalar(m.value)
		case "redirecturl":
			s, _ := scalar(m.value)
			link = Secret(s)
		}
	}
	return id, link
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return ""
}
