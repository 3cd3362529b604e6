package pull

import (
	"encoding/json"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"

	"github.com/google/go-cmp/cmp"
)

func TestAmountsAreExactOrKeptAsText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		amount finoos.Number
		extra  string
		want   table.Decimal
		left   string
	}{
		{"an amount becomes a decimal", "-1234.5", `{"a":1}`, table.Decimal{Units: -12345000, Valid: true}, `{"a":1}`},
		{"an amount that is not known is null", "", "", table.Decimal{}, ""},
		{"a fifth decimal leaves the column null and stays in _extra", "0.00001", "", table.Decimal{}, `{"amount":0.00001}`},
		{"an amount next to one is that one, and stays in _extra", "83710.79999999999", `{"a":1}`, table.Decimal{Units: 837108000, Valid: true}, `{"a":1,"amount":83710.79999999999}`},
		{"a fifteenth digit does too, beside what is there", "123456789012345.00", `{"a":1}`, table.Decimal{}, `{"a":1,"amount":123456789012345.00}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			res := &Result{User: "u", mode: table.Full, turn: turn{slabs: &slabs{}}}
			tx := &finoos.Transaction{ID: "t", Amount: tc.amount}
			tx.Extra = tc.extra
			row, ok := TransactionRow(res, tx).(*table.Transaction)
			if !ok || row.Amount != tc.want || row.Extra != tc.left {
				t.Errorf("got %+v and %q", row.Amount, row.Extra)
			}
			res.note(tx)
			if inexact := tc.amount != "" && !tc.want.Valid; (res.Issues.Inexact == 1) != inexact {
				t.Errorf("counted %d", res.Issues.Inexact)
			}
			if row.Extra != "" && !json.Valid([]byte(row.Extra)) {
				t.Error("_extra is no JSON")
			}
		})
	}
}

func TestABalancesUnknownFieldsStandUnderTheirPath(t *testing.T) {
	t.Parallel()
	h := &finoos.AccountHistory{AccountID: "a", Currency: "EUR", Balances: []finoos.Balance{
		{Date: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Balance: "1e-9", Extra: `{"estimated":true}`},
	}}
	h.Extra = `{"source":"bank"}`
	row, ok := HistoryRow(&Result{User: "u", turn: turn{slabs: &slabs{}}}, h, &h.Balances[0]).(*table.AccountHistory)
	if !ok {
		t.Fatal("not a row of account_history")
	}
	if diff := cmp.Diff(`{"source":"bank","balances":{"estimated":true,"balance":1e-9}}`, row.Extra); diff != "" {
		t.Error(diff)
	}
}
