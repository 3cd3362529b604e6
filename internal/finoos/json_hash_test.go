package finoos

import (
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func hashOf(t *testing.T, text string) uint64 {
	t.Helper()
	return one(t, accountSchema, `{"accountId":"a",`+text+`}`).Hash
}

func TestHashIsOfWhatIsSaidAndNotHow(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{`"name":"n","iban":"i"`, `"iban":"i","name":"n"`, `"IBAN":"i","Name":"n"`, ` "iban" : "i" , "name" : "\u006e" `},
		{`"x":{"a":1,"b":[1,2]}`, `"X":{"b":[1,2],"A":1}`, `"x": {"a":1,"b":[1, 2],"c":null,"d":""}`},
		{`"name":null`, `"name":""`, `"unknown":null`, `"x":{"y":null}`, `"x":{}`},
		{`"standingOrders":[{"id":"1","v":2}]`, `"standingOrders":[{"id":"2","v":2}]`, `"STANDINGORDERS":[{"ID":3,"v":2}]`},
	} {
		for _, text := range same[1:] {
			if hashOf(t, text) != hashOf(t, same[0]) {
				t.Errorf("%s and %s differ", same[0], text)
			}
		}
	}
}

func TestHashTellsApart(t *testing.T) {
	t.Parallel()
	texts := []string{
		`"x":null`, `"x":[]`, `"x":[null]`, `"x":[1]`, `"x":["1"]`, `"x":[1,2]`, `"x":[2,1]`, `"x":[[1,2]]`, `"x":[[1],2]`,
		`"x":1`, `"x":"1"`, `"x":1.0`, `"x":10e-1`, `"x":true`, `"x":"true"`, `"x":false`, `"y":1`, `"x":{"y":1}`,
		`"xy":1`, `"x":{"y":1,"z":2}`, `"x":{"y":2,"z":1}`, `"x":"[1"`, `"id":"1"`, `"x":[{"a":1},{"b":1}]`, `"x":[{"a":1,"b":1}]`,
		`"standingOrders":[{"id":"1"}]`, `"standingOrders":[{"v":"1"}]`, `"name":"a","owner":"b"`, `"name":"b","owner":"a"`,
		`"x":{"a":1},"y":{"b":1}`, `"x":{"b":1},"y":{"a":1}`,
	}
	seen := map[uint64]string{}
	for _, text := range texts {
		h := hashOf(t, text)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s are one", text, other)
		}
		seen[h] = text
	}
}

// A new column alone must rewrite nothing: the hash does not know of columns.
func TestHashIsTheSameWhateverTheColumns(t *testing.T) {
	t.Parallel()
	narrow := newSchema("account", func(a *Account, r Record) { a.Record = r },
		text("accountId", func(a *Account) *string { return &a.ID }))
	record := `{"accountId":"a","balance":1.5,"name":"n","standingOrders":[{"id":"1","v":1}],"x":{"y":[1]}}`
	if one(t, narrow, record).Hash != one(t, accountSchema, record).Hash {
		t.Error("a column changes the hash")
	}
}

func TestHashOfVersion1StaysAsItIs(t *testing.T) {
	t.Parallel()
	if HashVersion != 1 {
		t.Fatal("write a test for the new version too")
	}
	got := one(t, transactionSchema, `{"transactionId":"t","accountId":"a","amount":-1.50,"tags":["a","\u00e4"],
		"paymentPartner":{"name":null,"iban":"DE"},"ok":false}`).Hash
	var want uint64
	for _, pair := range []string{
		"\xfftransactionid\xfd\"t", "\xffaccountid\xfd\"a", "\xffamount\xfd0-1.50", "\xfftags\xfe0\xfd\"a", "\xfftags\xfe1\xfd\"ä",
		"\xfftags\xfd[2", "\xffpaymentpartner\xffiban\xfd\"DE", "\xffok\xfdtfalse",
	} {
		want += xxhash.Sum64String(pair)
	}
	const golden = 11691123580390634468
	if got != want || got != golden {
		t.Errorf("got %d, want %d: cursors in the lake hold the old one", got, want)
	}
}

func TestVolatileFieldsBelongToModels(t *testing.T) {
	t.Parallel()
	models := map[string]bool{"user": true, "account": true, "transaction": true, "contract": true}
	for _, path := range volatile {
		model, _, _ := strings.Cut(path, ".")
		if !models[model] {
			t.Errorf("%s: no such model", path)
		}
	}
	a, b := one(t, userSchema, `{"id":"u","expiresIn":1}`), one(t, userSchema, `{"id":"u","expiresIn":2}`)
	if a.Hash != b.Hash {
		t.Error("a user changes while it expires")
	}
}
