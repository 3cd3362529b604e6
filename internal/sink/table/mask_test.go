package table

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/parquet/parquettest"
)

// hidden writes rows with something masked and returns them by column.
func hidden(t *testing.T, m *Masking, rows ...Row) []map[string]string {
	t.Helper()
	columns, read := parquettest.Read(t, writeTable(t, FileOptions{RunID: "run", Masking: m}, rows))
	var out []map[string]string
	for _, row := range read {
		values := map[string]string{}
		for i, v := range row {
			values[columns[i]] = v
		}
		out = append(out, values)
	}
	return out
}

func masked(table string, mask Mask) *Masking {
	return &Masking{Key: []byte("0123456789abcdef"), Tables: map[string]Mask{table: mask}}
}

var maskMeta = Meta{Op: Upsert, Pull: Full, ExtractedAt: time.Unix(1, 0)}

func TestAMaskedValueIsTheSameEverywhereAndInNoFile(t *testing.T) {
	t.Parallel()
	const iban = "DE02120300000000202051"
	m := &Masking{Key: []byte("0123456789abcdef"), Tables: map[string]Mask{
		"accounts":     {Columns: map[string]MaskAction{"iban": MaskHMAC, "owner": MaskDrop, "balance": MaskDrop}},
		"transactions": {Columns: map[string]MaskAction{"partner_iban": MaskHMAC, "tags": MaskHMAC, "booking_date": MaskDrop}},
	}}
	balance, err := ParseDecimal("12.5")
	if err != nil {
		t.Fatal(err)
	}
	a := &Account{UserID: "u", AccountID: "a", IBAN: iban, Owner: "Erika", Balance: balance, BIC: "BYLADEM1001", Meta: maskMeta}
	tr := &Transaction{
		UserID: "u", TransactionID: "t", PartnerIBAN: iban, Tags: []string{"Miete"}, BookingDate: DateOf(time.Unix(0, 0)), Meta: maskMeta,
	}
	account, transaction := hidden(t, m, a)[0], hidden(t, m, tr)[0]
	if account["iban"] != transaction["partner_iban"] || len(account["iban"]) != 64 {
		t.Errorf("iban %s, partner_iban %s: want one HMAC", account["iban"], transaction["partner_iban"])
	}
	for what, got := range map[string]string{"owner": account["owner"], "balance": account["balance"], "booking_date": transaction["booking_date"]} {
		if got != null {
			t.Errorf("%s is %s, want null", what, got)
		}
	}
	if strings.Contains(transaction["tags"], "Miete") || transaction["tags"] == null || account["bic"] != "BYLADEM1001" {
		t.Errorf("tags %s, bic %s", transaction["tags"], account["bic"])
	}
	for _, file := range [][]byte{writeTable(t, FileOptions{RunID: "run", Masking: m, Compression: "none"}, []Row{a}), writeTable(t, FileOptions{RunID: "run", Masking: m, Compression: "none"}, []Row{tr})} {
		for _, secret := range []string{iban, "Erika", "Miete"} {
			if strings.Contains(string(file), secret) {
				t.Errorf("%s stands in the file", secret)
			}
		}
	}
	m.Key = []byte("fedcba9876543210")
	if other := hidden(t, m, a)[0]["iban"]; other == account["iban"] {
		t.Error("another key gives the same value")
	}
	if empty := hidden(t, m, &Account{UserID: "u", AccountID: "a", Meta: maskMeta})[0]["iban"]; empty != null {
		t.Errorf("null became %s", empty)
	}
}

func TestMasksReachIntoJSON(t *testing.T) {
	t.Parallel()
	sum := (&masker{mac: masked("contracts", Mask{Columns: map[string]MaskAction{"category": MaskDrop}}).of("contracts").mac}).digest
	for name, tt := range map[string]struct {
		column, text, want string
		fields             []MaskField
	}{
		"a member":                   {"_extra", `{"iban":"X","n":1.50}`, `{"iban":"` + sum("X") + `","n":1.50}`, []MaskField{{MaskPath("iban"), MaskHMAC}}},
		"in any spelling":            {"_extra", `{"customUserID":"X"}`, `{"customUserID":"` + sum("X") + `"}`, []MaskField{{MaskPath("custom_user_id"), MaskHMAC}}},
		"however deep, and in lists": {"_extra", `{"a":[{"b":{"iban":"X"}},{"iban":"X"}]}`, `{"a":[{"b":{}},{}]}`, []MaskField{{MaskPath("iban"), MaskDrop}}},
		"a number":                   {"_extra", `{"phone":17}`, `{"phone":"` + sum("17") + `"}`, []MaskField{{MaskPath("phone"), MaskHMAC}}},
		"all of an object":           {"_extra", `{"c":{"x":"X","y":[null,true]}}`, `{"c":{"x":"` + sum("X") + `","y":[null,"` + sum("true") + `"]}}`, []MaskField{{MaskPath("c"), MaskHMAC}}},
		"a member of the partner":    {"partner", `{"name":"X","contact":{"name":"Y"}}`, `{"name":"` + sum("X") + `","contact":{"name":"Y"}}`, []MaskField{{MaskPath("partner.name"), MaskHMAC}}},
		"a text for an object":       {"_extra", `{"paymentPartner":"X","z":["paymentPartner"]}`, `{"paymentPartner":"` + sum("X") + `","z":["paymentPartner"]}`, []MaskField{{MaskPath("paymentPartner.name"), MaskHMAC}}},
		"texts for an object":        {"_extra", `{"paymentPartner":["X",{"name":"Y","bic":"Z"}]}`, `{"paymentPartner":[null,{"bic":"Z"}]}`, []MaskField{{MaskPath("paymentPartner.name"), MaskDrop}}},
		"twice under one name":       {"_extra", `{"iban":"X","IBAN":"Y","z":0}`, `{"z":0}`, []MaskField{{MaskPath("iban"), MaskDrop}}},
		"nothing is left":            {"_extra", `{"iban":"X"}`, "", []MaskField{{MaskPath("iban"), MaskDrop}}},
		"dropping wins":              {"_extra", `{"iban":"X","z":0}`, `{"z":0}`, []MaskField{{MaskPath("iban"), MaskHMAC}, {MaskPath("iban"), MaskDrop}}},
		"an escaped value":           {"_extra", `{"iban":"\u0058"}`, `{"iban":"` + sum("X") + `"}`, []MaskField{{MaskPath("iban"), MaskHMAC}}},
		"what is no JSON":            {"_extra", `{"iban":"X"`, "", []MaskField{{MaskPath("bic"), MaskDrop}}},
		"what nobody hides":          {"attributes", `{"a":"\u00fc","n":1e400}`, `{"a":"\u00fc","n":1e400}`, []MaskField{{MaskPath("iban"), MaskDrop}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := masked("contracts", Mask{Fields: tt.fields}).of("contracts").json(tt.column)(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestADeleteNamesTheMaskedKey(t *testing.T) {
	t.Parallel()
	gone := maskMeta
	gone.Op = Delete
	today := DateOf(time.Unix(0, 0))
	for _, tt := range []struct {
		set, end Row
		empty    string // the column of the key that has nothing to hide
	}{
		{&Account{UserID: "u", AccountID: "a", Meta: maskMeta}, &Account{UserID: "u", AccountID: "a", Meta: gone}, ""},
		{
			&Transaction{UserID: "u", AccountID: "a", TransactionID: "t", Meta: maskMeta},
			&Transaction{UserID: "u", AccountID: "a", TransactionID: "t", Meta: gone}, "",
		},
		{
			&Categorization{UserID: "u", TransactionID: "t", Tag: "rent", Meta: maskMeta},
			&Categorization{UserID: "u", TransactionID: "t", Tag: "rent", Meta: gone}, "account_id",
		},
		{
			&AccountHistory{UserID: "u", AccountID: "a", Currency: "EUR", Date: today, Meta: maskMeta},
			&AccountHistory{UserID: "u", AccountID: "a", Currency: "EUR", Date: today, Meta: gone}, "",
		},
		{
			&AccountHistory{UserID: "u", AccountID: "a", Date: today, Meta: maskMeta},
			&AccountHistory{UserID: "u", AccountID: "a", Date: today, Meta: gone}, "currency",
		},
	} {
		mask := Mask{Columns: map[string]MaskAction{}}
		for _, c := range Of(tt.set).Columns {
			if c.Key && c.Type == TypeString {
				mask.Columns[c.Name] = MaskHMAC
			}
		}
		rows := hidden(t, masked(Of(tt.set).Name, mask), tt.set, tt.end)
		for key := range mask.Columns {
			value := rows[0][key]
			if value != rows[1][key] || key == tt.empty && value != "" || key != tt.empty && len(value) != 64 {
				t.Errorf("%s.%s: %q is deleted as %q", Of(tt.set).Name, key, value, rows[1][key])
			}
		}
	}
}

func TestNoPartOfAKeyIsDropped(t *testing.T) {
	t.Parallel()
	for _, table := range Tables() {
		for _, c := range table.Columns {
			err := Mask{Columns: map[string]MaskAction{c.Name: MaskDrop}}.Check(table.Name)
			if c.Key && err == nil {
				t.Errorf("%s.%s may be dropped", table.Name, c.Name)
			}
		}
	}
}

func FuzzMaskedJSON(f *testing.F) {
	f.Add(`{"iban":"X","a":[1,{"IBAN":null}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		got := masked("users", Mask{Fields: []MaskField{{MaskPath("iban"), MaskDrop}}}).of("users").json("_extra")(text)
		if plain := strings.ToLower(strings.ReplaceAll(got, "_", "")); strings.Contains(plain, `"iban":`) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
