// Package world is an API of any number of users that costs next to nothing:
// all of them have the same few records, so an answer is an id that is put into
// a text, or the text itself. It is there to measure what the product costs.
package world

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Today is the day of the first night, for the clock of the runs' data.
var Today = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

// World is the API. It is an http.RoundTripper, for measurements without a
// network, and an http.Handler for those with one.
type World struct {
	Users    int
	PageSize int // of the list of users
	// Changed is how many of a thousand users have a new analysis, each with
	// another balance, booking and contract than the seeded state knows.
	Changed int
	// Days is how far back histories and bookings go; 60 unless set.
	Days int

	requests atomic.Int64
	bodies   [2]map[string]string // of the state that was seeded, and of those that have changed
}

// New makes an API of so many users.
func New(users, changed, days int) *World {
	w := &World{Users: users, PageSize: 1000, Changed: changed, Days: days}
	for turn := range w.bodies {
		w.bodies[turn] = bodies(turn, days)
	}
	return w
}

// ID is the id of a user. All are of one length.
func ID(i int) string { return fmt.Sprintf("user-%08d", i) }

// Digits are the digits of an id, with which the user's correlations end.
func Digits(id string) string { return strings.TrimPrefix(id, "user-") }

// Requests counts what was asked.
func (w *World) Requests() int64 { return w.requests.Load() }

var header = http.Header{"Content-Type": {"application/json"}}

// RoundTrip answers in the caller's goroutine.
func (w *World) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	status, body := w.answer(r)
	return &http.Response{
		StatusCode: status, Header: header, Body: &reader{text: body}, ContentLength: int64(len(body)), Request: r,
	}, nil
}

// ServeHTTP answers over a network.
func (w *World) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.requests.Add(1)
	status, body := w.answer(r)
	out.Header()["Content-Type"] = header["Content-Type"]
	out.WriteHeader(status)
	_, _ = io.WriteString(out, body) //nolint:gosec // texts of its own, and who has gone does not read them
}

func (w *World) answer(r *http.Request) (status int, body string) {
	path := strings.Trim(r.URL.Path, "/")
	switch path {
	case "auth":
		return http.StatusOK, `{"access_token":"t","expires_in":300,"token_type":"Bearer"}`
	case "users":
		n, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil {
			n = 1
		}
		return http.StatusOK, w.page(n)
	}
	_, user, _ := strings.Cut(path, "/")
	user, what, _ := strings.Cut(user, "/")
	i, err := strconv.Atoi(strings.TrimPrefix(user, "user-"))
	if err != nil || i >= w.Users {
		return http.StatusNotFound, `{"type":"not_found","message":"no such user"}`
	}
	turn := 0
	if w.changes(i) {
		turn = 1
	}
	if strings.HasSuffix(what, "/correlation") {
		return http.StatusOK, correlation(i, turn)
	}
	if body, ok := w.bodies[turn][what]; ok {
		if what == "categorization" && r.URL.Query().Has("correlation-id") {
			return http.StatusOK, w.bodies[1]["categorization-diff"]
		}
		return http.StatusOK, body
	}
	return http.StatusNotFound, `{"type":"not_found","message":"no such path"}`
}

// Changes says whether the user of an id is one of those who have changed.
func (w *World) Changes(id string) bool {
	i, err := strconv.Atoi(Digits(id))
	return err == nil && w.changes(i)
}

// changes spreads those who have changed over all users.
func (w *World) changes(i int) bool { return (i*7919)%1000 < w.Changed }

func correlation(i, turn int) string {
	b := make([]byte, 0, 128)
	b = append(b, `{"correlationID":"7f3c1a52-90ab-4cde-8`...)
	b = append(b, "0123456789"[turn], '0', '0', '-')
	digits := strconv.AppendInt(nil, int64(i), 10)
	b = append(b, "000000000000"[len(digits):]...)
	b = append(b, digits...)
	b = append(b, `","correlationTimestamp":"2026-11-`...)
	b = append(b, "12"[turn], '9')
	b = append(b, `T02:00:00Z"}`...)
	return string(b)
}

func (w *World) page(n int) string {
	pages := (w.Users + w.PageSize - 1) / w.PageSize
	b := make([]byte, 0, 128*w.PageSize)
	b = fmt.Appendf(b, `{"context":{"page":%d,"pageSize":%d,"totalPages":%d,"total":%d},"users":[`, n, w.PageSize, pages, w.Users)
	for i := (n - 1) * w.PageSize; i < min(n*w.PageSize, w.Users); i++ {
		if i > (n-1)*w.PageSize {
			b = append(b, ',')
		}
		b = append(b, `{"id":"`...)
		b = append(b, ID(i)...)
		b = append(b, `","customUserId":"c0ffee00-aaaa-4bbb-8ccc-`...)
		b = append(b, ID(i)...)
		b = append(b, `","name":"A. Person of Some Town","type":"person","tenant":"acme","createdAt":"2024-05-01T08:00:00Z"}`...)
	}
	return string(append(b, "]}"...))
}

// reader is a body. It says its end together with its last bytes.
type reader struct{ text string }

func (r *reader) Read(p []byte) (int, error) {
	n := copy(p, r.text)
	if r.text = r.text[n:]; r.text == "" {
		return n, io.EOF
	}
	return n, nil
}

func (*reader) Close() error { return nil }
