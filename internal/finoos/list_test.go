package finoos

import (
	"errors"
	"strings"
	"testing"

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
