package finoos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// reading is all that there is to the reading of an answer: a line a record,
// and the class of the error that ends it.
type reading struct {
	records []string
	class   Class
	failure string // which the oracle does not foretell
}

// walked reads text through a window that is small at first, so that nearly
// every token and record is cut off.
func walked[T any](t *testing.T, s *schema[T], text string, window int) (r reading) {
	t.Helper()
	l := listOfText(t, s, "[]", "list")
	defer closeQuietly(l)
	answer := &recordStream{open: func() io.Reader { return strings.NewReader(text) }, names: l.names, parser: &parser{}}
	answer.window.buf = make([]byte, 0, window)
	answer.rewind()
	_, err := l.scanAll(answer, func(to *T) { var none T; *to = none }, func(to *T) error {
		r.records = append(r.records, line(t, *to))
		return nil
	})
	if r.class = ClassOf(err); err != nil {
		r.failure = err.Error()
	}
	return r
}

// foretold is what the oracle reads.
func foretold[T any](t *testing.T, s *schema[T], text string) (r reading) {
	t.Helper()
	items, err := oracleItems(text, []string{"list"})
	for _, item := range items {
		to, rec, itemErr := oracleRecord(s, item)
		if itemErr != nil {
			err = itemErr
			break
		}
		if h, ok := any(&to).(*AccountHistory); ok {
			h.readAgain(item, &rec)
		}
		s.keep(&to, rec)
		r.records = append(r.records, line(t, to))
	}
	if err != nil {
		r.class = Malformed
	}
	return r
}

// readAgain reads the balances as records of their own.
func (h *AccountHistory) readAgain(v []byte, rec *Record) {
	for _, m := range oraclePairs(v) {
		if oracleLower(m.name) != "balances" || !oracleSays(m.value) {
			continue
		}
		if m.value[0] == '[' {
			h.Balances, h.Undated = []Balance{}, 0
			for _, item := range oraclePairs(m.value) {
				b, of, err := oracleRecord(balanceSchema, item.value)
				if err != nil || b.Date.IsZero() {
					h.Undated++
					rec.Unreadable++
					continue
				}
				balanceSchema.keep(&b, of)
				h.Balances = append(h.Balances, b)
			}
		}
		return
	}
}

func line(t *testing.T, record any) string {
	t.Helper()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func compare[T any](s *schema[T]) func(*testing.T, string, int) {
	return func(t *testing.T, text string, window int) {
		t.Helper()
		want, got := foretold(t, s, text), walked(t, s, text, chunkSize)
		want.failure = got.failure
		if d := cmp.Diff(want, got, cmp.AllowUnexported(reading{})); d != "" {
			t.Errorf("%s %.300q: %s", s.model, text, d)
		}
		if d := cmp.Diff(got, walked(t, s, text, window), cmp.AllowUnexported(reading{})); d != "" {
			t.Errorf("%s %.300q in a window of %d bytes: %s", s.model, text, window, d)
		}
	}
}

var compared = []func(t *testing.T, text string, window int){
	compare(userSchema), compare(accountSchema), compare(transactionSchema), compare(loginSchema),
	compare(categorizationSchema), compare(categorizationSums), compare(contractSchema), compare(historySchema),
}

// Whatever comes, it is read as jsontext and the plainest code read it: the same
// verdict, the same records, extras and hashes, however it is cut.
func FuzzWalkReadsWhatTheOracleReads(f *testing.F) {
	for i, line := range linesOf(f, "records.txt") {
		_, record, _ := strings.Cut(line, "\t")
		for model := range compared {
			f.Add("["+record+"]", uint8(model), uint8(i))
			f.Add(`{"context":{"page":1},"list":[`+record+" , "+record+`]}`, uint8(model), uint8(2*i))
		}
	}
	for i, tt := range grammar {
		for model := range compared {
			f.Add(`[{"id":"a","accountId":`+tt.text+`}]`, uint8(model), uint8(i))
			f.Add(`{"x":`+tt.text+`,"list":[`+tt.text+`]}`, uint8(model), uint8(i))
			if len(tt.text) < 200 && tt.valid {
				f.Add(everywhere(tt.text), uint8(model), uint8(i))
			}
		}
	}
	for model := range compared {
		f.Add(`[{"transactionId":"a","accountId":"b","contractId":"c","tags":[null,"",{"id":"x","name":"y"},{"name":"z"},"\u0041",{"id":""}]}]`, uint8(model), uint8(9))
	}
	f.Fuzz(func(t *testing.T, text string, model, window uint8) {
		compared[int(model)%len(compared)](t, text, 4+int(window))
	})
}

// everywhere is a record of any model that holds a value wherever one may stand.
func everywhere(text string) string {
	return strings.ReplaceAll(`[{"accountId":"a","transactionId":"t","contractId":"c","bankLoginId":"l","id":"u","name":X,"name":X,"createdAt":X,"duplicates":[X,"d"],
		"balance":X,"amount":X,"isActive":X,"purpose":X,"bookingDate":X,"tags":[X,{"id":X,"label":X},{"name":"y"}],"paymentPartner":{"name":X,"iban":X,"y":[X]},
		"contractPartner":{"id":X,"name":X,"z":X},"nextBookingRange":{"from":X,"z":X},"transactions":[{"transactionId":X,"n":X}],"attributes":[X],"unknown":{"deep":X},
		"balances":[{"date":"2024-01-01","balance":X,"y":X},X,{"date":X,"x":X},{"z":X}]}]`, "X", text)
}

// grammar is what is JSON, and what is not.
var grammar = []struct {
	claim string
	text  string
	valid bool
}{
	{"null is a value", `null`, true},
	{"true is a value", `true`, true},
	{"false is a value", `false`, true},
	{"an empty string is a value", `""`, true},
	{"an empty object is a value", `{}`, true},
	{"an empty array is a value", `[]`, true},
	{"space may stand between tokens", " {\t\"a\"\r\n: [ 1 ,2 ] } ", true},
	{"names may repeat", `{"a":1,"a":2}`, true},
	{"names may be empty", `{"":1}`, true},
	{"zero is a number", `0`, true},
	{"minus zero is a number", `-0`, true},
	{"a number has fraction and exponent", `-120.050E-07`, true},
	{"an exponent may be signed", `1e+2`, true},
	{"a number has as many digits as it likes", strings.Repeat("9", 400) + "." + strings.Repeat("0", 400), true},
	{"every escape is known", `"\"\\\/\b\f\n\r\t\u00Ff"`, true},
	{"a pair of surrogates is a character", `"\ud83d\ude00"`, true},
	{"half a pair reads as a replacement", `"\ud83d \ude00\ud83d"`, true},
	{"an escaped zero is a character", `"\u0000"`, true},
	{"an escaped zero may be a name", `{"\u0000":{"a\ud800\ud83d\ude00":["\udc00\\u0000"]}}`, true},
	{"a list may hold what is nothing", `[null,"",{"\u0000":null}]`, true},
	{"a date may stand before what is none", `"2024-01-01T10:00\u0000"`, true},
	{"DEL is a character", "\"\x7f\"", true},
	{"a hash is no control character", `"#########"`, true},
	{"UTF-8 of every length is text", `"äẞ€😀ä"`, true},
	{"a byte that is no UTF-8 reads as a replacement", "\"a\xffb\"", true},
	{"a character that is cut off reads as a replacement", "\"\xf0\x9f\x98\"", true},
	{"a surrogate in UTF-8 reads as a replacement", "\"\xed\xa0\x80\"", true},
	{"an overlong character reads as a replacement", "\"\xc0\x80\"", true},
	{"a name may be in a wrong encoding", "{\"\xff\":\"\xff\"}", true},
	{"brackets may stand in a string", `"}]{["`, true},
	{"quotes may be escaped eight bytes on", `"1234567\"1234567\\"`, true},
	{"a thousand brackets may be open", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), true},
	{"nothing is no value", ``, false},
	{"space is no value", ` `, false},
	{"a comma is no value", `,`, false},
	{"a colon is no value", `:`, false},
	{"a word of one's own is no value", `undefined`, false},
	{"a word is not spelled otherwise", `True`, false},
	{"a word is not cut short", `tru`, false},
	{"a word does not go on", `nullx`, false},
	{"NaN is no number", `NaN`, false},
	{"infinity is no number", `-Infinity`, false},
	{"a minus alone is no number", `-`, false},
	{"a plus is no sign", `+1`, false},
	{"a number does not begin with zero", `01`, false},
	{"a number does not begin with a point", `.5`, false},
	{"a number does not end with a point", `1.`, false},
	{"an exponent has digits", `1e`, false},
	{"an exponent with a sign has digits", `1e+`, false},
	{"a number is decimal", `0x1F`, false},
	{"a number has one point", `1.2.3`, false},
	{"a string ends", `"abc`, false},
	{"a string does not end with an escape", `"abc\"`, false},
	{"single quotes are none", `'a'`, false},
	{"an unknown escape is none", `"\x41"`, false},
	{"an escape is not cut short", `"\u12"`, false},
	{"an escape has four digits", `"\u123"`, false},
	{"all digits of an escape are hexadecimal", `"\u123g"`, false},
	{"an escape is hexadecimal", `"\u12g4"`, false},
	{"a capital U is no escape", `"\U0041"`, false},
	{"a line break is not in a string", "\"a\nb\"", false},
	{"a tab is not in a string", "\"1234567\t\"", false},
	{"a zero is not in a string", "\"1234567\x00\"", false},
	{"a zero is not behind a value", "1\x00", false},
	{"a zero is no space", "[1,\x00 2]", false},
	{"the last control character is not in a string", "\"\x1f\"", false},
	{"a no-break space is no space", "\u00a0[]", false},
	{"a form feed is no space", "[\f]", false},
	{"a byte order mark is no space", "[\ufeff]", false},
	{"comments are none", `[1/*1*/]`, false},
	{"an array has no comma at its end", `[1,]`, false},
	{"an array has no comma at its start", `[,1]`, false},
	{"an array has no two commas", `[1,,2]`, false},
	{"items have a comma between them", `[1 2]`, false},
	{"strings have a comma between them", `["a""b"]`, false},
	{"an item has no name", `["a":1]`, false},
	{"an array ends", `[1`, false},
	{"an array ends with its bracket", `[1}`, false},
	{"an object ends", `{"a":1`, false},
	{"an object ends with its bracket", `{"a":1]`, false},
	{"an object has no comma at its end", `{"a":1,}`, false},
	{"an object has no comma at its start", `{,"a":1}`, false},
	{"members have a comma between them", `{"a":1 "b":2}`, false},
	{"a name has a value", `{"a"}`, false},
	{"a name has a value behind its colon", `{"a":}`, false},
	{"a name has a colon", `{"a" 1}`, false},
	{"a name has one colon", `{"a"::1}`, false},
	{"a name is in quotes", `{a:1}`, false},
	{"a name is no number", `{1:1}`, false},
	{"a name has a right escape", `{"\q":1}`, false},
	{"a member has a name", `{1}`, false},
	{"a bracket is opened before it ends", `]`, false},
	{"nothing stands behind the end", `{}{}`, false},
	{"no comma stands behind the end", `[],`, false},
	{"a bracket is in no string that went on", `["a]`, false},
}

func TestGrammarIsThatOfRFC8259(t *testing.T) {
	t.Parallel()
	for _, tt := range grammar {
		if err := syntaxOf(tt.text); (err == nil) != tt.valid {
			t.Errorf("%s: %.60q: %v", tt.claim, tt.text, err)
		}
		for _, around := range []string{
			`%s`, `[%s]`, `{"x":%s}`, `{"list":[%s]}`, `{"context":%s,"list":[]}`, `{"x":[%s],"list":[]}`,
			`[{"bankLoginId":"l","x":%s}]`, `[{"bankLoginId":"l","status":%s,"x":[%[1]s]}]`,
		} {
			text := fmt.Sprintf(around, tt.text)
			if err := syntaxOf(text); (err == nil) != jsontext.Value(text).IsValid(lenient...) {
				t.Errorf("%s: %.60q: %v, not so for jsontext", tt.claim, text, err)
			}
			compare(loginSchema)(t, text, 4)
			compare(categorizationSchema)(t, strings.ReplaceAll(text, "bankLoginId", "transactionId"), 9)
		}
	}
}

// Where anything is cut off, in whatever small window, more is read and nothing
// is lost.
func TestAnswerMayBeCutAnywhere(t *testing.T) {
	t.Parallel()
	text := `{"context":{"page":1},"ü":[{"a":"]"}],"list" : [ {"accountId":"a\u00e4","balance":-12.50e3,"x":[true,null,{"y":"\""}],
		"name":"M` + "\xfc" + `ller"}, {"accountId":"b"} ] , "z":12 } `
	for size := 4; size < len(text)+4; size++ {
		compare(accountSchema)(t, text, size)
	}
	for end := range len(text) - 2 {
		compare(accountSchema)(t, text[:end], 4+end%64)
	}
}

func TestNestingHasItsLimits(t *testing.T) {
	t.Parallel()
	for _, around := range []string{
		`[{"transactionId":"t","accountId":"a","x":%s}]`, `{"list":[{"transactionId":"t","x":%s}]}`, `[%s]`, `%s`,
		`{"list":[],"x":%s}`, `{"list":[],"context":%s}`, `{"list":[{"transactionId":"t","accountId":"a","tags":[{"id":"a","x":%s}]}]}`,
	} {
		for n := maxNesting - 5; n <= maxNesting+1; n++ {
			nested := strings.Repeat("[", n) + strings.Repeat("]", n)
			if n%2 == 0 {
				nested = strings.Repeat(`{"a":`, n) + "0" + strings.Repeat("}", n)
			}
			text := fmt.Sprintf(around, nested)
			want := jsontext.Value(text).IsValid(lenient...)
			if err := syntaxOf(text); (err == nil) != want {
				t.Errorf("%s with %d: %v", around, n, err)
			}
			if got := walked(t, categorizationSchema, text, chunkSize).failure; strings.Contains(got, errNoJSON.Error()) == want {
				t.Errorf("%s with %d: %s", around, n, got)
			}
		}
	}
	for n := maxDepth - 3; n < maxDepth+3; n++ { // of what is hashed
		compare(accountSchema)(t, `[{"accountId":"a","x":`+strings.Repeat("[", n)+strings.Repeat("]", n)+`}]`, chunkSize)
	}
}

// Brackets that are closed again are not counted.
func TestWideIsNotDeep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		as         func(*testing.T, string, int)
		item, rest string
	}{
		{compare(accountSchema), `{}`, `{"accountId":"a","x":[%s],"standingOrders":{"id":[0]}}`},
		{compare(accountSchema), `[]`, `{"accountId":"a","x":[%s],"standingOrders":{"id":[0]}}`},
		{compare(categorizationSchema), `"a"`, `{"transactionId":"a","tags":[%s],"x":[0]}`},
		{compare(categorizationSchema), `{"id":"a"}`, `{"transactionId":"a","tags":[%s],"x":[0]}`},
		{compare(categorizationSchema), `[]`, `{"transactionId":"a","x":[%s],"y":[0]}`},
		{compare(historySchema), `{"date":"2024-01-01"}`, `{"accountId":"a","balances":[%s],"x":[0]}`},
	} {
		many := strings.Repeat(tt.item+",", maxNesting) + tt.item
		tt.as(t, "["+fmt.Sprintf(tt.rest, many)+"]", chunkSize)
	}
}

type outer struct {
	list []Balance
	Record
}

type allFit struct{}

func (allFit) list(o *outer) *[]Balance   { return &o.list }
func (allFit) fits(*outer, *Balance) bool { return true }
func (allFit) leaveOut(*outer)            {}

func TestRecordInARecordHasTheHashThatItHasAlone(t *testing.T) {
	t.Parallel()
	within := newSchema("outer", func(o *outer, r Record) { o.Record = r },
		object("o", records[outer, Balance]("list", balanceSchema, allFit{})))
	balance := `{"date":"2024-01-01","balance":1,"x":[{}]}`
	got := one(t, within, `{"o":{"list":[`+balance+`,`+balance+`]}}`)
	want := one(t, balanceSchema, balance).Hash
	if len(got.list) != 2 || got.list[0].Hash != want || got.list[1].Hash != want {
		t.Errorf("got %v, want hashes of %d", got.list, want)
	}
}

func TestErrorTellsTheFirstByteThatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		``: 0, `  `: 2, `nul`: 3, `<html>`: 0, `[`: 1, `[{"bankLoginId":"a"}`: 20, `[{"bankLoginId":"a"},]`: 21,
		`[{"bankLoginId":"a"}]]`: 21, `{"list":[]}{}`: 11, `{"list":[] "a"}`: 11, `{"list":[{"bankLoginId":`: 24,
		`[{"bankLoginId":"a" "x"}]`: 20, `[{"bankLoginId":"\q"}]`: 18, `[{"bankLoginId":1.}]`: 18, `{"x":[1,{"y":tru}],"list":[]}`: 16,
		`[{"active":"maybe","x":01}]`: 24, // and no word of what is wrong with the value
	} {
		for _, window := range []int{4, chunkSize} {
			got := walked(t, loginSchema, text, window).failure
			if !strings.HasSuffix(got, fmt.Sprintf("not JSON (at byte %d)", want)) {
				t.Errorf("%s in a window of %d: %s, want byte %d", text, window, got, want)
			}
		}
	}
}

// What is in memory depends on the largest record, not on the answer.
func TestWindowGrowsForARecordThatHasNoRoomAndForNothingElse(t *testing.T) {
	t.Parallel()
	many, _ := body(1 << 20)
	for _, tt := range []struct{ record, most int }{{0, chunkSize}, {100_000, 2 * chunkSize}, {1_000_000, 16 * chunkSize}} {
		text := `{"x":` + many + `,"list":[{"bankLoginId":"l","x":"` + strings.Repeat("x", tt.record) + `"},` + many[1:] + `}`
		s := newStream(func() io.Reader { return strings.NewReader(text) }, []string{"list"})
		s.parser = &parser{}
		s.rewind()
		l := listOfText(t, loginSchema, "[]")
		_, err := l.scanAll(s, func(*BankLogin) {}, func(*BankLogin) error { return nil })
		if got := cap(s.window.buf); err != nil || got > tt.most {
			t.Errorf("a record of %d bytes in an answer of %d: a window of %d, %v", tt.record, len(text), got, err)
		}
	}
}

// What is wrong with a record counts only where the record is all there.
func TestRecordThatDoesNotEndIsTooLargeWhateverIsInIt(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", maxRecord+chunkSize)
	for text, want := range map[string]Class{
		`[{"active":"maybe","x":"` + huge + `"}]`: TooLarge,
		`[{"active" "maybe","x":"` + huge + `"}]`: Malformed,
		`[<` + huge + `]`:                         Malformed,
	} {
		if err := failure(listOfText(t, loginSchema, text), nil); ClassOf(err) != want {
			t.Errorf("%.20s: %v, want %s", text, err, want)
		}
	}
}

func TestReadingThatFailsIsNoFailureOfTheAPI(t *testing.T) {
	t.Parallel()
	text := `{"a":[1,"b"],"list":[{"bankLoginId":"a"},{"bankLoginId":"b"}],"z":{}}`
	broken := &localError{errors.New("broken disk")}
	for n := range len(text) {
		s := &recordStream{parser: &parser{window: bodyWindow{buf: make([]byte, 0, 4+n)}}, names: []string{"list"}}
		s.open = func() io.Reader { return io.MultiReader(strings.NewReader(text[:n]), failedReader{broken}) }
		s.rewind()
		l := listOfText(t, loginSchema, "[]")
		if _, err := l.scanAll(s, func(*BankLogin) {}, func(*BankLogin) error { return nil }); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// syntaxOf checks text in a window that is small, from a reader that gives one
// byte at a time.
func syntaxOf(text string) error {
	s := &recordStream{open: func() io.Reader { return iotest.OneByteReader(strings.NewReader(text)) }, parser: &parser{}}
	s.window.buf = make([]byte, 0, 4)
	s.rewind()
	s.found = true
	if _, err := s.peek(); err != nil {
		return err
	}
	if err := s.skip(); err != nil {
		return err
	}
	if err := s.end(); !errors.Is(err, errEnd) {
		return err
	}
	return nil
}
