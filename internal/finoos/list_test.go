package finoos

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func loginIDs(t *testing.T, text string) ([]string, error) {
	t.Helper()
	l := listOfText(t, loginSchema, text, "logins", "bankLogins")
	ids := []string{}
	for login, err := range l.All() {
		if err != nil {
			return ids, err
		}
		ids = append(ids, login.ID)
	}
	return ids, l.Close()
}

func TestListIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`[{"bankLoginId":"a"},{"bankLoginId":"b"}]`,
		` [ {"bankLoginId":"a"} , {"bankLoginId":"b"} ] `,
		`{"logins":[{"bankLoginId":"a"},{"bankLoginId":"b"}]}`,
		`{"BANKLOGINS":[{"bankLoginId":"a"},{"bankLoginId":"b"}],"errors":[]}`,
		`{"errors":[],"warnings":[1],"logins":[{"bankLoginId":"a"},{"bankLoginId":"b"}],"context":{}}`,
		`{"context":{"page":1},"data":[{"bankLoginId":"a"},{"bankLoginId":"b"}],"ok":true}`,
	} {
		ids, err := loginIDs(t, text)
		if d := cmp.Diff([]string{"a", "b"}, ids); d != "" || err != nil {
			t.Errorf("%s: %v %s", text, err, d)
		}
	}
}

func TestListMayBeEmptyOnlyUnderItsName(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`[]`, `{"logins":[]}`, `{"Logins":[],"errors":[{"a":1}]}`} {
		if ids, err := loginIDs(t, text); err != nil || len(ids) > 0 {
			t.Errorf("%s: %v %v", text, ids, err)
		}
	}
	for _, text := range []string{
		`{}`, `null`, `"x"`, `7`, `true`, `{"data":[]}`, `{"logins":null}`, `{"logins":{}}`,
		`{"a":[{"bankLoginId":"a"}],"b":[{"bankLoginId":"b"}]}`,
	} {
		if ids, err := loginIDs(t, text); ClassOf(err) != Malformed || !errors.Is(err, errNoList) {
			t.Errorf("%s: %v %v", text, ids, err)
		}
	}
}

func TestAnswerThatIsNoJSONIsMalformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `  `, `<html><body>502</body></html>`, `[`, `[{"bankLoginId":"a"}`, `[{"bankLoginId":"a"},]`,
		`[{"bankLoginId":"a"}]]`, `[{"bankLoginId":"a"}] x`, `[][]`, `{"logins":[]`, `{"logins":[{"bankLoginId":`,
		`{"logins":[]}{}`, `{"context":{"logins":[]}`, `[{'bankLoginId':'a'}]`, `[{"bankLoginId":"a" "x"}]`,
		"[{\"bankLoginId\":\"a\n\"}]", `[NaN]`, strings.Repeat(`[`, 20_000),
	} {
		_, err := loginIDs(t, text)
		if ClassOf(err) != Malformed {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

func TestMalformedAnswerIsNotQuoted(t *testing.T) {
	t.Parallel()
	_, err := loginIDs(t, `{"logins":[{"bankLoginId":"DE89-private" "x"}]}`)
	if err == nil || strings.Contains(err.Error(), "private") {
		t.Errorf("got %v", err)
	}
}

func TestErrorEndsAList(t *testing.T) {
	t.Parallel()
	l := listOfText(t, loginSchema, `[{"bankLoginId":"a"},{},{"bankLoginId":"c"}]`)
	calls := 0
	var last error
	for _, err := range l.All() {
		calls++
		last = err
	}
	if calls != 2 || last == nil || !strings.Contains(last.Error(), "record 2: bank login: bankLoginId: missing") {
		t.Errorf("%d calls, the last with %v", calls, last)
	}
}

func TestListMayBeReadAgainAndLeftEarly(t *testing.T) {
	t.Parallel()
	l := listOfText(t, loginSchema, `[{"bankLoginId":"a"},{"bankLoginId":"b"}]`)
	for range 3 {
		for login, err := range l.All() {
			if err != nil || login.ID != "a" {
				t.Fatalf("got %v, %v", login.ID, err)
			}
			break
		}
	}
	if got := all(t, l, nil); len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestClosedListIsNotTakenForAnEmptyOne(t *testing.T) {
	t.Parallel()
	l := listOfText(t, loginSchema, `[]`)
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err := failure(l, nil); !errors.Is(err, errClosed) {
		t.Errorf("a closed list reads as empty: %v", err)
	}
}

func TestRecordOfAnySizeIsNotHeld(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", maxRecord+1<<20)
	_, err := loginIDs(t, `[{"bankLoginId":"`+huge+`"}]`)
	if ClassOf(err) != TooLarge {
		t.Errorf("got %v", err)
	}
	// What stands around the list is passed by in pieces.
	many := strings.Repeat(`"xxxxxxxxxxxxxxx",`, maxRecord/16)
	ids, err := loginIDs(t, `{"other":[`+many+`1],"logins":[{"bankLoginId":"a"}]}`)
	if err != nil || len(ids) != 1 {
		t.Errorf("got %v, %v", ids, err)
	}
}

func TestNullInAListsPlaceIsToldFromWhatIsNoList(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, ` `, `null`, `{}`, `{"logins":null}`, `{"BankLogins":null,"context":{"page":1}}`, `{"context":{}}`, `{"context":null}`, `{"data":[]}`, `{"data":null}`,
		`{"logins":null,"correlationId":"c"}`, `{"logins":null,"error":null}`, `{"errors":[]}`, `{"logins":null,"warnings":[]}`, `{"logins":null,"context":{"total":0}}`,
	} {
		if _, err := loginIDs(t, text); !IsNullList(err) || ClassOf(err) != Malformed {
			t.Errorf("%s is no null list: %v", text, err)
		}
		l := listOfText(t, loginSchema, text, "logins", "bankLogins")
		l.NullIsEmpty()
		if got := all(t, l, nil); len(got) > 0 || !l.WasNull() {
			t.Errorf("%s: not taken for empty", text)
		}
	}
	for _, text := range []string{
		`"x"`, `{"error":"busy"}`, `{"logins":null,"error":"busy"}`, `{"logins":null,"type":"x","message":"y"}`, `{"logins":{}}`, `{"logins":""}`, `[null]`,
		`{"status":"maintenance"}`, `{"data":{"logins":null}}`, `{"a":[],"b":[]}`, `{"data":[],"message":"busy"}`, `<html>`, `{"logins":null`, `nul`, `{"logins":null,"errors":["busy"]}`,
	} {
		l := listOfText(t, loginSchema, text, "logins", "bankLogins")
		l.NullIsEmpty()
		if err := failure(l, nil); IsNullList(err) || ClassOf(err) != Malformed {
			t.Errorf("%s is taken for a null list: %v", text, err)
		}
	}
	l := listOfText(t, loginSchema, `[]`)
	l.NullIsEmpty()
	if got := all(t, l, nil); len(got) > 0 || l.WasNull() {
		t.Error("an empty list was null")
	}
	l = listOfText(t, loginSchema, `{"logins":null,"metaData":{"total":2}}`, "logins")
	l.NullIsEmpty()
	if err := failure(l, nil); !IsNullList(err) {
		t.Errorf("null, and two records told: %v", err)
	}
}

// totalsOf answers users by what their ids say: records/total.
func totalsOf(where func(records, total string) string) func(*http.Request, int) reply {
	return func(r *http.Request, _ int) reply {
		user := strings.Split(r.URL.Path, "/")[3]
		text := strings.SplitN(user, "-", 3)
		n, _ := strconv.Atoi(text[1])
		records := make([]string, n)
		for i := range records {
			records[i] = fmt.Sprintf(`{"accountId":"%d","contractId":"%d","bankLoginId":"%d","transactionId":"%d","balances":[],"tags":[]}`, i, i, i, i)
		}
		return reply{body: where(strings.Join(records, ","), text[2])}
	}
}

func TestATotalIsReliedOnWhereItWasRightForThreeUsers(t *testing.T) {
	t.Parallel()
	beside := func(list, member string) func(records, total string) string {
		return func(records, total string) string {
			return `{"` + member + `":{"total":` + total + `},"` + list + `":[` + records + `],"more":{"total":77}}`
		}
	}
	for name, test := range map[string]struct {
		answer func(records, total string) string
		read   func(c *Client, user string) error
	}{
		"accounts":  {beside("accounts", "metaData"), func(c *Client, user string) error { return failure(c.Accounts(t.Context(), user)) }},
		"contracts": {beside("contracts", "context"), func(c *Client, user string) error { return failure(c.Contracts(t.Context(), user)) }},
		"histories": {beside("histories", "metadata"), func(c *Client, user string) error { return failure(c.AccountHistory(t.Context(), user)) }},
		"logins":    {beside("logins", "Context"), func(c *Client, user string) error { return failure(c.Logins(t.Context(), user)) }},
		"transactions": {
			beside("transactions", "context"), func(c *Client, user string) error {
				return failure(c.Transactions(t.Context(), user, TransactionQuery{}))
			},
		},
		"categorization": {
			func(records, total string) string {
				return `{"categorization":[` + records + `],"metaData":{"totalPages":1,"total":` + total + `}}`
			}, func(c *Client, user string) error { return failure(c.Categorization(t.Context(), user, "")) },
		},
	} {
		c, _ := setup(t, totalsOf(test.answer))
		for i, step := range []struct {
			user  string
			short bool
		}{
			{"a-2-2", false},
			{"a-2-2", false}, // the same again
			{"b-2-3", false}, // not relied on yet
			{"c-0-0", false}, // says nothing
			{"d-5-5", false},
			{"b-2-3", false},
			{"e-4-3", false}, // more than told
			{"f-1-1", false},
			{"b-2-3", true},
			{"g-0-1", true},
			{"h-4-3", false},
			{"d-5-5", false},
		} {
			if err := test.read(c, step.user); IsShort(err) != step.short || err != nil && (!step.short || ClassOf(err) != Malformed) {
				t.Errorf("%s: step %d, %s: %v", name, i, step.user, err)
			}
		}
		off := c.Stats().TotalsOff
		if len(off) != 1 {
			t.Errorf("%s: %v", name, off)
		}
		for _, n := range off {
			if n != 3 { // b, e, h; b only once while it was the last
				t.Errorf("%s: %d users were off", name, n)
			}
		}
	}
}

func TestWhatIsAskedForInPartIsComparedWithNoTotal(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, totalsOf(func(records, total string) string {
		return `{"categorization":[` + records + `],"metaData":{"total":` + total + `,"totalPages":1}}`
	}))
	for _, user := range []string{"a-1-1", "b-1-1", "c-1-1"} {
		if err := errors.Join(failure(c.Categorization(t.Context(), user, "")), failure(c.Transactions(t.Context(), user, TransactionQuery{}))); err != nil {
			t.Fatal(err)
		}
	}
	if err := failure(c.Categorization(t.Context(), "d-1-9", "")); !IsShort(err) {
		t.Fatalf("nothing is compared at all: %v", err)
	}
	if err := failure(c.Categorization(t.Context(), "d-1-9", "since")); err != nil {
		t.Errorf("a diff: %v", err)
	}
	for _, q := range []TransactionQuery{{Since: time.Now()}, {Until: time.Now()}, {LastMonths: 3}} {
		if err := failure(c.Transactions(t.Context(), "d-1-9", q)); err != nil {
			t.Errorf("a window: %v", err)
		}
	}
}

// What was gone through once is being written: that is no time to find that it is
// short, by a total that is relied on since.
func TestAListThatWasGoneThroughIsNotFoundShortLater(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, totalsOf(func(records, total string) string {
		return `{"contracts":[` + records + `],"metaData":{"total":` + total + `}}`
	}))
	l, err := c.Contracts(t.Context(), "early-2-3")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	pass := func(*Contract) error { return nil }
	if err := l.Each(pass); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"a-1-1", "b-1-1", "c-1-1"} {
		if err := failure(c.Contracts(t.Context(), user)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Each(pass); err != nil {
		t.Errorf("when it is gone through again: %v", err)
	}
	if err := failure(c.Contracts(t.Context(), "early-2-3")); !IsShort(err) {
		t.Errorf("when it is asked for again: %v", err)
	}
}
