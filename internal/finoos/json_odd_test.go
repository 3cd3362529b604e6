package finoos

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAFieldOfAUserThatCannotBeReadIsNullAndStaysAsItWasSpelled(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	for name, field := range map[string]string{
		"a time without an offset":    `"createdAt":"2024-01-22T14:08:47"`,
		"a time as a number":          `"createdAt":1705928927`,
		"a time in milliseconds":      `"createdAt":"1705928927000"`,
		"an hour that is none":        `"createdAt":"2024-01-22T24:00:00+01:00"`,
		"a day that is none":          `"createdAt":"2024-02-30T10:00:00Z"`,
		"a year zero":                 `"createdAt":"0000-00-00"`,
		"a time in words":             `"createdAt":"yesterday"`,
		"a time in parts":             `"createdAt":{"seconds":1705928927,"nanos":0}`,
		"a time as a boolean":         `"createdAt":true`,
		"a name in parts":             `"name":{"first":"A","last":["B",1.50]}`,
		"names":                       `"name":["A","B"]`,
		"a tenant in parts":           `"tenant":{"id":"t"}`,
		"a custom id in parts":        `"customUserID":{"id":"\u00e4"}`,
		"a text where a list is due":  `"duplicates":"u9"`,
		"a number where a list is":    `"duplicates":7`,
		"an object in a list":         `"duplicates":["u9",{"id":"u8"}]`,
		"a list in a list":            `"userScopes":[["banking"]]`,
		"a list of lists, too deeply": `"userScopes":` + deep,
		"a text nested too deeply":    `"name":` + deep,
	} {
		for _, text := range []string{`{"id":"u1",` + field + `,"type":"person"}`, `{` + field + `,"type":"person","ID":"u1"}`} {
			u, err := decodeText(userSchema, text)
			want := User{ID: "u1", Type: "person", Record: Record{Extra: "{" + field + "}", Unreadable: 1}}
			if d := cmp.Diff(want, u, ignoreHash); d != "" || err != nil {
				t.Errorf("%s: %v %.300s", name, err, d)
			}
			if u.Hash == 0 || u.Hash == one(t, userSchema, `{"id":"u1","type":"person"}`).Hash {
				t.Errorf("%s: the hash does not know of the field", name)
			}
		}
	}
}

func TestWhatNobodyKnowsMayBeNestedDeeply(t *testing.T) {
	t.Parallel()
	nested := func(s string) string { return strings.Repeat(`{"x": [`, 100) + s + strings.Repeat("]}", 100) }
	a := one(t, userSchema, `{"id":"u1","meta":`+nested("1")+`}`)
	if want := `{"meta":` + strings.ReplaceAll(nested("1"), " ", "") + `}`; a.Extra != want || a.Unreadable != 0 {
		t.Errorf("extra is %.80s, %d unreadable", a.Extra, a.Unreadable)
	}
	if b := one(t, userSchema, `{"meta": `+nested(" 1 ")+`,"id":"u1"}`); b.Hash != a.Hash {
		t.Error("the space between tokens changes the hash")
	}
	if b := one(t, userSchema, `{"id":"u1","meta":`+nested("2")+`}`); b.Hash == a.Hash {
		t.Error("another value has the same hash")
	}
}

func TestInstantsAreReadAsWidelyAsIsUnambiguous(t *testing.T) {
	t.Parallel()
	base := time.Date(2024, 1, 22, 13, 8, 47, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2024-01-22T14:08:47+01:00":            base,
		"2024-01-22t13:08:47z":                 base,
		"2024-01-22T13:08:47z":                 base,
		"2024-01-22 14:08:47+01:00":            base,
		"2024-01-22 14:08:47 +0100":            base,
		"2024-01-22T14:08:47+01":               base,
		"2024-01-22T14:08:47+0100":             base,
		"2024-01-22T14:08+01:00":               base.Truncate(time.Minute),
		"2024-01-22T13:08Z":                    base.Truncate(time.Minute),
		"2024-01-22T13:08:47.5Z":               base.Add(500 * time.Millisecond),
		"2024-01-22T13:08:47,25Z":              base.Add(250 * time.Millisecond),
		"2024-01-22T13:08:47.1234567z":         base.Add(123456 * time.Microsecond),
		"2024-01-22T13:08:47.123456789999999Z": base.Add(123456 * time.Microsecond),
		"2024-01-22t14:08:47.000000999+01:00":  base,
		"2024-01-22":                           date(2024, 1, 22),
		"2024-01-22Z":                          date(2024, 1, 22),
		"2024-01-22+01:00":                     date(2024, 1, 22).Add(-time.Hour),
		"1969-12-31T23:59:59.9999999Z":         time.Unix(0, 0).UTC().Add(-time.Microsecond),
		"2024-12-31T23:30:00-05:00":            time.Date(2025, 1, 1, 4, 30, 0, 0, time.UTC),
	} {
		u := one(t, userSchema, `{"id":"u1","createdAt":"`+text+`"}`)
		if !u.CreatedAt.Equal(want) || u.Extra != "" || u.Unreadable != 0 {
			t.Errorf("%s is read as %v, extra %s", text, u.CreatedAt, u.Extra)
		}
	}
	for _, text := range []string{
		"2024-01-22T14:08:47", "2024-01-22 14:08:47", "22.01.2024", "2024-01-22T14:08:47 CET", "2024-01-22T14:08:60Z", "20240122T140847Z", "2024-01", " ", "z", "2024-01-22T",
	} {
		if u := one(t, userSchema, `{"id":"u1","createdAt":"`+text+`"}`); !u.CreatedAt.IsZero() || u.Unreadable != 1 {
			t.Errorf("%s is read as %v", text, u.CreatedAt)
		}
	}
}

func TestAnIDIsATextOrAWholeNumber(t *testing.T) {
	t.Parallel()
	decode := map[string]func(string) (string, error){
		"id":            func(s string) (string, error) { r, err := decodeText(userSchema, s); return r.ID, err },
		"accountId":     func(s string) (string, error) { r, err := decodeText(accountSchema, s); return r.ID, err },
		"transactionId": func(s string) (string, error) { r, err := decodeText(transactionSchema, s); return r.ID, err },
		"bankLoginId":   func(s string) (string, error) { r, err := decodeText(loginSchema, s); return r.ID, err },
		"contractId":    func(s string) (string, error) { r, err := decodeText(contractSchema, s); return r.ID, err },
		"correlationID": func(s string) (string, error) { r, err := decodeText(correlationSchema, s); return r.ID, err },
	}
	for name, decode := range decode {
		for text, want := range map[string]string{
			`17`: "17", `12345678901234567890`: "12345678901234567890", `"17"`: "17", `" "`: " ", `"\ufffd"`: "\ufffd", `"\ud83c\udfe6"`: "🏦",
			`"` + strings.Repeat("x", 1024) + `"`: strings.Repeat("x", 1024),
		} {
			if got, err := decode(`{"` + name + `":` + text + `}`); got != want || err != nil {
				t.Errorf("%s %.40s: got %.40q, %v", name, text, got, err)
			}
		}
		for text, want := range map[string]string{
			`null`: "missing", `""`: "missing", `1.0`: "no id", `1e3`: "no id", `true`: "no id", `{"v":"a"}`: "type", `["a"]`: "type",
			`"a\u0000"`: "control", `"a\nb"`: "control", `"\u009b"`: "control", `"\ud800"`: "UTF-8",
			`"` + strings.Repeat("x", 1025) + `"`: "1024",
		} {
			_, err := decode(`{"` + name + `":` + text + `}`)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "xxx") {
				t.Errorf("%s %.40s: got %v, want %s", name, text, err, want)
			}
		}
	}
}

func TestAnIDInAWrongEncodingIsNoID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"[{\"bankLoginId\":\"a\xff\"}]", "[{\"bankLoginId\":\"\xed\xa0\x80\"}]"} {
		if ids, err := loginIDs(t, text); ClassOf(err) != Malformed {
			t.Errorf("%q: %q, %v", text, ids, err)
		}
	}
	if ids, err := loginIDs(t, "[{\"bankLoginId\":\"a\",\"status\":\"\xff\"},{\"bankLoginId\":\"\ufffd\"}]"); err != nil || len(ids) != 2 {
		t.Errorf("%q, %v", ids, err)
	}
}
