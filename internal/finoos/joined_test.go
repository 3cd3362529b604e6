package finoos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/semaphore"
)

func joinedOf(t *testing.T, body string, tweak ...func(*Config)) (*Joined, error) {
	t.Helper()
	c, _ := setup(t, always(reply{body: body}), tweak...)
	j, err := c.Joined(t.Context(), testUser)
	if err == nil {
		t.Cleanup(func() { _ = j.Close() })
	}
	return j, err
}

const (
	accountA = `"accountId":"A","name":"Giro","balance":1.10,"icon":"x","standingOrders":[{"id":"s1","amount":2}]`
	accountB = `"name":"Spar","accountId":"B"`
	booking1 = `{"transactionId":"1","accountId":"A","amount":-3.50,"paymentPartner":{"name":"P","x":1},"tags":["food"],"note":"n","confidence":0.9}`
	booking2 = `{"transactionId":"2","accountId":"A","tags":[{"id":"rent"},"home"],"valueDate":"2026-01-02"}`
	booking3 = `{"transactionId":"3","accountId":"B","tags":[]}`
)

// TestOneBodyReadsAsItsEndpointsWould compares records, and their hashes, with those of
// the three endpoints.
func TestOneBodyReadsAsItsEndpointsWould(t *testing.T) {
	t.Parallel()
	const body = ` {"accounts" : [ {` + accountA + `,"Transactions":[` + booking1 + ` , ` + booking2 + `]},{"transactions":[` + booking3 + `],` + accountB + `}], "metaData":{"page":1,"totalPages":1},"note":null}`
	j, err := joinedOf(t, body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(JoinedSize{Accounts: 2, Transactions: 3, Largest: 2}, j.Size()); diff != "" {
		t.Error(diff)
	}
	want := func(body string) *Client {
		c, _ := setup(t, always(reply{body: body}))
		return c
	}
	accounts, err := want(`{"accounts":[{`+accountA+`},{`+accountB+`}]}`).Accounts(t.Context(), testUser)
	if diff := cmp.Diff(all(t, accounts, err), all(t, j.Accounts(), nil)); diff != "" {
		t.Error("accounts", diff)
	}
	plain := strings.ReplaceAll(booking1, `,"confidence":0.9`, "")
	transactions, err := want(`[`+plain+`,`+booking2+`,`+booking3+`]`).Transactions(t.Context(), testUser, TransactionQuery{})
	view := NewJoinedView([]string{"Confidence"}, []string{"note"})
	if diff := cmp.Diff(all(t, transactions, err), all(t, j.Transactions(view), nil)); diff != "" {
		t.Error("transactions", diff)
	}
	tags, err := want(`{"categorization":[{"transactionId":"1","accountId":"A","tags":["food"],"confidence":0.9},{"transactionId":"2","accountId":"A","tags":["rent","home"]},{"transactionId":"3","accountId":"B","tags":[]}]}`).
		Categorization(t.Context(), testUser, "")
	if diff := cmp.Diff(all(t, tags, err), all(t, j.Categorization(view), nil)); diff != "" {
		t.Error("tags", diff)
	}
	// Without a view, what no column holds is everybody's.
	for r, err := range j.Categorization(NewJoinedView(nil, nil)).All() {
		if r.TransactionID == "1" && r.Extra != `{"note":"n","confidence":0.9}` || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

func TestATransactionIsOfTheAccountThatItStandsIn(t *testing.T) {
	t.Parallel()
	j, err := joinedOf(t, `[{"accountId":"A","transactions":[{"transactionId":"1"},{"transactionId":"2","accountId":null,"amount":1},{"accountId":"A","transactionId":"3"}]},{"accountId":7,"transactions":[{"transactionId":"4"}]}]`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all(t, j.Transactions(NewJoinedView(nil, nil)), nil) {
		got = append(got, r.AccountID+r.ID)
	}
	if diff := cmp.Diff([]string{"A1", "A2", "A3", "74"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestABodyThatStandsForNoOthersSaysWhy(t *testing.T) {
	t.Parallel()
	one := func(transactions string) string {
		return `{"accounts":[{"accountId":"A","transactions":` + transactions + `}]}`
	}
	for body, why := range map[string]string{
		one(`[]`): JoinedEmpty, `{"accounts":[]}`: JoinedEmpty, one(`null`): JoinedLacks, one(`{}`): JoinedLacks, `{"accounts":[{"accountId":"A"}]}`: JoinedLacks,
		`{"accounts":null}`: JoinedLacks, `{}`: JoinedLacks, `null`: JoinedLacks, `"x"`: JoinedUnreadable, ``: JoinedUnreadable, `{"accounts":{}}`: JoinedLacks,
		`{"accounts":[1]}`: JoinedUnreadable, one(`[1]`): JoinedUnreadable, one(`[{"transactionId":"1"}`): JoinedUnreadable, one(`[{"transactionId":"1"},]`): JoinedUnreadable,
		one(`[{"transactionId":"1"}]`) + `x`: JoinedUnreadable, `{"accounts":[],"accounts":[]}`: JoinedSaysMore, `{"accounts":[],"items":[1]}`: JoinedSaysMore,
		`{"hasMore":true,"accounts":[]}`: JoinedSaysMore, `{"accounts":[],"metaData":{"total":900,"pageSize":500}}`: JoinedPaged, `{"accounts":[],"context":{"next":"2"}}`: JoinedPaged,
		one(`[{"transactionId":"1","accountId":"B"}]`): JoinedForeign, `{"accounts":[{"transactions":[{"transactionId":"1"}],"accountId":"A"}]}`: JoinedForeign,
		one("[{\"transactionId\":\"1\",\"purpose\":\"\xff\"}]"): JoinedUnreadable, `{"accounts":[{"accountId":"A","transactions":[{"transactionId":"1"}],"transactions":[]}]}`: JoinedLacks,
	} {
		_, err := joinedOf(t, body)
		if not, ok := errors.AsType[*NotJoinedError](err); !ok || not.Why != why {
			t.Errorf("%s: %v, want %s", body, err, why)
		}
	}
	c, _ := setup(t, always(reply{status: http.StatusNoContent}))
	if _, err := c.Joined(t.Context(), testUser); err == nil || !strings.Contains(err.Error(), JoinedEmpty) {
		t.Errorf("no content: %v", err)
	}
}

// TestAnAccountOfAnySizeIsSplitInLittleMemory has one of 40 MiB, which no record may
// have: its transactions are no part of it.
func TestAnAccountOfAnySizeIsSplitInLittleMemory(t *testing.T) {
	t.Parallel()
	const n = 40_000
	var body bytes.Buffer
	body.WriteString(`{"accounts":[{"accountId":"A","transactions":[`)
	purpose := strings.Repeat("p", 1000)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"transactionId":"%d","purpose":"%s"}`, i, purpose)
	}
	body.WriteString(`]}]}`)
	dir := t.TempDir()
	budget := semaphore.NewWeighted(1 << 20)
	j, err := joinedOf(t, body.String(), func(c *Config) { c.Budget, c.ScratchDir = budget, dir })
	if err != nil {
		t.Fatal(err)
	}
	list := j.Transactions(NewJoinedView(nil, nil))
	if !list.Spilled() {
		t.Error("it lies in memory")
	}
	got := 0
	if err := list.Each(func(*Transaction) error { got++; return nil }); err != nil || got != n || body.Len() < 2*maxRecord {
		t.Errorf("%d transactions of %d bytes, %v", got, body.Len(), err)
	}
	if err := list.Close(); err != nil {
		t.Error(err)
	}
	if err := list.Each(func(*Transaction) error { return nil }); err != nil {
		t.Errorf("what was lent cannot be read again: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if !budget.TryAcquire(1 << 20) {
		t.Error("memory is not given back")
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("%v, %v", left, err)
	}
}

// FuzzJoined reads whatever comes. What is split holds the same accounts and
// transactions as the plainest reader finds.
func FuzzJoined(f *testing.F) {
	for _, seed := range []string{
		`{"accounts":[{` + accountA + `,"transactions":[` + booking1 + `,` + booking2 + `]},{` + accountB + `,"transactions":[]}]}`,
		`[{"accountId":"A","transactions":[{},{"a":[{"b":"]}"}]}]}]`, `{"metaData":{"totalPages":1},"accounts":[{"transactions":[],"accountId":"\u0041"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		body, err := newSpool(t.Context(), strings.NewReader(text), 1<<30, spoolRoom{})
		if err != nil {
			t.Fatal(err)
		}
		defer closeQuietly(body)
		read := func(bookings bool) ([]byte, JoinedSize, error) {
			s := newSplit(body, bookings)
			defer s.close()
			out, err := io.ReadAll(s)
			return out, s.size, err
		}
		accounts, size, err := read(false)
		if err != nil {
			if _, ok := errors.AsType[*NotJoinedError](err); !ok {
				t.Fatalf("got %v", err)
			}
			return
		}
		bookings, again, err := read(true)
		if err != nil {
			return
		}
		var got struct{ accounts, bookings []map[string]json.RawMessage }
		if json.Unmarshal(accounts, &got.accounts) != nil || json.Unmarshal(bookings, &got.bookings) != nil {
			t.Fatalf("no lists: %s, %s", accounts, bookings)
		}
		if size != again || len(got.accounts) != size.Accounts || len(got.bookings) != size.Transactions {
			t.Fatalf("%+v, %+v: %d and %d", size, again, len(got.accounts), len(got.bookings))
		}
		var want struct {
			Accounts []struct {
				Transactions []json.RawMessage `json:"transactions"`
			} `json:"accounts"`
		}
		if strings.HasPrefix(strings.TrimSpace(text), "[") {
			text = `{"accounts":` + text + `}`
		}
		if json.Unmarshal([]byte(text), &want) != nil {
			return // names twice, or more than this reader takes
		}
		n := 0
		for _, a := range want.Accounts {
			n += len(a.Transactions)
		}
		if len(want.Accounts) != size.Accounts || n != size.Transactions {
			t.Fatalf("%d accounts and %d transactions, want %d and %d", size.Accounts, size.Transactions, len(want.Accounts), n)
		}
		for _, b := range got.bookings {
			if !hasName(b, "accountid") {
				t.Fatalf("a transaction of no account: %s", bookings)
			}
		}
	})
}

func hasName(of map[string]json.RawMessage, lower string) bool {
	for name := range of {
		if strings.ToLower(name) == lower {
			return true
		}
	}
	return false
}
