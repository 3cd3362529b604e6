package finoos

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// fuzzModel decodes whatever comes as a list of one model's records. What holds
// of every record: the same text has the same hash, extras are a JSON object,
// and all that could go wrong has the class it should.
func fuzzModel[T any](f *testing.F, s *schema[T], record func(*T) Record, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add(seed)
		f.Add("[" + seed + "]")
		f.Add(`{"context":{"page":1},"list":[` + seed + "," + seed + `]}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := listOfText(t, s, text, "list")
		defer closeQuietly(l)
		var hashes []uint64
		for r, err := range l.All() {
			if err != nil {
				if ClassOf(err) != Malformed {
					t.Fatalf("got %v", err)
				}
				break
			}
			rec := record(&r)
			if rec.Extra != "" && (!isObject(rec.Extra) || oracleDirty([]byte(rec.Extra))) {
				t.Fatalf("extra is %q", rec.Extra)
			}
			hashes = append(hashes, rec.Hash)
		}
		for r, err := range l.All() {
			if err == nil {
				if record(&r).Hash != hashes[0] {
					t.Fatal("the second reading differs")
				}
				hashes = hashes[1:]
			}
		}
	})
}

func isObject(text string) bool {
	return jsontext.Value(text).IsValid(lenient...) && utf8.ValidString(text) && text[0] == '{' && text != "{}"
}

func FuzzUser(f *testing.F) {
	fuzzModel(f, userSchema, func(u *User) Record { return u.Record },
		`{"id":"u","createdAt":"2024-01-22T14:08:47+01:00","duplicates":["x"],"expiresIn":1,"a":{"b":[]}}`)
}

func FuzzAccount(f *testing.F) {
	fuzzModel(f, accountSchema, func(a *Account) Record { return a.Record },
		`{"accountId":"a","balance":-1.10,"standingOrders":[{"id":1}],"\u0041":null}`)
}

func FuzzTransaction(f *testing.F) {
	fuzzModel(f, transactionSchema, func(x *Transaction) Record { return x.Record },
		`{"transactionId":"t","accountId":"a","amount":"1e-4","bookingDate":"2024-03-31","paymentPartner":{"name":"\ud800","x":1},"tags":["a",{"id":"b"}]}`)
}

func FuzzBankLogin(f *testing.F) {
	fuzzModel(f, loginSchema, func(l *BankLogin) Record { return l.Record },
		`{"bankLoginId":"l","active":"true","lastSynchronization":"2024-01-22T14:08:47Z"}`)
}

func FuzzCategorization(f *testing.F) {
	fuzzModel(f, categorizationSchema, func(c *Categorization) Record { return c.Record },
		`{"transactionId":"t","accountId":"a","tags":["x",{"name":"y","z":1}]}`)
}

func FuzzContract(f *testing.F) {
	fuzzModel(f, contractSchema, func(c *Contract) Record { return c.Record },
		`{"contractId":"c","id":{"\u0000":1},"amount":{"x":"\udc00"},"contractPartner":{"id":["p"],"name":"\u0000"},"attributes":{"\ud800\u0061":0}}`,
		`{"contractId":"c","id":"d","contractPartner":{"id":"p"},"transactions":[{"transactionId":"t"}],
		"nextBookingRange":{"from":"2024-01-01"},"attributes":[1]}`, `{"id":"c","nextBookingRange":["2024-01-01",null]}`)
}

func FuzzAccountHistory(f *testing.F) {
	fuzzModel(f, historySchema, func(h *AccountHistory) Record { return h.Record },
		`{"accountId":"a","balances":[{"date":"2024-01-01","balance":1.0,"x":2}]}`,
		"{\"accountId\":\"a\",\"currency\":\"\xff\",\"balances\":[{\"date\":\"2024-01-01Z\",\"balance\":\"1,0\",\"x\":\"\xfe\"},{\"date\":7,\"y\":\"\xfd\"},\"\xfc\",null]}")
}

func FuzzCorrelation(f *testing.F) {
	f.Add(`{"correlationID":"c","correlationTimestamp":"2024-01-22T14:08:47+01:00"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := decodeText(correlationSchema, text); err == nil && c.ID == "" {
			t.Error("a correlation without its id")
		}
	})
}

// A record is stored and hashed in one walk, and the hash is that of the rule.
func FuzzHash(f *testing.F) {
	f.Add(`{"accountId":"a","x":{"y":[1,{"z":null}],"":""},"standingOrders":[{"id":1,"v":[]}],"X":{"Y":2},"\u0061ccountId":3}`)
	f.Add(`{"accountId":"a","standingorders":{"ID":1},"iban":{},"name":"\ud800","balance":-1.0,"balance":2}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parseValue([]byte(text))
		if !ok {
			return
		}
		var d recordDecoder
		for range 2 { // the second time the names are known
			a, err := accountSchema.decode(&d, v)
			if err != nil {
				return
			}
			want, err := oracleHash("", v.raw, volatileOf("account"), 0)
			if errors.Is(err, errTooDeep) {
				want = (&oracleDeep[Account]{}).object(accountSchema.members, "", v.raw, volatileOf("account"), 0)
			}
			if a.Hash != want {
				t.Fatalf("got %d, want %d (%v)", a.Hash, want, err)
			}
		}
	})
}

// A value that is walked and put together again is the value that it was.
func FuzzWalk(f *testing.F) {
	f.Add(` {"a":[1,-2.5e3,true,null,"\"\\",{}],"b" : { "c":[] } } `)
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parseValue([]byte(text))
		if !ok {
			return
		}
		want := jsontext.Value(strings.Clone(string(v.raw)))
		if err := want.Compact(append(lenient, jsontext.PreserveRawStrings(true))...); err != nil {
			t.Skip(err)
		}
		if got := string(rebuild(nil, v)); got != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := string(v.appendCompact(nil)); got != string(want) {
			t.Errorf("compact is %s, want %s", got, want)
		}
	})
}

func rebuild(dst []byte, v value) []byte {
	switch v.kind() {
	case kindObject:
		dst = append(dst, '{')
		for m := v.members(); m.next(); {
			dst = rebuild(append(rebuild(dst, m.name), ':'), m.value)
			dst = append(dst, ',')
		}
		return closed(dst, '}')
	case kindArray:
		dst = append(dst, '[')
		for a := v.items(); a.next(); {
			dst = append(rebuild(dst, a.value), ',')
		}
		return closed(dst, ']')
	}
	return append(dst, v.raw...)
}

func closed(dst []byte, end byte) []byte {
	if last := len(dst) - 1; dst[last] == ',' {
		dst = dst[:last]
	}
	return append(dst, end)
}

func FuzzIsNumber(f *testing.F) {
	for _, seed := range []string{"0", "-1.5e+3", "01", "1.", ".5", "1e", "-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := json.Valid([]byte(s)) && strings.Trim(s, "-+.eE0123456789") == ""
		if got := isNumber([]byte(`"` + s + `"`)); got != want {
			t.Errorf("%q: %v", s, got)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Mon, 22 Jan 2024 12:00:00 GMT", "Mon, 22 Jan 2024 11:59:00 GMT")
	f.Fuzz(func(t *testing.T, text, date string) {
		d, told := retryAfter(http.Header{"Retry-After": {text}, "Date": {date}}, time.Now())
		if d < 0 || d > maxRetryAfter || (!told && d != 0) {
			t.Errorf("%q: %v", text, d)
		}
	})
}

func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"type":"a","message":"b"}`), testUser)
	f.Add([]byte(`{"error":{"x":1},"error_description":"7f2c-user-0001 Bearer x"}`), testUser)
	f.Add([]byte("<html>"), "u")
	f.Add([]byte("0"), "\xe8")
	c, err := New(Config{BaseURL: "https://finoos.test", ClientSecret: testSecret})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, user string) {
		kind, message := problemOf(body)
		for _, text := range []string{c.scrub(kind, user), c.scrub(message, user)} {
			if utf8.RuneCountInString(text) > maxMessage || !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b") {
				t.Errorf("got %q", text)
			}
			if strings.Contains(text, testSecret) {
				t.Errorf("the secret is in %q", text)
			}
		}
	})
}
