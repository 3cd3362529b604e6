package finoos

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

// oddly reads a record beside what is the same without the field.
func oddly[T any](s *schema[T], record func(*T) *Record, ids string) func(string) (rec, plain Record, rest string, err error) {
	return func(field string) (Record, Record, string, error) {
		got, err := decodeText(s, "{"+ids+","+field+"}")
		if err != nil {
			return Record{}, Record{}, "", err
		}
		want, err := decodeText(s, "{"+ids+"}")
		rec, plain := *record(&got), *record(&want)
		*record(&got) = plain
		return rec, plain, cmp.Diff(want, got), err
	}
}

func TestNothingButIDsHasToBeReadable(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	for _, tt := range []struct {
		read   func(string) (rec, plain Record, rest string, err error)
		fields []string
	}{
		{oddly(accountSchema, func(a *Account) *Record { return &a.Record }, `"accountId":"a"`), []string{
			`"balance":"1.234,56"`, `"balance":"01"`, `"balance":true`, `"balance":"NaN"`, `"balance":{"value":1,"scale":2}`, `"name":{"first":"A"}`, `"iban":["DE"]`, `"currency":{"code":"EUR"}`, `"bankLoginId":[]`, `"name":` + deep,
		}},
		{oddly(transactionSchema, func(x *Transaction) *Record { return &x.Record }, `"transactionId":"t","accountId":"a"`), []string{
			`"bookingDate":"2026-02-30"`, `"bookingDate":"0000-00-00"`, `"bookingDate":"0000-01-01"`, `"bookingDate":"0001-01-01"`, `"valueDate":1767225600`,
			`"valueDate":"1767225600000"`, `"valueDate":"31.12.2026"`, `"valueDate":"2026-02-03x"`, `"valueDate":"2026-02-03-2027"`, `"valueDate":"2026-02-03 - 2026-02-05"`,
			`"valueDate":{"year":2026}`, `"amount":"12,50"`, `"amount":{"amount":1,"currency":"EUR"}`, `"amount":[1]`, `"paymentPartner":"P"`, `"paymentPartner":["P"]`,
			`"paymentPartner":{"iban":[]}`, `"tags":"food"`, `"tags":[{"label":"x"}]`, `"tags":["x",["y"]]`, `"tags":{"id":"x"}`, `"purpose":{"text":"x"}`, `"tags":` + deep, `"paymentPartner":` + deep,
		}},
		{oddly(contractSchema, func(c *Contract) *Record { return &c.Record }, `"contractId":"c"`), []string{
			`"contractPartner":"Netz"`, `"isActive":1`, `"isActive":"ja"`, `"nextBookingDate":"soon"`, `"nextBookingRange":"soon"`, `"nextBookingRange":["2024-01-01"]`,
			`"nextBookingRange":{"from":"2024-01-01","to":"2024-02-30"}`, `"transactions":[{"amount":1}]`, `"interval":{"unit":"month"}`, `"amount":{"value":1}`,
		}},
		{oddly(loginSchema, func(l *BankLogin) *Record { return &l.Record }, `"bankLoginId":"l"`), []string{
			`"lastSynchronization":"2024-01-22T14:08:47"`, `"lastSynchronization":1767225600`, `"lastSynchronization":"0001-01-01T00:00:00+01:00"`,
			`"lastSynchronization":"9999-12-31T23:59:59-01:00"`, `"active":"maybe"`, `"status":{"code":"OK"}`,
		}},
		{oddly(categorizationSums, func(c *Categorization) *Record { return &c.Record }, `"transactionId":"t"`), []string{`"tags":"food"`, `"tags":7`}},
		{oddly(historySchema, func(h *AccountHistory) *Record { return &h.Record }, `"accountId":"a"`), []string{`"balances":{"2024-01-01":1}`, `"balances":"none"`, `"balances":7`}},
	} {
		for _, field := range tt.fields {
			rec, plain, rest, err := tt.read(field)
			if rec.Unreadable != 1 || rec.Extra != "{"+field+"}" || rest != "" || err != nil {
				t.Errorf("%.80s: %+.200v, %v, %s", field, rec, err, rest)
			}
			if plain.Hash != 0 && rec.Hash == plain.Hash {
				t.Errorf("%.80s: the hash does not know of it", field)
			}
		}
	}
}

func TestAPartnerOfWhomSomethingCannotBeReadIsKeptBesideTheRest(t *testing.T) {
	t.Parallel()
	got := one(t, contractSchema, `{"id":"c","contractPartner":{"id":["p"],"name":"N"}}`)
	want := Contract{ID: "c", PartnerName: "N", Partner: `{"id":["p"],"name":"N"}`, Record: Record{Extra: `{"contractPartner":{"id":["p"],"name":"N"}}`, Unreadable: 1}}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestATagThatCannotBeReadTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	got := one(t, categorizationSums, `{"transactionId":"t","tags":["a",{"label":"b"},["c"],{"id":{}},"d"]}`)
	want := Categorization{TransactionID: "t", Tags: []string{"a", "d"}, Record: Record{
		Extra: `{"tags":["a",{"label":"b"},["c"],{"id":{}},"d"]}`, Unreadable: 3,
	}}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestABalanceWithoutItsDayIsLeftOutAndTold(t *testing.T) {
	t.Parallel()
	l := listOfText(t, historySchema, `[{"accountId":"a","balances":[{"date":"2024-01-01","balance":"1,5"},{"balance":2},{"date":"2024-02-30","balance":3},{"date":1706784000},
		null,"x",{"date":"0001-01-01"},{"date":"2024-01-03z","balance":4}]},{"accountId":"b","balances":null},{"accountId":"c"},{"accountId":"d","balances":[]},{"accountId":"e","balances":7}]`)
	defer closeQuietly(l)
	var got []AccountHistory
	for h, err := range l.All() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h)
	}
	want := []AccountHistory{
		{AccountID: "a", Listed: true, Undated: 6, Record: Record{Unreadable: 6}, Balances: []Balance{
			{Date: date(2024, 1, 1), Extra: `{"balance":"1,5"}`, Unreadable: 1}, {Date: date(2024, 1, 3), Balance: "4"},
		}},
		{AccountID: "b"},
		{AccountID: "c"},
		{AccountID: "d", Listed: true},
		{AccountID: "e", Record: Record{Extra: `{"balances":7}`, Unreadable: 1}},
	}
	if d := cmp.Diff(want, got, ignoreHash, cmpopts.IgnoreFields(Balance{}, "Hash"), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	for _, h := range got {
		if h.Complete() != (h.AccountID == "d") {
			t.Errorf("%s: days can be missed: %v", h.AccountID, h.Complete())
		}
	}
}

func TestDaysAreReadAsWidelyAsIsUnambiguous(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"2026-02-01", "2026-02-01Z", "2026-02-01z", "2026-02-01+01:00", "2026-02-01-1130", "2026-02-01+01", "2026-02-01 +01:00", "2026-02-01T", "2026-02-01 ",
		"2026-02-01t00:00:00z", "2026-02-01T23:59:59.999999999999-11:00", "2026-02-01 00:00", "2026-02-01T000000", "2026-02-01T00:00+01:00[Europe/Berlin]",
	} {
		x := one(t, transactionSchema, `{"transactionId":"t","accountId":"a","bookingDate":"`+text+`"}`)
		if !x.BookingDate.Equal(date(2026, 2, 1)) || x.Extra != "" || x.Unreadable != 0 {
			t.Errorf("%s is read as %v, extra %s", text, x.BookingDate, x.Extra)
		}
	}
}

func TestTextThatCannotBeHadIsReplacedWhereverItIsKept(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Contract{
		`"category":"a\u0000b"`:                                     {Category: "a\uFFFDb", Record: Record{Replaced: 1}},
		`"category":"\ud83d","interval":"\uDE00x"`:                  {Category: "\uFFFD", Interval: "\uFFFDx", Record: Record{Replaced: 2}},
		`"category":"\ud83d\ud83d\ude00\\u0000"`:                    {Category: "\uFFFD😀\\u0000", Record: Record{Replaced: 1}},
		"\"category\":\"M\xfcller\",\"mref\":\"\uFFFD\"":            {Category: "M\uFFFDller", MandateReference: "\uFFFD", Record: Record{Replaced: 1}},
		"\"x\":[{\"\xff\xfe\":\"\xe4\"}],\"y\":1,\"mref\":\"\xff\"": {MandateReference: "\uFFFD", Record: Record{Extra: "{\"x\":[{\"\uFFFD\":\"\uFFFD\"}],\"y\":1}", Replaced: 2}},
		`"tags":["a","\u0000","b\udfff"]`:                           {Tags: []string{"a", "\uFFFD", "b\uFFFD"}, Record: Record{Replaced: 1}},
		`"x":{"\u0000":[ "\ud800", "\u00e4" ]},"\u0000":7`:          {Record: Record{Extra: "{\"x\":{\"\uFFFD\":[\"\uFFFD\",\"\\u00e4\"]},\"\uFFFD\":7}", Replaced: 2}},
		`"contractPartner":{"name":"N\u0000","\ud800":1},"attributes":["\u0000"]`: {
			PartnerName: "N\uFFFD", Partner: "{\"name\":\"N\uFFFD\",\"\uFFFD\":1}", Attributes: "[\"\uFFFD\"]", Record: Record{Replaced: 2},
		},
		`"isActive":"\u0000"`:                                {Record: Record{Extra: "{\"isActive\":\"\uFFFD\"}", Unreadable: 1, Replaced: 1}},
		`"category":null,"mref":"plain \u00e4 \ud83d\ude00"`: {MandateReference: "plain ä 😀"},
	} {
		want.ID = "c"
		l := listOfText(t, contractSchema, `[{"id":"c",`+text+`}]`)
		for got, err := range l.All() {
			if d := cmp.Diff(want, got, ignoreHash); d != "" || err != nil {
				t.Errorf("%q: %v %s", text, err, d)
			}
		}
		closeQuietly(l)
	}
}

func TestWhatIsReplacedStillChangesTheHash(t *testing.T) {
	t.Parallel()
	a, b := one(t, accountSchema, `{"accountId":"a","name":"\u0000"}`), one(t, accountSchema, `{"accountId":"a","name":"\ufffd"}`)
	if a.Name != b.Name || a.Hash == b.Hash {
		t.Errorf("%q and %q, hashes %d and %d", a.Name, b.Name, a.Hash, b.Hash)
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
	record := func(name, text string) string {
		if name == "transactionId" {
			return `{"accountId":"a","transactionId":` + text + `}`
		}
		return `{"` + name + `":` + text + `}`
	}
	for name, decode := range decode {
		for text, want := range map[string]string{
			`17`: "17", `12345678901234567890`: "12345678901234567890", `"17"`: "17", `" "`: " ", `"\ufffd"`: "\ufffd", `"\ud83c\udfe6"`: "🏦",
			`"` + strings.Repeat("x", 1024) + `"`: strings.Repeat("x", 1024),
		} {
			if got, err := decode(record(name, text)); got != want || err != nil {
				t.Errorf("%s %.40s: got %.40q, %v", name, text, got, err)
			}
		}
		for text, want := range map[string]string{
			`null`: "missing", `""`: "missing", `1.0`: "no id", `1e3`: "no id", `true`: "no id", `{"v":"a"}`: "type", `["a"]`: "type",
			`"a\u0000"`: "control", `"a\nb"`: "control", `"\u009b"`: "control", `"\ud800"`: "UTF-8",
			`"` + strings.Repeat("x", 1025) + `"`: "1024",
		} {
			_, err := decode(record(name, text))
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
