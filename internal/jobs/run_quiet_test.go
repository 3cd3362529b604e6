package jobs

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/probing"
)

// smallWorld is an API of users who have next to nothing, for tests of many:
// the sandbox would spend minutes on inventing their money. It counts what it
// is asked for.
type smallWorld struct {
	users, pageSize int

	auth, list, logins, probes, other atomic.Int64
}

func (w *smallWorld) RoundTrip(r *http.Request) (*http.Response, error) {
	path := strings.Trim(r.URL.Path, "/")
	body := "[]"
	switch {
	case path == "auth":
		w.auth.Add(1)
		body = `{"access_token":"t","expires_in":300,"token_type":"Bearer"}`
	case path == "users":
		w.list.Add(1)
		body = w.page(max(1, number(r.URL.Query().Get("page"))))
	case strings.HasSuffix(path, "/correlation"):
		w.probes.Add(1)
		body = `{"correlationID":"one","correlationTimestamp":"2026-11-18T02:00:00Z"}`
	case strings.HasSuffix(path, "/banking/logins"):
		w.logins.Add(1)
	default:
		w.other.Add(1)
		switch {
		case strings.HasSuffix(path, "/banking/accounts"):
			body = `{"accounts":[]}`
		case strings.HasSuffix(path, "/categorization"):
			body = `{"categorization":[]}`
		case strings.HasSuffix(path, "/account-history"):
			body = `{"histories":[]}`
		}
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

func (w *smallWorld) page(n int) string {
	pages := (w.users + w.pageSize - 1) / w.pageSize
	var b strings.Builder
	fmt.Fprintf(&b, `{"context":{"page":%d,"pageSize":%d,"totalPages":%d,"total":%d},"users":[`, n, w.pageSize, pages, w.users)
	for i := (n - 1) * w.pageSize; i < min(n*w.pageSize, w.users); i++ {
		if i > (n-1)*w.pageSize {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"user-%06d","type":"person"}`, i)
	}
	b.WriteString("]}")
	return b.String()
}

func (w *smallWorld) forget() {
	for _, n := range []*atomic.Int64{&w.auth, &w.list, &w.logins, &w.probes, &w.other} {
		n.Store(0)
	}
}

// Of these, all users are asked in every run.
const (
	eachService = "probe: each"
	eachLogins  = "bank_logins: each"
)

// TestAQuietNightCostsTheDocumentedMinimum is the budget of docs/design.md, "Budgets": one
// probe a user, or where a job wants that, of each service; a call for the logins only
// where it wants that; the user list; and no file written.
func TestAQuietNightCostsTheDocumentedMinimum(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines          []string
		probes, logins int64 // a user
	}{
		"by default":                {nil, 1, 0},
		"one service":               {[]string{"probe: one"}, 1, 0},
		"one service, logins":       {[]string{"probe: one", eachLogins}, 1, 1},
		"banking":                   {[]string{"probe: banking"}, 1, 0},
		"each service":              {[]string{eachService}, 4, 0},
		"each service, logins, too": {[]string{eachService, eachLogins}, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := 10_000
			if raceEnabled || c.lines != nil {
				users = 200
			}
			inBubble(t, sandbox.Options{Users: 1}, func(b *bank) {
				t := b.t
				w := &smallWorld{users: users, pageSize: 1000}
				b.transport = w
				lines := append(slices.Clone(c.lines), "sync: {when: stale, user_ip: 203.0.113.7}")
				b.run(lines...)
				commits := len(b.log())
				w.forget()
				rep := b.run(lines...)
				n := int64(users)
				pages := (n + 999) / 1000
				tried := int64(0)
				if c.lines == nil { // the first users are asked of all until one is proven to tell of the others
					tried = 3 * probing.Trial
				}
				for what, c := range map[string]struct{ got, want int64 }{
					"tokens": {w.auth.Load(), 1}, "pages of users": {w.list.Load(), pages}, "probes": {w.probes.Load(), c.probes*n + tried},
					"lists of logins": {w.logins.Load(), c.logins * n}, "pulls": {w.other.Load(), 0}, "all, by the report": {rep.Requests, 1 + pages + (c.probes+c.logins)*n + tried},
				} {
					if c.got != c.want {
						t.Errorf("%s: %d, want %d", what, c.got, c.want)
					}
				}
				if rep.Users.Unchanged != n || len(b.log()) != commits {
					t.Errorf("%+v, %d new commits", rep.Users, len(b.log())-commits)
				}
			})
		})
	}
}
