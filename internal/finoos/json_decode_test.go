package finoos

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var ignoreHash = cmpopts.IgnoreFields(Record{}, "Hash")

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func TestUserIsReadWhole(t *testing.T) {
	t.Parallel()
	got := one(t, userSchema, `{"id":"u1","customUserID":"c1","name":"Jörg \u00c4","type":"person","tenant":"t",
		"createdAt":"2024-01-22T14:08:47+01:00","duplicates":["u2",null,""],"userScopes":[],
		"automaticAnalysis":"active","expiresIn":7}`)
	want := User{
		ID: "u1", CustomUserID: "c1", Name: "Jörg Ä", Type: "person", Tenant: "t",
		CreatedAt:  time.Date(2024, 1, 22, 13, 8, 47, 0, time.UTC),
		Duplicates: []string{"u2"}, UserScopes: []string{},
		Record: Record{Extra: `{"automaticAnalysis":"active","expiresIn":7}`},
	}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestAccountIsReadWhole(t *testing.T) {
	t.Parallel()
	got := one(t, accountSchema, `{"accountId":"a1","accountNumber":532013000,"name":"Giro","owner":"O","type":"GIRO",
		"iban":"DE89","bic":"COBADEFF","bankCode":"37040044","bankName":"B","currency":"EUR","balance":-1.10,
		"status":"enabled","bankLoginId":"l1","icon":"","supportedPayments":[ "sepa" ],
		"standingOrders":[{"id":"s1","amount": 5.00}],"securities":null}`)
	want := Account{
		ID: "a1", Number: "532013000", Name: "Giro", Owner: "O", Type: "GIRO", IBAN: "DE89", BIC: "COBADEFF",
		BankCode: "37040044", BankName: "B", Currency: "EUR", Balance: "-1.10", Status: "enabled", BankLoginID: "l1",
		Record: Record{Extra: `{"supportedPayments":["sepa"],"standingOrders":[{"id":"s1","amount":5.00}]}`},
	}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestTransactionIsReadWhole(t *testing.T) {
	t.Parallel()
	got := one(t, transactionSchema, `{"transactionId":"t1","accountId":"a1","amount":12.50,"currency":"EUR",
		"bookingDate":"2024-03-31","valueDate":"2024-04-01T23:30:00-05:00","bookingText":"SEPA","purpose":"Miete",
		"merchantCategoryCode":5411,"paymentPartner":{"name":"P","iban":"DE1","bic":"B","creditorId":"C",
		"mandateReference":"M","logo":{"url":"x y"}},"tags":["food",{"id":"rent"},{"name":"home"},7],"channel":"card"}`)
	want := Transaction{
		ID: "t1", AccountID: "a1", Amount: "12.50", Currency: "EUR",
		BookingDate: date(2024, 3, 31), ValueDate: date(2024, 4, 1),
		BookingText: "SEPA", Purpose: "Miete", MerchantCategoryCode: "5411",
		PartnerName: "P", PartnerIBAN: "DE1", PartnerBIC: "B", PartnerCreditorID: "C", PartnerMandateReference: "M",
		Tags:   []string{"food", "rent", "home", "7"},
		Record: Record{Extra: `{"paymentPartner":{"logo":{"url":"x y"}},"channel":"card"}`},
	}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestBankLoginIsReadWhole(t *testing.T) {
	t.Parallel()
	got := one(t, loginSchema, `{"bankLoginId":"l1","status":"OK","active":false,"lastSynchronization":"2024-01-22"}`)
	want := BankLogin{ID: "l1", Status: "OK", Active: Null[bool]{Valid: true}, LastSynchronization: date(2024, 1, 22)}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestCategorizationIsReadWhole(t *testing.T) {
	t.Parallel()
	got := one(t, categorizationSchema, `{"transactionId":"t1","accountId":"a1","tags":[{"id":"x","name":"X"}]}`)
	want := Categorization{
		TransactionID: "t1", AccountID: "a1", Tags: []string{"x"},
		Record: Record{Extra: `{"tags":[{"id":"x","name":"X"}]}`},
	}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestContractIsReadWhole(t *testing.T) {
	t.Parallel()
	got := one(t, contractSchema, `{"contractId":"c1","contractPartner":{ "id":"p","name":"Netz","contact":{"preferredContact":"mail"} },
		"attributes":{"a": 1.0},"transactions":[{"transactionId":"t1"},{"transactionID":"t2"},"t3"],"amount":"9.99",
		"amountConsistency":0.90,"interval":"monthly","duration":12,"category":"media","tags":null,
		"nextBookingDate":"2024-02-01","nextBookingRange":["2024-01-30","2024-02-03"],"mref":"M1","isActive":"true"}`)
	want := Contract{
		ID: "c1", PartnerID: "p", PartnerName: "Netz", Amount: "9.99",
		AmountConsistency: "0.90", Interval: "monthly", Duration: "12", Category: "media",
		NextBookingDate: date(2024, 2, 1), NextBookingFrom: date(2024, 1, 30), NextBookingTo: date(2024, 2, 3),
		MandateReference: "M1", IsActive: Null[bool]{V: true, Valid: true}, TransactionIDs: []string{"t1", "t2", "t3"},
		Partner:    `{"id":"p","name":"Netz","contact":{"preferredContact":"mail"}}`,
		Attributes: `{"a":1.0}`,
	}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestContractWhoseFormIsUnexpectedKeepsEverything(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Contract{
		`{"id":"c","amount":{"amount":1,"currency":"EUR"}}`: {
			ID: "c", Record: Record{Extra: `{"amount":{"amount":1,"currency":"EUR"}}`, Unreadable: 1},
		},
		`{"id":"other","contractId":"c"}`:      {ID: "c", Record: Record{Extra: `{"id":"other"}`}},
		`{"id":"c","nextBookingRange":"soon"}`: {ID: "c", Record: Record{Extra: `{"nextBookingRange":"soon"}`, Unreadable: 1}},
		`{"x":[0],"id":"c","nextBookingRange":{"sure":1,"from":"soon"}}`: {
			ID: "c", Record: Record{Extra: `{"x":[0],"nextBookingRange":{"sure":1,"from":"soon"}}`, Unreadable: 1},
		},
		`{"id":"c","nextBookingRange":["2024-01-01"]}`:      {ID: "c", Record: Record{Extra: `{"nextBookingRange":["2024-01-01"]}`, Unreadable: 1}},
		`{"id":"c","nextBookingRange":[null,"2024-01-02"]}`: {ID: "c", NextBookingTo: date(2024, 1, 2)},
		`{"id":"c","nextBookingRange":{"since":"2024-01-01","until":"2024-01-02","sure":1}}`: {
			ID: "c", NextBookingFrom: date(2024, 1, 1), NextBookingTo: date(2024, 1, 2),
			Record: Record{Extra: `{"nextBookingRange":{"since":"2024-01-01","until":"2024-01-02","sure":1}}`},
		},
		`{"id":"c","transactions":[{"transactionId":"t","amount":1}]}`: {
			ID: "c", TransactionIDs: []string{"t"},
			Record: Record{Extra: `{"transactions":[{"transactionId":"t","amount":1}]}`},
		},
	} {
		if d := cmp.Diff(want, one(t, contractSchema, text), ignoreHash); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestAccountHistoryIsReadWhole(t *testing.T) {
	t.Parallel()
	got := one(t, historySchema, `{"accountId":"a","currency":"EUR","kind":"eod","balances":[
		{"date":"2024-01-01","balance":1e-4},{"date":"2024-01-02","balance":null,"estimated":true}]}`)
	want := AccountHistory{
		AccountID: "a", Currency: "EUR",
		Balances: []Balance{
			{Date: date(2024, 1, 1), Balance: "1e-4"},
			{Date: date(2024, 1, 2), Extra: `{"estimated":true}`},
		},
		Listed: true, Record: Record{Extra: `{"kind":"eod"}`},
	}
	if d := cmp.Diff(want, got, ignoreHash, cmpopts.IgnoreFields(Balance{}, "Hash")); d != "" {
		t.Error(d)
	}
	if got.Balances[0].Hash == got.Balances[1].Hash {
		t.Error("balances of two days have one hash")
	}
}

func TestNumbersKeepTheirSpelling(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"0.1", "1e-4", "-0", "123456789012345678.1234", "1E+2", "0.10"} {
		for _, text := range []string{n, `"` + n + `"`} {
			a := one(t, accountSchema, `{"accountId":"a","balance":`+text+`}`)
			if string(a.Balance) != n {
				t.Errorf("%s is read as %s", text, a.Balance)
			}
		}
	}
}

func TestNamesAreReadInAnyCase(t *testing.T) {
	t.Parallel()
	got := one(t, transactionSchema, `{"TRANSACTIONID":"t","AccountID":"a","PaymentPartner":{"IBAN":"DE1"},"Foo":1}`)
	want := Transaction{ID: "t", AccountID: "a", PartnerIBAN: "DE1", Record: Record{Extra: `{"Foo":1}`}}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestOfARepeatedNameTheFirstCountsAndTheRestIsKept(t *testing.T) {
	t.Parallel()
	got := one(t, loginSchema, `{"bankLoginId":null,"bankLoginID":"l","bankloginid":"m","status":"","Status":"OK"}`)
	want := BankLogin{ID: "l", Status: "OK", Record: Record{Extra: `{"bankloginid":"m"}`}}
	if d := cmp.Diff(want, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestWhatIsNotKnownLeavesNoExtra(t *testing.T) {
	t.Parallel()
	got := one(t, transactionSchema, `{"transactionId":"t","accountId":"a","foo":null,"bar":"","paymentPartner":{"x":null},"tags":null}`)
	if d := cmp.Diff(Transaction{ID: "t", AccountID: "a"}, got, ignoreHash); d != "" {
		t.Error(d)
	}
}

func TestWrongEncodingReadsAsReplacement(t *testing.T) {
	t.Parallel()
	got := one(t, loginSchema, "{\"bankLoginId\":\"l\",\"status\":\"M\xfcnchen\",\"x\\ud800\":\"\xff\"}")
	if got.Status != "M\uFFFDnchen" || !strings.Contains(got.Extra, "\uFFFD") {
		t.Errorf("got %q, extra %q", got.Status, got.Extra)
	}
}

func TestRecordsWithoutTheirIDsAreRefused(t *testing.T) {
	t.Parallel()
	decode := map[string]func(string) error{
		"account":        func(s string) error { _, err := decodeText(accountSchema, s); return err },
		"transaction":    func(s string) error { _, err := decodeText(transactionSchema, s); return err },
		"contract":       func(s string) error { _, err := decodeText(contractSchema, s); return err },
		"history":        func(s string) error { _, err := decodeText(historySchema, s); return err },
		"login":          func(s string) error { _, err := decodeText(loginSchema, s); return err },
		"categorization": func(s string) error { _, err := decodeText(categorizationSchema, s); return err },
	}
	for _, test := range []struct{ model, text, want string }{
		{"account", `{"name":"n"}`, "account: accountId: missing"},
		{"account", `{"accountId":""}`, "account: accountId: missing"},
		{"account", `"a"`, "account: of an impossible type"},
		{"account", `null`, "account: of an impossible type"},
		{"account", `{"accountId":{"v":"a"}}`, "account: accountId: of an impossible type"},
		{"transaction", `{"transactionId":"t"}`, "transaction: accountId: missing"},
		{"transaction", `{"accountId":"a"}`, "transaction: transactionId: missing"},
		{"transaction", `{"transactionId":"t","accountId":["a"]}`, "transaction: accountId: of an impossible type"},
		{"transaction", `{"transactionId":"t","accountId":"a\u0000"}`, "transaction: accountId: no id: not 1 to 1024 bytes without control characters"},
		{"contract", `{"contractPartner":{"id":"p"}}`, "contract: contractId: missing"},
		{"contract", `{"id":{"v":"c"}}`, "contract: contractId: of an impossible type"},
		{"history", `{"balances":[]}`, "account history: accountId: missing"},
		{"history", `{"accountId":"a","currency":{"code":"EUR"}}`, "account history: currency: of an impossible type"},
		{"categorization", `{"transactionId":"t","accountId":1.5}`, "categorization: accountId: no id: neither a text nor a whole number"},
		{"categorization", `{"transactionId":"t","accountId":{}}`, "categorization: accountId: of an impossible type"},
		{"login", `{"bankLoginId":null}`, "bank login: bankLoginId: missing"},
	} {
		err := decode[test.model](test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.text, err, test.want)
		}
	}
}
