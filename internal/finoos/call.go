package finoos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// apiCall is one use of an operation, with all its attempts.
type apiCall struct {
	op     *Operation
	userID string
	url    string
	header http.Header // beside those that every request has
	body   []byte

	patience time.Duration // how long it may be retried
	once     bool          // who calls decides whether there is another attempt
	giveUp   time.Time     // patience after it was sent first; zero before
	sent     time.Time     // when an attempt got its turn last
	handed   handover      // whether this attempt was given to the transport
	written  atomic.Bool   // and some of it went out
}

// handover is where an attempt is given to the transport, unless it was called off
// before: one of the two, whatever comes at the same instant.
type handover struct{ state atomic.Int32 }

const (
	notHanded int32 = iota
	isHanded
	isCalledOff
)

func (h *handover) begin() { h.state.Store(notHanded) }

// hand reports false where the attempt was called off.
func (h *handover) hand() bool {
	return h.state.CompareAndSwap(notHanded, isHanded) || h.state.Load() == isHanded
}

// callOff reports false where the transport has it.
func (h *handover) callOff() bool { return h.state.CompareAndSwap(notHanded, isCalledOff) }

func (h *handover) isDone() bool { return h.state.Load() == isHanded }

type callKey struct{}

func withCall(ctx context.Context, call *apiCall) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

func callOf(ctx context.Context) *apiCall {
	call, _ := ctx.Value(callKey{}).(*apiCall)
	return call
}

var errBadID = errors.New("no usable user id")

// newCall fills in the path of an operation.
func (c *Client) newCall(name, userID string, service Service, query url.Values) (*apiCall, error) {
	op := c.operations[name]
	call := &apiCall{op: op, userID: userID, patience: c.cfg.RetryMaxElapsed}
	path := op.Path
	if strings.Contains(path, userPlaceholder) {
		// "." and ".." are not escaped in paths, and would lead elsewhere.
		if userID == "" || userID == "." || userID == ".." {
			e := call.failed(Invalid, errBadID)
			e.Message = errBadID.Error()
			return nil, e
		}
		path = strings.ReplaceAll(path, userPlaceholder, url.PathEscape(userID))
	}
	call.url = c.base + strings.ReplaceAll(path, servicePlaceholder, url.PathEscape(string(service)))
	if len(query) > 0 {
		call.url += "?" + query.Encode()
	}
	return call, nil
}

// path is what tells the call from others: its address without the query.
func (c *apiCall) path() string {
	path, _, _ := strings.Cut(c.url, "?")
	return path
}

// request makes the request of one attempt.
func (c *apiCall) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(withCall(ctx, c), c.op.Method, c.url, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, c.header)
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// begin starts the clock of the call: waiting for a first turn is no attempt.
func (c *apiCall) begin() {
	if c.giveUp.IsZero() {
		c.giveUp = time.Now().Add(c.patience)
	}
}

// tooLate reports whether a retry after d would come too late.
func (c *apiCall) tooLate(d time.Duration) bool {
	return !c.giveUp.IsZero() && time.Now().Add(d).After(c.giveUp)
}

// failed makes an error of this call.
func (c *apiCall) failed(class Class, cause error) *Error {
	return &Error{Class: class, Operation: c.op.Name, Method: c.op.Method, Path: c.op.Path, Err: cause, sent: c.sent}
}

// unreadable makes the error of an answer that was complete but not what the
// document says. err must not have any of its content.
func (c *apiCall) unreadable(err error) error {
	class := Malformed
	switch {
	case errors.Is(err, errRecordTooBig):
		class = TooLarge
	case errors.Is(err, errClosed):
		return err
	}
	if local, ok := errors.AsType[*localError](err); ok {
		return local
	}
	e := c.failed(class, err)
	e.Status = http.StatusOK
	e.Message = err.Error()
	return e
}

// stopped is the error of a call whose context has ended.
func (c *apiCall) stopped(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("call %s: %w: %w", c.op.Name, ctx.Err(), cause)
	}
	return fmt.Errorf("call %s: %w", c.op.Name, ctx.Err())
}
