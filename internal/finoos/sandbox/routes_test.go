package sandbox

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestUnknownRoutesAreLoud(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 1, Seed: 1})
	for i, x := range [][2]string{
		{http.MethodGet, "/nothing"},
		{http.MethodPost, "/users"},
		{http.MethodDelete, "/users/" + c.s.UserID(0) + "/contracts"},
		{http.MethodGet, "/users/" + c.s.UserID(0) + "/banking"},
		{http.MethodGet, "/api/v1/users"},
	} {
		status, body := c.do(x[0], x[1], "")
		if status != http.StatusNotFound || !strings.Contains(string(body), `"unknown_route"`) || c.s.UnknownRoutes() != i+1 {
			t.Errorf("%v: %d %s, %d counted", x, status, body, c.s.UnknownRoutes())
		}
	}
	c.s.ResetRequests()
	if c.s.UnknownRoutes() != 0 || len(c.s.Counts()) != 0 {
		t.Error("requests are not forgotten")
	}
}

func TestRequestsAreRemembered(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 2, Seed: 1})
	c.fault(userFaults("1", "contracts", Reset))
	c.s.ResetRequests()
	id := c.s.UserID(1)
	c.get("/users?page=1")
	c.get("/api/users/" + id + "/contracts/correlation")
	if err := c.try(http.MethodGet, "/users/"+id+"/contracts"); err == nil {
		t.Error("the connection does not break")
	}
	want := []Request{
		{Operation: "users", Method: "GET", Path: "/users", Query: "page=1", Status: 200},
		{Operation: "correlation", Method: "GET", UserID: id, Service: "contracts", Path: "/users/" + id + "/contracts/correlation", Status: 200},
		{Operation: "contracts", Method: "GET", UserID: id, Path: "/users/" + id + "/contracts"},
	}
	got := c.s.Requests()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Request{}, "At")); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if time.Since(got[0].At) > time.Minute {
		t.Errorf("the request came at %s", got[0].At)
	}
	if diff := cmp.Diff(map[string]int{"users": 1, "correlation": 1, "contracts": 1}, c.s.Counts()); diff != "" {
		t.Error(diff)
	}
}

func TestTheListOfRequestsIsBounded(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 1, Seed: 1, HistoryLimit: 20})
	for range 100 {
		c.get("/users/" + c.s.UserID(0))
	}
	if n := len(c.s.Requests()); n > 20 || n < 18 || c.s.Counts()["user"] != 100 {
		t.Errorf("%d requests are listed, %d counted", n, c.s.Counts()["user"])
	}
}

func TestEveryRouteAnswers(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 1, Seed: 1, Sync: certain, Plain: true})
	for _, r := range c.s.Routes() {
		path := strings.Replace(r.Pattern, "{user-id}", c.s.UserID(0), 1)
		if status, body := c.do(r.Method, path, ""); status == http.StatusNotFound {
			t.Errorf("%s %s: %d %s", r.Method, path, status, body)
		}
	}
	if c.s.UnknownRoutes() != 0 || len(c.s.Routes()) != 17 {
		t.Errorf("%d routes, %d requests lost", len(c.s.Routes()), c.s.UnknownRoutes())
	}
}

func TestTransactionsAreAskedForByTime(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 1, Seed: 1, Plain: true})
	at := "/users/" + c.s.UserID(0) + "/banking/transactions"
	type booking struct{ TransactionID, BookingDate string }
	var all []booking
	c.read(at, &all)
	middle := all[len(all)/2]
	d := middle.BookingDate
	count := func(query string) (n int) {
		t.Helper()
		var some []booking
		c.read(at+"?"+query, &some)
		for _, b := range some {
			if b.BookingDate == d {
				n++
			}
		}
		return n
	}
	day, err := time.Parse(time.DateOnly, d)
	if err != nil {
		t.Fatal(err)
	}
	midnight := dayOf(day).at(0)
	query := func(name string, at time.Time) string { return name + "=" + at.UTC().Format(time.RFC3339) }
	both := query("since", midnight) + "&" + query("until", midnight)
	if count(both) == 0 || count(query("since", midnight.Add(time.Second))) != 0 || count(query("until", midnight.Add(-time.Second))) != 0 {
		t.Error("since and until are not both inclusive")
	}
	if count("transactionIds="+middle.TransactionID+"&"+query("until", day.AddDate(-1, 0, 0))) != 1 {
		t.Error("transactionIds do not override the window")
	}
	var recent []booking
	c.read(at+"?lastMonths=1", &recent)
	if len(recent) == 0 || len(recent) > len(all)/12 {
		t.Errorf("%d of %d bookings in the last month", len(recent), len(all))
	}
	for _, bad := range []string{"since=yesterday", "lastMonths=0", "until=2026-11-19"} {
		if status, _ := c.get(at + "?" + bad); status != http.StatusBadRequest {
			t.Errorf("%s is answered %d", bad, status)
		}
	}
}
