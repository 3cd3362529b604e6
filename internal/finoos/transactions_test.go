package finoos

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"

	"github.com/google/go-cmp/cmp"
)

// shelf answers lookups of what it has, as an API does that keeps its word.
func shelf(has ...string) func(*http.Request, int) reply {
	return func(r *http.Request, _ int) reply {
		var asked []string
		for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.RawQuery, "transactionIds="), ",") {
			id, _ := url.PathUnescape(part)
			asked = append(asked, id)
		}
		var found []string
		for _, at := range has { // id@account
			id, account, _ := strings.Cut(at, "@")
			if slices.Contains(asked, id) {
				found = append(found, fmt.Sprintf(`{"transactionId":%s,"accountId":"%s"}`, strconv.Quote(id), account))
			}
		}
		return reply{body: "[" + strings.Join(found, ",") + "]"}
	}
}

func lookedUp(t *testing.T, c *Client, ids []string, witness string) ([]string, error) {
	t.Helper()
	l, err := c.TransactionsByID(t.Context(), testUser, ids, witness)
	if err != nil {
		return nil, err
	}
	defer closeQuietly(l)
	var found []string
	err = l.Each(func(t *Transaction) error {
		found = append(found, t.ID+"@"+t.AccountID)
		return nil
	})
	return found, err
}

func TestTransactionsAreLookedUpWhateverTheirIDsHold(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"a b", "a+b", "a%2Cb", "a&since=x", "ümlaut-€", "a/b?c#d", `a\"b`, "a;b", "a=b", "..", "18446744073709551617", "a%",
	} {
		c, a := setup(t, shelf(id+"@1", id+"@2", "w"+id+"@1"))
		found, err := lookedUp(t, c, []string{id, "gone-" + id, id}, "w"+id)
		if d := cmp.Diff([]string{id + "@1", id + "@2", "w" + id + "@1"}, found); d != "" || err != nil || a.count() != 1 {
			t.Errorf("%q: %d requests, %v %s", id, a.count(), err, d)
		}
		if got := a.asked[0].URL.Query().Get("transactionIds"); got != id+",gone-"+id+",w"+id {
			t.Errorf("%q is read as %q by who decodes first", id, got)
		}
	}
}

func TestWhatIsSharedWithTheWitnessIsLookedUp(t *testing.T) {
	t.Parallel()
	c, a := setup(t, shelf("x@1"))
	found, err := lookedUp(t, c, []string{"x"}, "x")
	if d := cmp.Diff([]string{"x@1"}, found); d != "" || err != nil || a.count() != 1 {
		t.Errorf("%d requests, %v %s", a.count(), err, d)
	}
	if found, err := lookedUp(t, c, nil, "x"); len(found) > 0 || err != nil || a.count() != 1 {
		t.Errorf("nothing is asked for: %v %v", found, err)
	}
}

func TestManyIDsAreAskedForInAddressesThatEveryProxyTakes(t *testing.T) {
	t.Parallel()
	ids, has := []string{}, []string{"ü-witness@1"}
	for i := range 150 {
		id := fmt.Sprintf("ü-%d-%030d", i, i)
		ids = append(ids, id)
		if i%3 > 0 {
			has = append(has, id+"@1")
		}
	}
	c, a := setup(t, shelf(has...))
	found, err := lookedUp(t, c, ids, "ü-witness")
	found = slices.Compact(slices.Sorted(slices.Values(found)))
	if d := cmp.Diff(slices.Sorted(slices.Values(has)), found); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	for _, r := range a.asked {
		if n := len(r.URL.String()); n > 2000 || !strings.HasSuffix(r.URL.RawQuery, ",%C3%BC-witness") {
			t.Errorf("%d bytes, %s", n, r.URL)
		}
	}
	if n := a.count(); n < 4 || n > 5 {
		t.Errorf("%d requests", n)
	}
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("more-%030d", i))
	}
	before := a.count()
	if _, err := lookedUp(t, c, ids, "ü-witness"); !errors.Is(err, ErrNotAsked) || a.count() != before {
		t.Errorf("so many that all are less to read: %v after %d requests", err, a.count()-before)
	}
}

func TestWhatCannotBeAskedForIsNotAsked(t *testing.T) {
	t.Parallel()
	c, a := setup(t, shelf("w@1"))
	for _, ids := range [][]string{
		{"a,b", "w"}, {"w", " a"}, {"w", "a "}, {"", "w"}, {"a", "w,"}, {"a", ""}, {strings.Repeat("ü", 500), "w"}, {"a", strings.Repeat("x", 1990)},
	} {
		if _, err := lookedUp(t, c, ids[:1], ids[1]); !errors.Is(err, ErrNotAsked) || !errors.Is(err, ErrNotByID) {
			t.Errorf("%.20q: %v", ids, err)
		}
	}
	if a.count() > 0 {
		t.Errorf("%d requests", a.count())
	}
}

func TestAnAnswerThatIsNoneToALookupIsNotBelieved(t *testing.T) {
	t.Parallel()
	record := func(id string) string { return `{"transactionId":"` + id + `"}` }
	list := func(ids ...string) string {
		for i := range ids {
			ids[i] = record(ids[i])
		}
		return "[" + strings.Join(ids, ",") + "]"
	}
	for name, answer := range map[string]reply{
		"nothing":               {status: 204},
		"an empty list":         {body: `[]`},
		"null":                  {body: `null`},
		"an error that says OK": {body: `{"error":"no such parameter"}`},
		"all there is":          {body: list("a", "w", "z")},
		"only the first":        {body: list("a")},
		"a first page":          {body: `{"transactions":` + list("w") + `,"metaData":{"total":2}}`},
		"a page of several":     {body: `{"transactions":` + list("w", "a") + `,"metaData":{"totalPages":2}}`},
		"400":                   {status: 400},
		"403":                   {status: 403},
		"404":                   {status: 404},
		"405":                   {status: 405},
		"414":                   {status: 414},
		"431":                   {status: 431},
		"a redirect":            {status: 302},
		"500, which may last":   {status: 500},
		"501":                   {status: 501},
		"too large":             {body: list("a", "w") + strings.Repeat(" ", 5000)},
	} {
		b := newBudget(10 * chunkSize)
		c, _ := setup(t, always(answer), func(cfg *Config) { cfg.Budget, cfg.MaxResponse, cfg.RetryMaxElapsed = b, 4000, -1 })
		if _, err := lookedUp(t, c, []string{"a", "b"}, "w"); !errors.Is(err, ErrNotByID) || b.held.Load() != 0 {
			t.Errorf("%s: %v, %d held", name, err, b.held.Load())
		}
	}
	for status, class := range map[int]Class{401: Auth, 408: Timeout, 429: RateLimited, 502: Server, 503: Server, 504: Server, 202: NotReady} {
		c, _ := setup(t, always(reply{status: status}), func(cfg *Config) { cfg.RetryMaxElapsed = -1 })
		if _, err := lookedUp(t, c, []string{"a"}, "w"); errors.Is(err, ErrNotByID) || ClassOf(err) != class {
			t.Errorf("%d says nothing about lookups: %v", status, err)
		}
	}
}

// Somewhere on the way a sign may be lost. Only a witness that has it shows that
// it arrives, so only then an id that does not come back is one that is gone.
func TestAnIDOfSignsThatTheWitnessLacksIsGoneForNobody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		id, witness string
		believed    bool
	}{
		{"a+b", "w", false},
		{"a+b", "w+", true},
		{"a/b+", "w+", false},
		{"ü", "ö", false},
		{"a-b_c.d~9", "w", true},
	} {
		c, _ := setup(t, shelf(test.witness+"@1"))
		if _, err := lookedUp(t, c, []string{test.id}, test.witness); (err == nil) != test.believed || err != nil && !errors.Is(err, ErrNotByID) {
			t.Errorf("%s, with %s: %v", test.id, test.witness, err)
		}
		c, _ = setup(t, shelf(test.witness+"@1", test.id+"@1"))
		if found, err := lookedUp(t, c, []string{test.id}, test.witness); len(found) != 2 || err != nil {
			t.Errorf("%s comes back: %v, %v", test.id, found, err)
		}
	}
}

func TestLookupsAreRightOrRefusedUnderEachReading(t *testing.T) {
	t.Parallel()
	for text, works := range map[string]bool{
		"by_id=taken": true, "by_id=ignored": false, "by_id=400": false, "by_id=404": false,
		"transaction_ids=shared": true, "transaction_ids=number": true, "window=400": true, "window=ignored": true, "pending=undated": true,
		"since_compares=value_date": true, "by_id=ignored,window=ignored": false, "by_id=ignored,transaction_ids=shared": false,
	} {
		readings, err := sandbox.ParseReadings(text)
		if err != nil {
			t.Fatal(err)
		}
		bank, err := sandbox.New(sandbox.Options{Users: 3, Seed: 5, Readings: readings})
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(Config{BaseURL: "http://bank.test", ClientID: "sandbox", ClientSecret: "sandbox", Transport: bank.Transport(), RetryMaxElapsed: -1})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			lookUpSome(t, c, bank.UserID(i), text, works)
		}
	}
}

// lookUpSome compares a lookup with what a full read says.
func lookUpSome(t *testing.T, c *Client, user, text string, works bool) {
	t.Helper()
	l, err := c.Transactions(t.Context(), user, TransactionQuery{})
	there := all(t, l, err)
	want := map[string]bool{}
	ids := []string{"not-there", "9999"}
	for i, tx := range there {
		if i%7 == 1 && len(ids) < 120 {
			ids = append(ids, tx.ID)
		}
	}
	witness := there[len(there)-1].ID
	for _, tx := range there {
		if slices.Contains(ids, tx.ID) || tx.ID == witness {
			want[tx.ID+"@"+tx.AccountID] = true
		}
	}
	l, err = c.TransactionsByID(t.Context(), user, ids, witness)
	if !works {
		if !errors.Is(err, ErrNotByID) {
			t.Errorf("%s: believed: %v", text, err)
		}
		return
	}
	got := map[string]bool{}
	for _, tx := range all(t, l, err) {
		got[tx.ID+"@"+tx.AccountID] = true
	}
	if !maps.Equal(want, got) {
		t.Errorf("%s: %d of %d found", text, len(got), len(want))
	}
}

func TestTransactionsOfTheLastMonthsAreAskedForAsSuch(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{body: "[]"}))
	for _, q := range []TransactionQuery{{LastMonths: 3}, {LastMonths: -1}, {LastMonths: 1, Since: time.Unix(0, 0).UTC()}} {
		l, err := c.Transactions(t.Context(), testUser, q)
		all(t, l, err)
	}
	if d := cmp.Diff([]string{"lastMonths=3", "", "lastMonths=1&since=1970-01-01T00:00:00Z"}, a.queries()); d != "" {
		t.Error(d)
	}
}
